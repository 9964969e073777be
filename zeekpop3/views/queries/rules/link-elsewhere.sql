-- The text of a link shows another site than the one to which it leads; not of mailings, which count clicks.
-- weight 40
select l.uid || '/' || l.trans_depth as mail, 'link shows another site' as reason,
    text_site || ', leads to ' || host || if(l.part = '', '', ' in the message inside' || coalesce(' from ' || e.from_address, '')) as detail
from links l join emails m using (uid, trans_depth) left join enclosed e on e.uid = l.uid and e.trans_depth = l.trans_depth and e.part = l.part
where text_site is not null and l.origin = 'html' and host is not null and text_site is distinct from l.site
    and text_site is distinct from m.from_site and not exists (from bulk b where b.mail = l.uid || '/' || l.trans_depth)
    -- Many links to one host: the sender counts the clicks there.
    and (select count(*) from links o where (o.uid, o.trans_depth, o.host) = (l.uid, l.trans_depth, l.host)) < 5

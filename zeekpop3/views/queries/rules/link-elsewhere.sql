-- The text of a link shows another site than the one to which it leads.
-- weight 30
select l.uid || '/' || l.trans_depth as mail, 'link shows another site' as reason,
    text_site || ', leads to ' || host || if(l.part = '', '', ' in the message inside' || coalesce(' from ' || e.from_address, '')) as detail
from links l left join enclosed e on e.uid = l.uid and e.trans_depth = l.trans_depth and e.part = l.part
where text_site is not null and origin = 'html' and host is not null and text_site is distinct from l.site

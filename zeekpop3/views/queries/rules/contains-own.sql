-- A sender or a link is at a new site whose name contains that of an own site: a copy, or a relative.
-- weight 35
with place as (
    select uid, trans_depth, 'sender' as what, unnest([from_site, reply_to_site]) as site from emails
    union all
    select uid, trans_depth, 'sender of a message inside', unnest([from_site, reply_to_site]) from enclosed
    union all
    select uid, trans_depth, 'link', site from links
)
select distinct p.uid || '/' || p.trans_depth as mail, p.what || ' contains the name of an own site' as reason,
    ascii_host(l.site) || ' for ' || l.similar_to as detail
from look_alikes l join place p using (site) anti join acquainted a on a.mail = p.uid || '/' || p.trans_depth
where l.own and l.reason = 'contains the name'

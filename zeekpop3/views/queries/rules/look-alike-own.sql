-- A sender or a link is at a new site that looks like an own site, or at a host that has the name of one as a label.
-- weight 60
with place as (
    select uid, trans_depth, 'sender' as what, from_site as site, from_domain as host from emails
    union all
    select uid, trans_depth, 'sender', reply_to_site, reply_to_domain from emails
    union all
    select uid, trans_depth, 'sender of a message inside', from_site, from_domain from enclosed
    union all
    select uid, trans_depth, 'sender of a message inside', reply_to_site, reply_to_domain from enclosed
    union all
    select uid, trans_depth, 'link', site, host from links
)
select distinct p.uid || '/' || p.trans_depth as mail, p.what || ' looks like an own site' as reason,
    ascii_host(if(l.reason = 'a host has the name as a label', p.host, l.site)) || ' for ' || l.similar_to as detail
from look_alikes l join place p using (site) anti join acquainted a on a.mail = p.uid || '/' || p.trans_depth
where l.own and l.reason <> 'contains the name' and (l.reason <> 'a host has the name as a label' or has_name_of(p.host, l.similar_to))

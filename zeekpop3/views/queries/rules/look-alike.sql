-- A sender is at a site that looks like that of a frequent sender who came first.
-- weight 45
select e.uid || '/' || e.trans_depth as mail, 'sender looks like a known site' as reason, ascii_host(l.site) || ' for ' || ascii_host(l.similar_to) as detail
from look_alikes l join emails e on l.site in (e.from_site, e.reply_to_site)
where not l.own and l.reason <> 'same name, other suffix'

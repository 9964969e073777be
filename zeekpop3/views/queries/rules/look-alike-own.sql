-- A sender or a link is at a site that looks like an own site.
-- weight 60
select e.uid || '/' || e.trans_depth as mail, 'sender looks like an own site' as reason, l.site || ' for ' || l.similar_to as detail
from look_alikes l join emails e on l.site in (e.from_site, e.reply_to_site) where l.own
union
select e.uid || '/' || e.trans_depth, 'sender of a message inside looks like an own site', l.site || ' for ' || l.similar_to
from look_alikes l join enclosed e on l.site in (e.from_site, e.reply_to_site) where l.own
union
select k.uid || '/' || k.trans_depth, 'link looks like an own site', l.site || ' for ' || l.similar_to
from look_alikes l join links k using (site) where l.own

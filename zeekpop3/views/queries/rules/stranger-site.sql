-- A reply comes from, or is answered to, a new site that differs by an edit or the suffix from one in its thread.
-- weight 80
select mail, 'stranger in a thread' as reason, site || ' for ' || before_site as detail
from (select *, unnest([from_site, reply_to_site]) as site from in_threads) t
    join (select site, min(ts) as came from addresses where field in ('from', 'reply_to') group by site) s using (site)
where looks_like_site(site, before_site) and site not in (from own) and s.came > t.ts - interval 1 day
    and not exists (from addresses a where a.uid = before_uid and a.trans_depth = before_depth and a.site = t.site)

-- Links of mails that the same client opened later: in http.log, or as server name in ssl.log.
-- either http: ts time, id_orig_h, host, uri
-- either ssl: ts time, id_orig_h, server_name
with opened as (
    select ts, id_orig_h, host_of(host) as host, regexp_replace(uri, '^https?://[^/]*', '') as path from http
    union all
    select ts, id_orig_h, host_of(server_name), null from ssl
), form as (
    select e.uid, e.trans_depth, e.ts as fetched, e.user, e.id_orig_h, e.subject, l.url,
        unnest(list_distinct([l.url, l.target])) as form
    from links l join emails e using (uid, trans_depth)
), link as (
    select * exclude (form), host_of(form) as host, path_of(form) as path from form
), seen as (
    select l.*, o.ts,
        case when o.path = l.path then 'URL' when o.path is null then 'server name' else 'host' end as match
    from link l join opened o using (id_orig_h, host)
    where o.ts >= l.fetched and host <> ''
), first_visit as (
    select id_orig_h, host, min(ts) as ts from opened group by all
)
select min(s.ts) as opened, s.user as user, id_orig_h as client, s.match, count(*) as times, s.url, s.subject,
    s.uid || '/' || s.trans_depth as mail, any_value(v.ts) < min(s.fetched) as known_host
from seen s join first_visit v using (id_orig_h, host)
group by s.uid, s.trans_depth, s.url, s.match, s.user, id_orig_h, s.subject
qualify row_number() over (
    partition by s.uid, s.trans_depth, s.url order by s.match = 'URL' desc, s.match) = 1
order by opened, mail, s.url

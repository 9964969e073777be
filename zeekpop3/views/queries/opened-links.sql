with opened as (
    select ts, id_orig_h, host_of(host) as host, regexp_replace(uri, '^https?://[^/]*', '') as path, 'host' as match from http
    union all
    select ts, id_orig_h, host_of(server_name), null, 'server name' from ssl
    union all
    select ts, id_orig_h, host_of(query), null, 'DNS query' from dns
), form as (
    -- A rewritten link is opened at the gateway, or at the URL that it stands for; a redirect at the URL in it.
    select e.uid, e.trans_depth, e.ts as fetched, e.user, e.id_orig_h, e.subject, l.url, l.position,
        unnest(list_distinct([l.url, l.target] || {inner-urls})) as form
    from links l join emails e using (uid, trans_depth)
), link as (
    select * exclude (form), host_of(form) as host, path_of(form) as path from form
), told as (
    -- A request for the URL of a mail is that visit, also in the other logs, and no visit by others behind the address.
    select distinct id_orig_h, host, path, o.ts from opened o join link l using (id_orig_h, host, path) where o.ts >= l.fetched
), seen as (
    select l.*, o.ts, if(o.path = l.path, 'URL', o.match) as match
    from link l join opened o using (id_orig_h, host)
    where o.ts >= l.fetched and host <> '' and (o.path is not distinct from l.path or not exists (
        from told t where t.id_orig_h = o.id_orig_h and t.host = o.host and if(o.path is null,
            o.ts between t.ts - interval 5 minute and t.ts + interval 5 minute, t.path = o.path and t.ts = o.ts)))
), first_visit as (
    select id_orig_h, host, min(ts) as ts from opened group by all
)
select min(s.ts) as opened, s.user as user, id_orig_h as client, s.match, count(*) as times, s.url, s.subject,
    s.uid || '/' || s.trans_depth as mail, any_value(v.ts) < min(s.fetched) as known_host
from seen s join first_visit v using (id_orig_h, host)
group by s.uid, s.trans_depth, s.url, s.match, s.user, id_orig_h, s.subject, host
qualify row_number() over (
    partition by s.uid, s.trans_depth, s.url
    order by case s.match when 'URL' then 1 when 'host' then 2 when 'server name' then 3 else 4 end) = 1
    -- Of several links to a host that was visited, the visit is one: that of a URL, else of the first link.
    and (s.match = 'URL' or row_number() over (
        partition by s.uid, s.trans_depth, host
        order by case s.match when 'URL' then 1 when 'host' then 2 when 'server name' then 3 else 4 end, min(position)) = 1)

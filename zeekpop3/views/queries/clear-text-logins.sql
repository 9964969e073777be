-- Logins without encryption: what was exposed, from where. A digest (APOP, CRAM-MD5) can be attacked offline.
with login as (
    select *, unnest(list_distinct(list_transform([s.user] || coalesce(users_refused, []), lambda name: lower(name)))) as name from sessions s
)
select l.name as user, l.auth_mechanism as mechanism,
    case l.auth_mechanism {exposed} else 'name' end as exposed,
    l.id_resp_h as server, list_sort(list(distinct l.id_orig_h)) as clients,
    count(*) filter (l.auth_result = 'success' and l.name = lower(l.user)) as logins,
    sum(l.logins_failed)::bigint as failed, min(l.ts) as first, max(l.ts) as last
from login l
where l.name is not null
group by l.name, l.auth_mechanism, l.id_resp_h
order by l.name, mechanism, server

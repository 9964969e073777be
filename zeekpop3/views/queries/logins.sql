-- Logins of each user, client and server: attempts, refusals, and the first success after a refusal.
with session as (
    select ts, uid, id_orig_h as client, id_resp_h as server, id_resp_p as port, s.user as accepted, auth_mechanism,
        coalesce(logins_failed, 0) as failed, coalesce(users_refused, []) as refused, auth_result, tls, retrieved,
        ts + to_microseconds(coalesce(duration * 1000000, 0)::bigint) as ended
    from sessions s
), attempt as (
    -- A session says how many logins it refused, and each refused name once.
    select * exclude (refused, failed), name, list_contains(refused, name) as was_refused,
        auth_result = 'success' and name is not distinct from accepted as was_accepted,
        case when len(refused) = 0 then failed
            when name is not null and list_contains(refused, name) then greatest(1, failed // len(refused))
            else 0 end as refusals
    from (select *, unnest(if(accepted is null and len(refused) = 0, if(failed > 0, [null], []),
            list_distinct(list_filter([accepted] || refused, lambda n: n is not null)))) as name
        from session)
), summary as (
    select name as "user", client, server, sum(was_accepted::int + refusals)::bigint as attempts,
        sum(refusals)::bigint as refused, count(*) filter (was_accepted) as accepted,
        min(ts) as first, max(ts) as last, min(ts) filter (refusals > 0) as first_refusal,
        max(ts) filter (refusals > 0) as last_refusal,
        coalesce(sum(retrieved) filter (was_accepted), 0)::bigint as fetched,
        list_sort(list(distinct auth_mechanism)) as mechanisms, bool_or(not tls) as in_clear
    from attempt group by name, client, server
), after as (
    -- The first success after a refusal, in the same session or a later one, from this client or from another.
    select r.name as "user", r.client, r.server, min(s.ts) as success_after_refusal
    from (select name, client, server, min(ts) as ts from attempt where refusals > 0 group by all) r
        join attempt s on s.name = r.name and s.client = r.client and s.server = r.server and s.was_accepted
            and s.ts >= r.ts
    group by all
)
select s.user as user, client, server, attempts, refused, accepted, success_after_refusal, fetched, first, last, mechanisms, in_clear
from summary s left join after using ("user", client, server)
order by success_after_refusal is null, refused desc, s.user, client, server

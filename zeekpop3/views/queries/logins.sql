-- Logins of each user (in lower case), client and server: attempts, refusals, the first success after them, also from a new client.
with session as (
    select ts, uid, id_orig_h as client, id_resp_h as server, id_resp_p as port, lower(s.user) as accepted, auth_mechanism,
        coalesce(logins_failed, 0) as failed,
        list_distinct(list_transform(coalesce(users_refused, []), lambda name: lower(name))) as refused, auth_result, tls, retrieved,
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
    -- The first success of the same client after a refusal, in the same session or a later one.
    select r."user", r.client, r.server, min(s.ts) as success_after_refusal
    from summary r join attempt s on s.name = r."user" and s.client = r.client and s.server = r.server and s.was_accepted
            and s.ts >= r.first_refusal
    group by all
), arrival as (
    select name, client, server, min(ts) as ts from attempt where was_accepted group by all
), elsewhere as (
    -- Guessing from several addresses: within a day another client gets in for the first time. Only for users whose own
    -- client was seen before the refusals.
    select r."user", r.client, r.server, min(a.ts) as success_elsewhere, arg_min(a.client, (a.ts, a.client)) as success_from
    from summary r join arrival a on a.name = r."user" and a.server = r.server and a.client <> r.client
            and a.ts > r.first_refusal and a.ts <= r.last_refusal + interval 1 day
        semi join arrival b on b.name = r."user" and b.server = r.server and b.ts < r.first_refusal
    group by all
)
select s.user as user, client, server, attempts, refused, accepted, success_after_refusal, fetched, first, last, mechanisms, in_clear,
    success_elsewhere, success_from
from summary s left join after using ("user", client, server) left join elsewhere using ("user", client, server)
order by success_after_refusal is null, success_elsewhere is null, refused desc, s.user, client, server

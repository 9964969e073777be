-- Messages that a mailbox lists (LIST, UIDL) but that no connection fetched.
with listed as (
    select ts, uid, "user", id_resp_h, unnest(messages, recursive := true) from listings
), gone as (
    select uid, try_cast(argument as bigint) as msg_num from commands where command = 'DELE' and status = 'OK'
), message as (
    select coalesce(l."user", '') as owner, coalesce(l.id_resp_h, '') as server,
        coalesce(l.uidl, l.uid || '/' || l.msg_num) as id, any_value(l.uidl) as uidl,
        min(l.ts) as first_listed, max(l.ts) as last_listed, arg_max(l.octets, l.ts) as octets,
        count(g.uid) > 0 as deleted, list(distinct (l.uid, l.msg_num)) as places
    from listed l left join gone g using (uid, msg_num)
    group by all
), fetched as (
    select "user", id_resp_h, uidl, uid, msg_num from emails where command = 'RETR'
)
select last_listed, nullif(owner, '') as user, server, uidl, octets, deleted, first_listed
from message m
where not exists (
        from fetched f
        where f.uidl = m.uidl and coalesce(f."user", '') = owner and coalesce(f.id_resp_h, '') = server)
    and not exists (from fetched f where list_contains(m.places, (f.uid, f.msg_num)))
order by last_listed desc, user, server, uidl

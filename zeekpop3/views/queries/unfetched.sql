-- Messages that a mailbox lists (LIST, UIDL) but that no connection fetched.
with listed as (
    select ts, uid, coalesce("user", '') as owner, coalesce(id_resp_h, '') as server,
        unnest(messages, recursive := true)
    from listings
), gone as (
    select distinct uid, try_cast(argument as bigint) as msg_num
    from commands where command = 'DELE' and status = 'OK'
), fetched as (
    select uid, msg_num, coalesce("user", '') as owner, coalesce(id_resp_h, '') as server, uidl
    from emails where command = 'RETR'
), message as (
    select l.owner, l.server, coalesce(l.uidl, l.uid || '/' || l.msg_num) as id, any_value(l.uidl) as uidl,
        min(l.ts) as first_listed, max(l.ts) as last_listed, arg_max(l.octets, l.ts) as octets,
        count(g.uid) > 0 as deleted
    from listed l left join gone g using (uid, msg_num)
        left join (select distinct uid, msg_num from fetched) f on f.uid = l.uid and f.msg_num = l.msg_num
    group by all
    having count(f.uid) = 0
)
select last_listed, nullif(owner, '') as user, server, uidl, octets, deleted, first_listed
from message m anti join (select distinct owner, server, uidl from fetched) f using (owner, server, uidl)
order by last_listed desc, user, server, uidl

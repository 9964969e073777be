-- Who deleted what: DELE commands that a QUIT made final, with the mail as far as it is known.
with gone as (
    select c.ts, c.uid, try_cast(c.argument as bigint) as msg_num
    from commands c where c.command = 'DELE' and c.status = 'OK'
), listed as (
    select uid, unnest(messages, recursive := true) from listings
), fetched as (
    select uid, msg_num, max(trans_depth) as trans_depth from emails
    where msg_num is not null group by uid, msg_num
), known as (
    -- Fetched in another connection: the same mailbox and unique id.
    select mailbox_of("user", id_resp_h) as owner, id_resp_h as server, uidl, arg_max((uid, trans_depth), (command = 'RETR', ts)) as best
    from emails where uidl is not null and "user" is not null group by all
)
select g.ts, s.user as user, s.id_orig_h as client, s.id_resp_h as server, g.msg_num, coalesce(l.uidl, e.uidl) as uidl,
    coalesce(l.octets, e.octets_declared, e.size) as octets, s.quit as final, e.from_address as sender, e.subject,
    e.uid || '/' || e.trans_depth as mail
from gone g join sessions s using (uid)
    left join listed l on l.uid = g.uid and l.msg_num = g.msg_num
    left join fetched f on f.uid = g.uid and f.msg_num = g.msg_num
    left join known k on f.uid is null and k.owner = mailbox_of(s.user, s.id_resp_h) and k.server = s.id_resp_h and k.uidl = l.uidl
    left join emails e on e.uid = coalesce(f.uid, k.best[1]) and e.trans_depth = coalesce(f.trans_depth, k.best[2])
order by g.ts desc, g.uid, g.msg_num

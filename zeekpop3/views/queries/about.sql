-- What the tables hold about an address, user, site, host, IP address, hash, file name, message id, uid, mail id or community id.
with place as ({observables}
    union all
    select ts, uid, trans_depth, null, 'MESSAGE_ID', unnest(['emails.msg_id', 'emails.in_reply_to']),
        unnest([trim(msg_id, '<> '), trim(in_reply_to, '<> ')]) from emails
    union all
    select ts, uid, trans_depth, part, 'SITE', 'addresses.' || field, site from addresses
    union all
    select ts, uid, trans_depth, part, 'SITE', 'links.site', site from links
    union all
    select ts, uid, null, null, 'SESSION',
        unnest(['sessions.user', 'sessions.id_orig_h', 'sessions.id_resp_h', 'sessions.uid', 'sessions.community_id']),
        unnest(["user", id_orig_h, id_resp_h, uid, community_id])
    from sessions
    union all
    select ts, uid, trans_depth, null, 'SESSION', unnest(['emails.uid', 'emails.community_id', 'emails.mail_id']),
        unnest([uid, community_id, mail_id])
    from emails
), found as (
    select ts, uid, trans_depth, field, value from place
    where lower(value) = $value or kind = 'DOMAIN' and ends_with(lower(value), '.' || $value)
)
select f.ts, f.uid || coalesce('/' || f.trans_depth, '') as mail, list_sort(list(distinct f.field)) as places,
    list_sort(list(distinct f.value)) as values, coalesce(e.user, s.user) as user,
    coalesce(e.id_orig_h, s.id_orig_h) as client, e.from_address as sender, e.subject
from found f left join emails e on e.uid = f.uid and e.trans_depth = f.trans_depth
    left join sessions s on s.uid = f.uid
group by all
order by f.ts desc, mail

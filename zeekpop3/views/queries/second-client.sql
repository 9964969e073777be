-- Mailboxes that more than one client logged in to: what each fetched and deleted.
with session as (
    select *, mailbox_of(s.user, id_resp_h) as mailbox from sessions s where s.user is not null and auth_result = 'success'
)
select mailbox as user, s.id_resp_h as server, s.id_orig_h as client, count(*) as logins,
    sum(s.retrieved)::bigint as fetched, sum(s.deleted)::bigint as deleted,
    min(s.ts) as first, max(s.ts) as last,
    list_sort(list(distinct lower(s.user))) as names
from session s
group by mailbox, s.id_resp_h, s.id_orig_h
qualify count(*) over (partition by mailbox, s.id_resp_h) > 1
order by user, server, first

-- Mailboxes that more than one client logged in to: what each fetched and deleted.
select lower(s.user) as user, s.id_resp_h as server, s.id_orig_h as client, count(*) as logins,
    sum(s.retrieved)::bigint as fetched, sum(s.deleted)::bigint as deleted,
    min(s.ts) as first, max(s.ts) as last
from sessions s
where s.user is not null and s.auth_result = 'success'
group by lower(s.user), s.id_resp_h, s.id_orig_h
qualify count(*) over (partition by lower(s.user), s.id_resp_h) > 1
order by user, server, first

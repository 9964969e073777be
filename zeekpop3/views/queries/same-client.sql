-- Clients that logged in, or tried to, as more than one user: who, and from when to when.
with attempt as (
    select id_orig_h as client, ts, mailbox_of(if(auth_result = 'success', s.user, null), id_resp_h) as accepted,
        list_transform(coalesce(users_refused, []), lambda name: lower(name)) as refused, coalesce(logins_failed, 0) as failed
    from sessions s where id_orig_h is not null
)
select client, count(distinct accepted) as users, list_sort(list_distinct(list(accepted)))[:20] as logged_in_as,
    list_sort(list_distinct(flatten(list(refused))))[:20] as refused_as, sum(failed)::bigint as refusals, count(*) as sessions,
    min(ts) as first, max(ts) as last
from attempt
group by client
having len(list_distinct(list(accepted) || flatten(list(refused)))) > 1
order by refusals desc, users desc, client

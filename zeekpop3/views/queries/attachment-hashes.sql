-- Who fetched which attachment: one row per content and user, most recipients first.
with fetched as (
    select a.sha256, a.filename, coalesce(a.mime_type, a.content_type) as type, a.size, a.ts,
        e.user as user_, e.id_orig_h
    from attachments a join emails e using (uid, trans_depth)
    where a.sha256 is not null
), spread as (
    select sha256, count(distinct coalesce(user_, id_orig_h)) as users from fetched group by sha256
)
select sha256, arg_min(filename, ts) as filename, arg_min(type, ts) as type, any_value(size) as size,
    any_value(users) as users, user_ as user, count(*) as times, min(ts) as first, max(ts) as last
from fetched join spread using (sha256)
group by sha256, user_ order by users desc, sha256, first, user_

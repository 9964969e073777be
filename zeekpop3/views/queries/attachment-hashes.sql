-- Attachments by their content: who fetched each, most users first. Empty files are left out.
with fetched as (
    select a.sha256, a.filename, coalesce(a.mime_type, a.content_type) as type, a.size, a.ts,
        coalesce(lower(e.user), e.id_orig_h) as recipient
    from attachments a join emails e using (uid, trans_depth)
    where a.sha256 is not null and a.size > 0
)
select sha256, arg_min(filename, ts) as filename, arg_min(type, ts) as type, any_value(size) as size,
    count(distinct recipient) as users, list_sort(list(distinct recipient))[:20] as fetched_by, count(*) as times,
    min(ts) as first, max(ts) as last
from fetched
group by sha256 order by users desc, times desc, first, sha256

-- Types of attachments that were first seen in the last seven days of the tables, newest first.
with seen as (
    select coalesce(a.extension, '(none)') as extension, coalesce(a.mime_type, lower(a.content_type)) as type, a.ts, a.filename,
        a.uid || '/' || a.trans_depth as mail, e.from_address, coalesce(lower(e.user), e.id_orig_h) as recipient,
        (select min(ts) from emails) as first_of_all, (select max(ts) from emails) as last_of_all
    from attachments a join emails e using (uid, trans_depth)
)
select min(ts) as first, extension, type, count(*) as attachments, count(distinct recipient) as recipients,
    date_diff('day', any_value(first_of_all), min(ts)) as days_before, arg_min(from_address, ts) as sender,
    arg_min(filename, ts) as filename, arg_min(mail, ts) as mail
from seen
group by extension, type
having min(ts) >= any_value(last_of_all) - interval 7 day
order by first desc, extension, type

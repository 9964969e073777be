-- The ten senders with the most mails of each day.
with per_day as (
    select e.day, e."from" as sender, count(*) as mails, sum(e.size)::bigint as bytes,
        count(distinct lower(e.user)) as users
    from emails e where e.command = 'RETR' group by e.day, e."from"
)
select * from per_day
qualify row_number() over (partition by day order by mails desc, bytes desc, sender) <= 10
order by day desc, mails desc, bytes desc, sender

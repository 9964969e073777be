-- Senders that were first seen in the last seven days of the tables, newest first.
with seen as (
    select from_address, from_name, from_site, coalesce(lower("user"), id_orig_h) as recipient, ts,
        uid || '/' || trans_depth as mail, min(ts) over () as first_of_all, max(ts) over () as last_of_all,
        min(ts) over (partition by coalesce(from_site, from_domain)) as first_of_site
    from emails where from_address is not null
)
select min(ts) as first, from_address as sender, arg_min(from_name, ts) as name, count(*) as mails,
    count(distinct recipient) as recipients, any_value(first_of_site) < min(ts) as known_site,
    date_diff('day', any_value(first_of_all), min(ts)) as days_before, arg_min(mail, ts) as mail
from seen
group by from_address
having min(ts) >= any_value(last_of_all) - interval 7 day
order by first desc, sender

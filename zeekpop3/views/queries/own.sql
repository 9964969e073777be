select site from (
    select site_of(split_part("user", '@', 2)) as site, true as logged_in, sum(sessions) as mails
    from (select "user", count(*) as sessions from sessions
          where auth_result = 'success' and contains("user", '@') group by "user")
    group by 1
    union all
    -- A recipient's site counts in mails that it does not send and that do not link to it: what one mail says of itself is
    -- no evidence.
    select r.site, false, count(*)
    from (select distinct uid, trans_depth, site from addresses
          where field in ('to', 'cc', 'delivered_to') and part = '' and site in (
              -- Only frequent sites are looked at mail by mail.
              select site from addresses where field in ('to', 'cc', 'delivered_to') and part = ''
              group by site having count(*) >= 0.1 * (select count(*) from emails))) r
        join emails e using (uid, trans_depth)
        anti join (select uid, trans_depth, site from links where origin <> 'shown') l
            on l.uid = r.uid and l.trans_depth = r.trans_depth and l.site = r.site
    where r.site is distinct from e.from_site
    group by r.site
    having count(*) >= 0.1 * (select count(*) from emails) and count(distinct coalesce(e.from_site, e.from_address)) >= 2
)
where site is not null
group by site
order by bool_or(logged_in) desc, sum(mails) desc, site
limit 20

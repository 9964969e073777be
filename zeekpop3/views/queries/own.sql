select site from addresses
where field in ('to', 'cc', 'delivered_to') and part = '' and site is not null
group by site
having count(distinct (uid, trans_depth)) >= 0.1 * (select count(distinct (uid, trans_depth)) from addresses)
union
select site_of(split_part("user", '@', 2)) from sessions where contains("user", '@')

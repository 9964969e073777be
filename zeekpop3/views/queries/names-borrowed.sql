-- Mails with a display name that is known with an address at another site, or that shows such an address.
with own as ({own}), look as (
    -- By what it looks like, the words in any order: "Boss, Carl" and "Cаrl Boss" with a Cyrillic letter are Carl Boss.
    select name, name_key(name) as key
    from (select distinct name from addresses where part = '' and length(trim(name)) >= 4)
), named as materialized (
    select ts, uid, trans_depth, field, name, address, coalesce(site, domain) as site, key,
        if(contains(name, '@'), nullif(regexp_extract(lower(name), '[^\s@<>"()]+@[a-z0-9.-]+\.[a-z]{2,}'), ''), null)
            as address_in_name,
        if(contains(name, '@'), site_of(split_part(address_in_name, '@', 2)), null) as site_in_name
    from addresses join look using (name) where part = '' and length(trim(name)) >= 4 and address is not null
), use as (
    select key, site, count(distinct (uid, trans_depth)) as mails, min(ts) as first,
        arg_min(address, (ts, uid, address)) as address
    from named group by key, site
), owner as (
    select * from use
    qualify count(*) over (partition by key) <= 4
        and row_number() over (partition by key order by site in (from own) desc, first, mails desc, site) = 1
), borrowed as (
    select n.*, o.address as belongs_to, o.site in (from own) as own from named n join owner o using (key)
    where n.field = 'from' and n.site <> o.site and site_in_name is null and n.site not in (from own)
    union all
    select *, address_in_name, site_in_name in (from own) from named
    where field = 'from' and site_in_name <> site
)
select e.ts, e.uid || '/' || e.trans_depth as mail, e.user as user, b.name, b.address, b.belongs_to, b.own, e.subject
from borrowed b join emails e using (uid, trans_depth)
order by e.ts desc, mail

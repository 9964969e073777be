-- What senders do tells mailing lists and old acquaintances from strangers; names are in no list.
listed as materialized (
    -- Mails of mailing lists: they say so (RFC 2919, 2369), and several people have written to the list.
    select mail from (
        select uid || '/' || trans_depth as mail, coalesce(from_name, '') || from_address as who, list_filter(headers, lambda h: lower(h.name) in ('list-id', 'list-post'))[1].value as list
        from temp.emails
        where len(list_filter(headers, lambda h: lower(h.name) in ('list-id', 'list-post'))) > 0)
    qualify min(who) over (partition by list) <> max(who) over (partition by list)
), acquainted as materialized (
    -- Mails of senders who wrote at least twice, a day before or earlier, or whom own people wrote to; not those that
    -- the receiving server confirms no longer, or never did: anybody can use an address.
    select mail from (
        select uid || '/' || trans_depth as mail, ts, from_address, auth_dmarc, count(*) over earlier as before,
            count(*) filter (auth_dmarc = 'pass') over earlier as passed
        from emails where from_address is not null
        window earlier as (partition by from_address order by ts range between unbounded preceding and interval 1 day preceding))
        left join (
            select a.address as from_address, min(e.ts) as cited from addresses a join emails e using (uid, trans_depth)
            where a.field in ('to', 'cc') and a.part = '' and e.from_site in (from own) and e.auth_dmarc is distinct from 'fail'
                and a.site not in (from own)
            group by a.address) using (from_address)
    where (before >= 2 or cited < ts) and (auth_dmarc = 'pass' or auth_dmarc is distinct from 'fail' and coalesce(passed, 0) = 0)
), bulk as materialized (
    -- Mailings: whoever sent them says how to leave.
    select uid || '/' || trans_depth as mail from temp.emails
    where len(list_filter(headers, lambda h: lower(h.name) in ('list-unsubscribe', 'list-id', 'list-post'))) > 0
)

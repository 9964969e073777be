-- Mails whose Reply-To is at another site than their From (of mailing lists: to_recipient, of mailings: of_mailing).
with mailing as (
    -- List-Unsubscribe (RFC 2369) of mailings: it names the site that the mail's replies go to.
    select uid, trans_depth, string_agg(lower(header.value), ' ') as unsubscribe
    from (select uid, trans_depth, unnest(headers) as header from temp.emails where reply_to_site <> from_site)
    where lower(header.name) = 'list-unsubscribe' group by all
)
select e.ts, e.uid || '/' || e.trans_depth as mail, e.user as user, e.from_address as sender,
    list_sort(list(distinct r.address)) as reply_to, e.subject,
    count(t.uid) = count(*) as to_recipient,
    coalesce(bool_and(regexp_matches(m.unsubscribe, '[@./]' || regexp_escape(coalesce(r.site, r.domain)) || '([/>?:,\s]|$)')), false) as of_mailing
from emails e join addresses r using (uid, trans_depth)
    left join (
        select distinct uid, trans_depth, address from addresses where field in ('to', 'cc') and part = ''
    ) t on t.uid = e.uid and t.trans_depth = e.trans_depth and t.address = r.address
    left join mailing m on m.uid = e.uid and m.trans_depth = e.trans_depth
where r.field = 'reply_to' and r.part = ''
    and coalesce(r.site, r.domain) <> coalesce(e.from_site, e.from_domain)
group by e.ts, e.uid, e.trans_depth, e.user, e.from_address, e.subject
order by e.ts desc, mail

-- Mails whose Reply-To is at another site than their From (of mailing lists: to_recipient).
select e.ts, e.uid || '/' || e.trans_depth as mail, e.user as user, e.from_address as sender,
    list_sort(list(distinct r.address)) as reply_to, e.subject,
    count(t.uid) = count(*) as to_recipient
from emails e join addresses r using (uid, trans_depth)
    left join (
        select distinct uid, trans_depth, address from addresses where field in ('to', 'cc') and part = ''
    ) t on t.uid = e.uid and t.trans_depth = e.trans_depth and t.address = r.address
where r.field = 'reply_to' and r.part = ''
    and coalesce(r.site, r.domain) <> coalesce(e.from_site, e.from_domain)
group by e.ts, e.uid, e.trans_depth, e.user, e.from_address, e.subject
order by e.ts desc, mail

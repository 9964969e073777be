-- Mails whose Reply-To is at another site than their From.
select e.ts, e.uid || '/' || e.trans_depth as mail, e.user as user, e.from_address as sender,
    list_sort(list(distinct r.address)) as reply_to, e.subject
from emails e join addresses r using (uid, trans_depth)
where r.field = 'reply_to' and coalesce(r.part, '') = ''
    and coalesce(r.site, r.domain) <> coalesce(e.from_site, e.from_domain)
group by e.ts, e.uid, e.trans_depth, e.user, e.from_address, e.subject
order by e.ts desc, mail

-- Suspicious mails with the reasons, most reasons first: the queries above, double extensions, hits.
with reason as (
    select mail, 'replies go to ' || array_to_string(reply_to, ', ') as reason from ({reply-elsewhere})
    where not to_recipient
    union all
    select mail, 'display name of ' || belongs_to from ({names-borrowed})
    union all
    select mail, 'failed ' || array_to_string(list_filter([
            if(spf in ('fail', 'softfail', 'hardfail'), 'SPF', ''), if(dkim = 'fail', 'DKIM', ''),
            if(dmarc = 'fail', 'DMARC', ''), if(len(changed_body_of) > 0, 'body hash', '')
        ], lambda name: name <> ''), ', ') from ({verdicts-failed})
    union all
    select e.uid || '/' || e.trans_depth, 'sender looks like ' || l.similar_to
    from ({look-alikes}) l join emails e on l.site in (e.from_site, e.reply_to_site)
    where l.reason <> 'same name, other suffix'
    union all
    select uid || '/' || trans_depth, 'double extension: ' || filename from attachments
    where regexp_matches(filename, '\.(pdf|docx?|xlsx?|pptx?|txt|rtf|csv|jpe?g|png|gif|mp[34]|zip)[\s_]*'
        || '\.(exe|scr|com|pif|bat|cmd|jse?|vb[es]|wsf|hta|lnk|ps1|jar|msi|cpl|iso|img|html?)\s*$', 'i')
    union all
    select uid || '/' || trans_depth, 'hit: ' || indicator from hits where trans_depth is not null
)
select e.ts, r.mail, e.user as user, e.from_address as sender, e.subject,
    list_sort(list(distinct r.reason)) as reasons
from reason r join emails e on r.mail = e.uid || '/' || e.trans_depth
where r.reason is not null
group by e.ts, r.mail, e.user, e.from_address, e.subject
order by len(reasons) desc, e.ts desc, r.mail

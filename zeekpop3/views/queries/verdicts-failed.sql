-- Mails that failed SPF, DKIM or DMARC at the receiving server, or whose signed body was changed.
select ts, uid || '/' || trans_depth as mail, "user", from_address as sender, auth_server as server,
    auth_spf as spf, auth_dkim as dkim, auth_dmarc as dmarc,
    list_transform(list_filter(coalesce(dkim, []), lambda s: s.body = 'fail'), lambda s: s.domain)
        as changed_body_of, subject
from emails
where auth_spf in ('fail', 'softfail', 'hardfail') or auth_dkim = 'fail' or auth_dmarc = 'fail'
    or len(list_filter(coalesce(dkim, []), lambda s: s.body = 'fail')) > 0
order by ts desc, mail

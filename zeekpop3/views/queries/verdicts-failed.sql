-- Mails that failed SPF, DKIM or DMARC at the receiving server, or whose signed body was changed.
select ts, uid || '/' || trans_depth as mail, "user", from_address as sender, auth_server as server,
    auth_spf as spf, auth_dkim as dkim, auth_dmarc as dmarc,
    list_transform(changed, lambda s: s.domain) as changed_body_of, subject
from (
    -- A preview has not the whole body; tables of earlier versions judge it nevertheless.
    select *, list_filter(coalesce(dkim, []),
        lambda s: s.body = 'fail' and (command <> 'TOP' or size = octets_declared)) as changed
    from emails
)
where auth_spf in ('fail', 'softfail', 'hardfail') or auth_dkim = 'fail' or auth_dmarc = 'fail'
    or len(changed) > 0
order by ts desc, mail

-- SPF, DKIM or DMARC failed at the receiving server, not because a mailing list passed the mail on.
-- weight 25
select mail, 'failed verdict' as reason, array_to_string(list_filter([
        if(spf in ('fail', 'softfail', 'hardfail'), 'SPF', ''), if(dkim = 'fail', 'DKIM', ''), if(dmarc = 'fail', 'DMARC', '')
    ], lambda name: name <> ''), ', ') as detail
from verdicts_failed anti join listed using (mail)
where dmarc = 'fail' or dmarc is distinct from 'pass' and (spf in ('fail', 'hardfail', 'softfail') or dkim = 'fail')

-- SPF, DKIM or DMARC failed at the receiving server.
-- weight 25
select mail, 'failed verdict' as reason, array_to_string(list_filter([
        if(spf in ('fail', 'softfail', 'hardfail'), 'SPF', ''), if(dkim = 'fail', 'DKIM', ''), if(dmarc = 'fail', 'DMARC', '')
    ], lambda name: name <> ''), ', ') as detail
from verdicts_failed where spf in ('fail', 'softfail', 'hardfail') or dkim = 'fail' or dmarc = 'fail'

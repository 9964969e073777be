-- The sender says that it is at an own site, and SPF or DMARC failed (lists that pass on mail of own people do that, too).
-- weight 30
select mail, 'own site as sender, not confirmed' as reason, sender as detail
from verdicts_failed
where site_of(split_part(sender, '@', 2)) in (from own) and (spf in ('fail', 'softfail', 'hardfail') or dmarc = 'fail')

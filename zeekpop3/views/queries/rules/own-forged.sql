-- The sender says that it is at an own site, and SPF or DMARC failed, not because a mailing list passed the mail on.
-- weight 30
select mail, 'own site as sender, not confirmed' as reason, sender as detail
from verdicts_failed anti join listed using (mail)
where site_of(split_part(sender, '@', 2)) in (from own)
    and (dmarc = 'fail' or dmarc is distinct from 'pass' and spf in ('fail', 'softfail', 'hardfail'))

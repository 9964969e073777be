-- A site whose mails were confirmed before (DMARC, or its own signature) is the sender, and this mail is not.
-- weight 45
with said as (
    select uid || '/' || trans_depth as mail, ts, from_site, from_address, auth_dmarc, (auth_dmarc is null and dkim is null or len(dkim) = 0) as unsigned,
        auth_dmarc = 'pass' or len(list_filter(coalesce(dkim, []), lambda s: s.body = 'pass' and (s.domain = from_domain or s.domain = from_site))) > 0 as good
    from temp.emails where from_site is not null and command <> 'TOP'
), known as (
    select *, count(*) filter (good) over before as good_before, count(*) over before as mails_before
    from said window before as (partition by from_site order by ts rows between unbounded preceding and 1 preceding)
)
select mail, 'sender not confirmed, as before' as reason, from_address as detail
from known anti join listed using (mail)
where not coalesce(good, false) and (auth_dmarc = 'fail' or unsigned) and good_before >= 2 and good_before = mails_before

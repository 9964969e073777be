-- The HTML says that its relative links belong to another site than the sender's, and the mail is no mailing.
-- weight 40
select mail, 'base of links elsewhere' as reason, base as detail
from (select uid || '/' || trans_depth as mail, from_site,
        host_of(regexp_extract(html, '<base\s[^>]{0,200}href\s*=\s*["'']?\s*(https?://[^"''\s>]{1,500})', 1, 'i')) as base
      from temp.emails where contains(lower(html), '<base'))
    anti join bulk using (mail) anti join acquainted using (mail)
where base <> '' and site_of(base) is distinct from from_site

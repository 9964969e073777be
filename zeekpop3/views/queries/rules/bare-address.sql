-- A link leads to a bare public address.
-- weight 40
select uid || '/' || trans_depth as mail, 'link to a bare address' as reason, regexp_extract(url, '^[^/]*//(?:[^/?#@]*@)?([^/?#]+)', 1) as detail
from links
where scheme in ('http', 'https', 'ftp') and origin <> 'shown'
    and regexp_matches(url, '(?i)^[a-z]+://([^/?#@]*@)?(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\])([/?#:]|$)')
    and not regexp_matches(url, '(?i)^[a-z]+://([^/?#@]*@)?(10\.|127\.|0\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|\[(::1|f[cde]))')

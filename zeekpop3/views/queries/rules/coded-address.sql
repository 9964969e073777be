-- A link leads to an address that is written as one number, in hexadecimal or octal: only to hide it.
-- weight 60
select uid || '/' || trans_depth as mail, 'link to a coded address' as reason, regexp_extract(url, '^[^/]*//(?:[^/?#@]*@)?([^/?#]+)', 1) as detail
from links
where scheme in ('http', 'https', 'ftp') and origin <> 'shown'
    and regexp_matches(url, '(?i)^[a-z]+://([^/?#@]*@)?(\d{8,10}|0x[0-9a-f]{1,8}|(0x[0-9a-f]{1,8}\.|0[0-7]{1,3}\.)(0x[0-9a-f]+|\d+)(\.(0x[0-9a-f]+|\d+)){0,2})([/?#:]|$)')

-- An archive or document of a stranger is encrypted: no scanner on the way could look into it.
-- weight 40
select distinct uid || '/' || trans_depth as mail, 'encrypted file' as reason, coalesce(within, name, '(no name)') as detail
from dangerous anti join acquainted a on a.mail = uid || '/' || trans_depth
where encrypted and declared not like '%pgp%' and declared not like '%pkcs7%' and extension is distinct from 'p7m'

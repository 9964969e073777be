-- The first mail of a sender brings a program, script, disk image, page, macros or a locked archive.
-- weight 20
select mail, 'first mail of this sender' as reason, from_address || ' brings: ' || string_agg(distinct coalesce(kind, 'encrypted file'), ', ' order by coalesce(kind, 'encrypted file')) as detail
from first_mails join dangerous d on d.uid || '/' || d.trans_depth = mail
where kind is not null or encrypted
group by mail, from_address

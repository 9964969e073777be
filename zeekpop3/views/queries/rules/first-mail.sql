-- The first mail of a sender brings a program, script, disk image, page, macros or a locked archive.
-- weight 20
with first as (
    select min_by(uid || '/' || trans_depth, (ts, uid, trans_depth)) as mail, from_address from emails
    where from_address is not null group by from_address
)
select mail, 'first mail of this sender' as reason, from_address || ' brings: ' || string_agg(distinct coalesce(kind, 'encrypted file'), ', ' order by coalesce(kind, 'encrypted file')) as detail
from first join dangerous d on d.uid || '/' || d.trans_depth = mail
where kind is not null or encrypted
group by mail, from_address

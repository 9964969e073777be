-- A reply comes under the name of somebody in its thread, from an address that is new there.
-- weight 50
select mail, 'name of somebody in the thread' as reason, before_address || ' used by ' || from_address as detail
from in_threads t anti join acquainted using (mail) anti join listed using (mail)
where from_address <> before_address and length(from_name) >= 4 and name_key(from_name) = name_key(before_name)
    and from_site is distinct from before_site and from_site not in (from own)
    and not exists (from in_threads o where o.mail = t.mail and o.before_address = t.from_address)
    and not exists (from addresses a where a.uid = before_uid and a.trans_depth = before_depth and a.address = t.from_address)

-- The display name is that of somebody at an own site, or shows such an address; the address is elsewhere, and new.
-- weight 50
select mail, 'display name of somebody here' as reason, belongs_to || ' used by ' || address as detail
from names_borrowed anti join acquainted using (mail) anti join listed using (mail)
where own

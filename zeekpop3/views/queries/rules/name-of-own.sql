-- The display name is that of somebody at an own site, or shows such an address; the address is elsewhere.
-- weight 50
select mail, 'display name of somebody here' as reason, belongs_to || ' used by ' || address as detail
from names_borrowed where own

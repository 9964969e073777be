-- The display name is known with an address at another site, or shows such an address.
-- weight 20
select mail, 'display name of another address' as reason, belongs_to || ' used by ' || address as detail
from names_borrowed where not own

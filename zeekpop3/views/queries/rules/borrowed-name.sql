-- A first mail under a display name that is known with an address at another site, or that shows such an address.
-- weight 20
select mail, 'display name of another address' as reason, belongs_to || ' used by ' || address as detail
from names_borrowed semi join first_mails using (mail) anti join bulk using (mail)
where not own and contains(trim(name), ' ')

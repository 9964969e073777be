-- A first mail shows a link only as a picture (QR code): the telephone that reads it has no filter.
-- weight 40
select distinct mail, 'link in a QR code' as reason, 'leads to ' || l.host as detail
from first_mails join links l on l.uid || '/' || l.trans_depth = mail join emails e on e.uid || '/' || e.trans_depth = mail
where l.origin = 'qr' and l.host is not null and l.site is distinct from e.from_site

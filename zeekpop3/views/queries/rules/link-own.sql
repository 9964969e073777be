-- The text of a link shows an own site, and the link leads elsewhere: to a copy of an own portal.
-- weight 45
select uid || '/' || trans_depth as mail, 'link shows an own site' as reason, text_site || ', leads to ' || host as detail
from links
where text_site in (from own) and origin = 'html' and host is not null and coalesce(site, host) not in (from own)

-- The text of a link shows another site than the one to which it leads.
-- weight 30
select uid || '/' || trans_depth as mail, 'link shows another site' as reason, text_site || ', leads to ' || host as detail
from links where text_site is not null and origin = 'html' and host is not null and text_site is distinct from site

-- A web page or SVG is attached: it opens in the browser, beyond the filters of links.
-- weight 25
select uid || '/' || trans_depth as mail, 'attached page' as reason, coalesce(name, '(no name)') || place as detail
from dangerous where kind = 'page'

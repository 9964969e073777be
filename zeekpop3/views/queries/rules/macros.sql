-- A document has macros, or an extension that allows them.
-- weight 40
select uid || '/' || trans_depth as mail, 'document with macros' as reason, coalesce(within, name) as detail
from dangerous where kind = 'document with macros'

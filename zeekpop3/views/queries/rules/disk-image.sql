-- A file is a disk image, which carries files past the mark of the web.
-- weight 40
select uid || '/' || trans_depth as mail, 'disk image' as reason,
    coalesce(name, '(no name)') || place as detail
from dangerous where kind = 'disk image'

-- A file is a script or a shortcut, also inside an archive.
-- weight 50
select uid || '/' || trans_depth as mail, kind as reason,
    coalesce(name, '(no name)') || place as detail
from dangerous where kind in ('script', 'shortcut')

-- A file is a program, by its content or its name, also inside an archive.
-- weight 50
select uid || '/' || trans_depth as mail, if(within is null, 'program', 'program in an archive') as reason,
    coalesce(name, '(no name)') || place as detail
from dangerous where kind = 'program'

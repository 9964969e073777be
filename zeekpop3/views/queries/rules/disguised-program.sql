-- A file is a program by its content, but its name says something else.
-- weight 80
select uid || '/' || trans_depth as mail, 'program with another name' as reason, coalesce(name, '(no name)') || place as detail
from dangerous
where kind = 'program' and regexp_matches(type, 'msdownload|dosexec|portable-executable|executable|elf|mach-binary|sharedlib')
    and coalesce(extension, '') not in ('exe', 'scr', 'com', 'pif', 'cpl', 'dll', 'msi', 'sys', 'ocx', 'bin', 'so', 'o', 'elf', '')

-- A OneNote notebook, which carries programs behind its pictures; hardly anybody mails one otherwise.
-- weight 40
select uid || '/' || trans_depth as mail, kind as reason, coalesce(name, '(no name)') || place as detail
from dangerous where kind = 'OneNote notebook'

-- A file name has the extension of a document before that of a program or page.
-- weight 60
select uid || '/' || trans_depth as mail, 'double extension' as reason, name || place as detail
from dangerous
where regexp_matches(name, '\.(pdf|docx?|xlsx?|pptx?|txt|rtf|csv|jpe?g|png|gif|mp[34]|zip)[\s_]*'
    || '\.(exe|scr|com|pif|bat|cmd|jse?|vb[es]|wsf|hta|lnk|ps1|jar|msi|cpl|iso|img|html?)[\s.]*$', 'i')

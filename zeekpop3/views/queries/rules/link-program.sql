-- A link leads to a program, a script, a shortcut or a disk image.
-- weight 30
select uid || '/' || trans_depth as mail, 'link to a program' as reason,
    host || '/…/' || regexp_extract(coalesce(target, url), '([^/?#]{1,100})(?:[?#]|$)', 1) as detail
from links
where origin <> 'shown' and regexp_matches(coalesce(target, url),
    '^[A-Za-z]+://[^/?#]+/[^?#]*[.](exe|scr|pif|msi|msix|jse|vbs|wsf|hta|lnk|bat|cmd|ps1|jar|apk|iso|img|vhd)(?:[?#]|$)', 'i')

-- A link opens a share (UNC, file) or a search of Windows: it sends the reader's password hash, or shows a foreign folder as an own one.
-- weight 60
select uid || '/' || trans_depth as mail, 'link to a share' as reason, url[:100] as detail
from links
where regexp_matches(url, '(?i)^(\\\\[^\\/]{3,}[\\/]|file:(//|\\\\)[^/\\]{3,}[/\\]|search-ms:|search:|ms-(?:search|msdt|officecmd|appinstaller|word|excel|powerpoint):)')
    and origin <> 'shown' and coalesce(site, '') not in (from own)

-- A file name holds a direction override or other invisible characters, which make it look like another name.
-- weight 80
select uid || '/' || trans_depth as mail, 'invisible characters in the name' as reason, name || place as detail
from dangerous
where regexp_matches(concat_ws(' ', name, filename_raw), '[\x{061C}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2069}\x{FEFF}\x{00AD}\x{E0000}-\x{E007F}]')

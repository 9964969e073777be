-- A file name holds a direction override or other invisible characters, which make it look like another name.
-- weight 80
select uid || '/' || trans_depth as mail, 'invisible characters in the name' as reason, shown || place as detail
from (select *, unnest([name, filename_raw]) as shown from dangerous)
where regexp_matches(shown, '[\x{061C}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2069}\x{FEFF}\x{00AD}\x{E0000}-\x{E007F}]')

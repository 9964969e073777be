-- The HTML of the mail itself asks for a password: what is typed there goes to whoever sent it.
-- weight 60
select uid || '/' || trans_depth as mail, 'form that asks for a password' as reason,
    'sent to ' || coalesce(host_of(nullif(regexp_extract(html, '<form[^>]*\saction\s*=\s*["'']?(https?://[^"''\s>]+)', 1, 'i'), '')),
        'an unknown host') as detail
from temp.emails  -- not materialized: HTML is long
where contains(lower(html), '<form') and regexp_matches(html, '<input[^>]*\stype\s*=\s*["'']?password', 'i')

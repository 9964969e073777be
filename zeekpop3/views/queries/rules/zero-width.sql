-- Invisible characters within words of the sender's name, the subject or the text: filters read other words than people do.
-- weight 45
select uid || '/' || trans_depth as mail, 'invisible characters in words' as reason, place as detail
from (
    select uid, trans_depth, unnest([{place: 'From', words: from_name}, {place: 'Subject', words: subject},
        {place: 'text', words: coalesce(text, html_text)[:20000]}], recursive := true)
    from temp.emails)
where strlen(words) > length(words) and regexp_matches(words, if(place = 'text', '[A-Za-z][\x{200B}\x{200C}\x{200D}\x{2060}-\x{2064}\x{FEFF}\x{180E}][a-z]',
    '[A-Za-z][\x{00AD}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2069}\x{FEFF}\x{180E}][A-Za-z]'))

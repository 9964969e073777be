-- The URL of a link has a host name before an @: the reader takes it for the host, and the browser for a user's name.
-- weight 40
select uid || '/' || trans_depth as mail, 'link with a false host' as reason,
    regexp_extract(url, '^[A-Za-z]+://([^/?#@]*)@', 1)[:100] || ', leads to ' || host as detail
from links
where contains(url, '@') and host is not null and regexp_matches(url, '^[A-Za-z]+://[^/?#@]*[.][A-Za-z]{2,}[^/?#@]*@')

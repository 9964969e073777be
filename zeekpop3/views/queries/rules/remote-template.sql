-- A document loads its template, with macros, from elsewhere when it is opened.
-- weight 60
select distinct l.uid || '/' || l.trans_depth as mail, 'remote template' as reason, coalesce(a.filename, '(no name)') || ', from ' || l.host as detail
from links l join attachments a on a.uid = l.uid and a.trans_depth = l.trans_depth and a.part = l.attachment
where l.origin = 'attachment' and l.host is not null and (
    regexp_matches(l.url, '(?i)^[a-z]+://[^?#]+[.](dot|dotm|dotx|xlt|xltm|xltx|pot|potm|potx)([?#]|$)')
    or exists (from members m where m.uid = l.uid and m.trans_depth = l.trans_depth and m.part = l.attachment
        and ends_with(lower(m.path), 'word/_rels/settings.xml.rels')))

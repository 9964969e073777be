-- A first mail with few words and no link brings a document that leads to another site than the sender's.
-- weight 40
select distinct mail, 'only a document with a link' as reason, coalesce(a.filename, '(no name)') || ', leads to ' || l.host as detail
from first_mails join temp.emails e on e.uid || '/' || e.trans_depth = mail
    join links l on l.uid = e.uid and l.trans_depth = e.trans_depth and l.origin in ('attachment', 'qr', 'inner') and l.host is not null
    join attachments a on a.uid = e.uid and a.trans_depth = e.trans_depth and a.part = l.attachment
where length(trim(coalesce(e.text, html_text, ''))) < 400 and l.scheme in ('http', 'https') and l.site is distinct from e.from_site
    and a.extension in ('pdf', 'doc', 'docx', 'xls', 'xlsx', 'ppt', 'pptx', 'rtf', 'odt', 'ods')
    and not exists (from links o where o.uid = e.uid and o.trans_depth = e.trans_depth and o.origin in ('text', 'html') and o.scheme in ('http', 'https'))
    and (select count(distinct site) from links o where o.uid = e.uid and o.trans_depth = e.trans_depth and o.attachment = l.attachment) <= 2

-- A message inside the mail, from another site than the mail and not from an own one, has a link or a file.
-- weight 20
with brought as (
    select uid, trans_depth, part, host as what from links where part <> '' and origin <> 'shown' and host is not null
    union all
    select uid, trans_depth, inside_part, coalesce(name, '(no name)') from dangerous
    where inside_part is not null and not regexp_matches(declared, '^(image|text|message|multipart)/')
)
select e.uid || '/' || e.trans_depth as mail, 'message inside' as reason,
    'from ' || coalesce(e.from_address, '(unknown)') || ', with ' || b.what as detail
from enclosed e join brought b using (uid, trans_depth, part) join emails m using (uid, trans_depth)
where coalesce(e.from_site, e.from_domain, '') not in (from own) and e.from_site is distinct from m.from_site

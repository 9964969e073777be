-- The display name of a stranger has the name of the own firm.
-- weight 40
select mail, 'name of the own firm' as reason, from_name || ', from ' || e.from_address as detail
from first_mails join emails e on e.uid || '/' || e.trans_depth = mail anti join listed using (mail)
where e.from_site not in (from own) and e.from_site not in (select site from look_alikes where own) and exists (
    from own where length(split_part(site, '.', 1)) >= 4
        and list_contains(string_split_regex(shape_of(e.from_name), '[^a-z0-9]+'), shape_of(split_part(site, '.', 1))))

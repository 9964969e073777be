-- An invitation names an own person, site or firm as its organizer, and comes from elsewhere.
-- weight 50
with event as (
    select uid || '/' || trans_depth as mail, from_address, from_site, unnest(invitation, recursive := true) from temp.emails where len(invitation) > 0
)
select e.mail, 'organizer with an own name' as reason, coalesce(organizer_name || ' ', '') || coalesce(organizer, '') || ', sent by ' || from_address as detail
from event e anti join acquainted a on a.mail = e.mail
where coalesce(method, 'REQUEST') in ('REQUEST', 'PUBLISH', 'ADD') and coalesce(from_site, '') not in (from own) and (
    site_of(split_part(organizer, '@', 2)) in (from own)
    or exists (from own where list_contains(string_split_regex(shape_of(organizer_name), '[^a-z0-9]+'), shape_of(split_part(site, '.', 1))))
    or exists (from addresses o where o.part = '' and o.site in (from own) and length(o.name) >= 4 and contains(o.name, ' ')
        and name_key(o.name) = name_key(organizer_name)))

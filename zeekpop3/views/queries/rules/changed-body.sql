-- The body differs from the one that the sender's site signed; not by a mailing list, or a gateway that changes many.
-- weight 45
select mail, 'changed body' as reason, 'signed by ' || array_to_string(changed_body_of, ', ') as detail
from verdicts_failed v anti join listed using (mail)
where len(changed_body_of) > 0 and list_contains(list_transform(changed_body_of, lambda d: site_of(d)), site_of(split_part(sender, '@', 2)))
    and (select count(*) filter (len(list_filter(dkim, lambda s: s.body = 'fail')) > 0) <= greatest(5, 0.2 * count(*))
         from temp.emails where len(list_filter(coalesce(dkim, []), lambda s: s.body is not null)) > 0)

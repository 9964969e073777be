-- The body differs from the one that was signed (mailing lists do that, too).
-- weight 10
select mail, 'changed body' as reason, 'signed by ' || array_to_string(changed_body_of, ', ') as detail
from verdicts_failed where len(changed_body_of) > 0

-- Replies to a mailing go to the service that sent it. It counts only beside another rule.
-- weight 5 beside others
select mail, 'replies go to the service of a mailing' as reason, array_to_string(reply_to, ', ') as detail
from reply_elsewhere where not to_recipient and (of_mailing or mail in (select mail from bulk))

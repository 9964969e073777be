-- Replies to a first mail go to another site than that of the sender, and not to the service that sends its mailing.
-- weight 15
select mail, 'replies go elsewhere' as reason, array_to_string(reply_to, ', ') as detail
from reply_elsewhere anti join listed using (mail)
where not to_recipient and not of_mailing

-- The first mail of a sender has a link. It counts only beside another rule.
-- weight 5 beside others
select mail, 'first mail of this sender, with a link' as reason, from_address as detail
from first_mails
    semi join (select distinct uid || '/' || trans_depth as mail from links) using (mail)

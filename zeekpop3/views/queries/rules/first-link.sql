-- The first mail of a sender has a link. It counts only beside another rule.
-- weight 5 beside others
select mail, 'first mail of this sender, with a link' as reason, from_address as detail
from (select min_by(uid || '/' || trans_depth, (ts, uid, trans_depth)) as mail, from_address from emails
      where from_address is not null group by from_address)
    semi join (select distinct uid || '/' || trans_depth as mail from links) using (mail)

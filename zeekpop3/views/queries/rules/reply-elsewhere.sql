-- Replies go to a site that is neither the sender's nor an own one, and to which they did not go before.
-- weight 15
select mail, 'replies go elsewhere' as reason, array_to_string(r.reply_to, ', ') as detail
from reply_elsewhere r join emails e on e.uid || '/' || e.trans_depth = mail
    anti join listed using (mail) anti join bulk using (mail)
where not to_recipient and not of_mailing and e.reply_to_site not in (from own) and not exists (
    from emails o where o.from_address = e.from_address and o.reply_to_site = e.reply_to_site and o.ts < e.ts - interval 1 hour)

-- Who sent the mails that were fetched: smtp.log joined by message id.
-- log smtp: ts time, uid, id_orig_h, mailfrom, msg_id
select s.ts as sent, s.id_orig_h as sent_by, s.mailfrom, e.ts as fetched, e.user as fetched_by,
    e.id_orig_h as fetched_at, e.subject, e.msg_id, s.uid as smtp_uid, e.uid as pop3_uid,
    e.trans_depth
from emails e join smtp s on trim(e.msg_id, '<> ') = trim(s.msg_id, '<> ')
where trim(e.msg_id, '<> ') <> '' and s.ts <= e.ts
order by fetched, pop3_uid, e.trans_depth, sent, smtp_uid

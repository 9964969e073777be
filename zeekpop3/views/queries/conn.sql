-- Mails with their connection in conn.log.
-- log conn: uid, duration, orig_bytes, resp_bytes, conn_state, history
select e.ts, e.uid, e.trans_depth, e.user, e.subject, e.size, e.complete, c.duration, c.orig_bytes,
    c.resp_bytes, c.conn_state, c.history
from emails e join conn c using (uid) order by e.ts, e.uid, e.trans_depth

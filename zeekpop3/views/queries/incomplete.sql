-- Incomplete mails and the reason, newest first.
with reasons as (select distinct * from ({reasons-incomplete}))
select e.ts, e.uid, e.trans_depth, e.user, e.subject, e.size, e.octets_declared, e.missing_bytes,
    r.reason, e.fidelity, e.defects
from emails e join reasons r using (uid, trans_depth)
where not e.complete
order by e.ts desc, e.uid, e.trans_depth

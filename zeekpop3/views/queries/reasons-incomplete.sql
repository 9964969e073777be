select e.uid, e.trans_depth,
    case when list_contains(e.defects, 'answer_missing') then 'the whole answer was lost in the capture'
         when e.trans_depth = l.last and s.closed = 'open' then 'the log ended first'
         when e.trans_depth = l.last and s.tls then 'encrypted from there on'
         when coalesce(e.missing_bytes, 1) > 0 then 'bytes were lost in the capture'
         else 'the end was not seen' end as reason
from emails e
    join (select uid, max(trans_depth) as last from emails group by uid) l using (uid)
    left join (select uid, any_value(closed) as closed, bool_or(tls) as tls from sessions group by uid) s
        using (uid)
where not e.complete

-- Suspicious mails, worst first, with a score (the sum of the rules' weights) and the reasons.
-- What is own, looks alike, or comes first depends on all mails; the rules look at those that are asked about.
with emails as materialized (from temp.emails), addresses as materialized (from temp.addresses),
    links as materialized (from temp.links), own_sites as materialized ({own-sites}), own as materialized ({own}),
    look_alikes as materialized ({look-alikes}), names_borrowed as materialized ({names-borrowed}), first_mails as materialized (
    -- The first mail of each sender.
    select min_by(uid || '/' || trans_depth, (ts, uid, trans_depth)) as mail, from_address
    from emails where from_address is not null group by from_address
), {known-senders}, in_threads as materialized ({threads})
from (
with {judged} dangerous as materialized ({dangerous}), verdicts_failed as materialized ({verdicts-failed}),
    reply_elsewhere as materialized ({reply-elsewhere}), flagged as (
{rules}
), reason as (
    -- Each rule counts once in a mail, with the first details of each of its reasons.
    select mail, rule, any_value(weight) as weight, bool_or(alone) as alone, reason,
        list_sort(list(distinct detail)) as details, row_number() over (partition by mail, rule order by reason) as number
    from flagged where mail is not null group by mail, rule, reason
), summary as (
    select mail, sum(weight) filter (number = 1)::int as score,
        list(reason || ': ' || array_to_string(details[:3], '; ') || if(len(details) > 3, '; …', '')
            order by weight desc, rule, reason) as reasons
    from reason group by mail having bool_or(alone)
)
select e.ts, s.mail, e.user as user, e.from_address as sender, e.subject, s.score,
    case when s.score >= 80 then 'high' when s.score >= 40 then 'medium' else 'low' end as severity, s.reasons
from summary s join emails e on s.mail = e.uid || '/' || e.trans_depth
)
order by score desc, ts desc, mail

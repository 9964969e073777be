-- Replies, each with the mails before it: by the ids that they name, else by the subject, in the same mailbox.
with mail as (
    select uid || '/' || trans_depth as mail, uid, trans_depth, ts, trim(msg_id, '<> ') as id,
        coalesce(lower("user"), id_orig_h) as recipient, from_address, from_name, from_site, reply_to_site,
        trim(thread_id, '<> ') as thread, trim(in_reply_to, '<> ') as parent,
        regexp_replace(lower(subject), '^((re|aw|sv|antw|fwd?|wg|tr|rif|odp)(\[\d+\])?\s*:\s*)+', '') as topic,
        regexp_matches(subject, '^(re|aw|sv|antw|fwd?|wg|tr|rif|odp)(\[\d+\])?\s*:', 'i') as answers
    from emails where from_address is not null and command <> 'TOP'
), key as (
    select mail, ts, answers, unnest(list_distinct(list_filter([id, thread, parent], lambda k: k <> ''))) as key from mail
    union all
    select mail, ts, answers, recipient || chr(10) || topic from mail where length(topic) >= 8
), earlier as (
    -- Of a long conversation the beginning is enough.
    select * from key semi join (select key from key where answers) using (key)
    qualify row_number() over (partition by key order by ts, mail) <= 50
), pair as (
    select distinct key.mail, earlier.mail as before from key join earlier using (key)
    where key.answers and earlier.ts < key.ts
)
select m.*, b.uid as before_uid, b.trans_depth as before_depth, b.from_address as before_address, b.from_name as before_name, b.from_site as before_site
from pair p join mail m using (mail) join mail b on b.mail = p.before

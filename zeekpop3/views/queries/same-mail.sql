-- The same mail more than once: one Message-ID at several recipients, or one body under several Message-IDs.
with mail as (
    select uid, trans_depth, coalesce(lower("user"), id_orig_h) as recipient, nullif(trim(msg_id, '<> '), '') as id,
        coalesce(nullif(trim(text), ''), html_text, html) as words,
        replace(replace(replace(words, ' ', ''), chr(13), ''), chr(10), '') as body
    from emails where command = 'RETR'
), copy as (
    select 'Message-ID' as same, id as key, recipient as other, uid, trans_depth
    from mail where id is not null
    union all
    select 'body', md5(body), coalesce(id, uid || trans_depth), uid, trans_depth
    from mail where length(body) >= 40
), repeated as (
    select same, key from copy group by same, key having min(other) <> max(other)
)
select c.same, count(*) as mails, list_sort(list(distinct coalesce(lower(e.user), e.id_orig_h))) as recipients,
    min(e.ts) as first, max(e.ts) as last, arg_min(e.from_address, e.ts) as sender,
    arg_min(e.subject, e.ts) as subject, list_sort(list(distinct c.uid || '/' || c.trans_depth)) as "all"
from repeated r join copy c using (same, key) join emails e using (uid, trans_depth)
group by c.same, c.key
order by mails desc, first, c.same

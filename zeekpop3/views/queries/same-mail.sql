-- The same mail more than once: one Message-ID at several recipients, or one body under several Message-IDs.
with mail as (
    select *, coalesce("user", id_orig_h) as recipient, nullif(trim(msg_id, '<> '), '') as id,
        regexp_replace(coalesce(nullif(trim(text), ''), html_text, html), '\s+', ' ', 'g') as body
    from emails where command = 'RETR'
), copies as (
    select 'Message-ID' as same, id as key, * from mail where id is not null
    union all
    select 'body', md5(body), * from mail where length(body) >= 40
)
select same, count(*) as mails, list_sort(list(distinct recipient)) as recipients,
    min(ts) as first, max(ts) as last,
    arg_min(from_address, ts) as sender, arg_min(subject, ts) as subject,
    list_sort(list(distinct uid || '/' || trans_depth)) as "all"
from copies
group by same, key
having case same when 'body' then count(distinct coalesce(id, uid || trans_depth)) > 1
    else count(distinct recipient) > 1 end
order by mails desc, first, same

-- Sites of senders, replies and links that look like an own site, or like one of the hundred that send most.
with place as (
    -- rank: how far down its mail a site stands; of all mails, the first sites are compared first.
    select site, domain as host, if(field = 'reply_to', 'Reply-To', 'From') as place, uid, trans_depth,
        ts, position as rank
    from addresses where field in ('from', 'sender', 'reply_to') and site is not null
    union all
    select site, host, 'link', uid, trans_depth, ts, 1000 + position from links where site is not null
), own as ({own}), seen as (
    select site, list_sort(list(distinct place)) as places, count(distinct (uid, trans_depth)) as mails,
        min(ts) as first, arg_min(uid || '/' || trans_depth, (ts, uid, trans_depth)) as mail,
        min(rank) as rank, max(ts) as last
    from place group by site
    order by rank, last desc, site limit 10000
), named as (
    -- The labels of a site's hosts, without the suffix.
    select site, string_agg(names, '.' order by names)[:1000] as names
    from (select distinct site, host[1:length(host) - length(site) + instr(site, '.') - 1] as names
          from (select distinct site, host from place))
    group by site
), plain as (
    select *, split_part(site, '.', 1) as label, shape_of(label) as shape, translate(label, '0123456789', '') as unnumbered,
        string_split_regex(shape_of(names), '[.-]') as words, string_split(shape, '-') as label_words
    from seen join named using (site)
), known as (
    select *, site in (from own) as is_own from (
        select site, max(mails) as mails, min(first) as first from (
            select site, mails, first from seen where list_contains(places, 'From')
            union all select site, 0, null from own)
        group by site)
    qualify is_own or row_number() over (order by is_own, mails desc, site) <= 100
), original as (
    select *, split_part(site, '.', 1) as label, shape_of(label) as shape, translate(label, '0123456789', '') as unnumbered
    from known
), pair as (
    select p.*, k.site as similar_to, k.is_own,
        -- mail1.example and mail2.example differ as numbers do.
        p.unnumbered = k.unnumbered and p.unnumbered <> p.label and k.unnumbered <> k.label as numbered, case
        when p.label = k.label and length(k.label) >= 4 then 'same name, other suffix'
        when p.shape = k.shape and length(k.label) >= 4 then 'same letters to the eye'
        when length(k.shape) >= if(k.is_own, 5, 6) and (k.is_own or k.mails >= 3) and not numbered and abs(length(p.shape) - length(k.shape)) <= 1 and damerau_levenshtein(p.shape, k.shape) = 1
            then 'one letter differs'
        when k.is_own and length(k.shape) between 4 and 6 and abs(length(p.shape) - length(k.shape)) <= 2 and damerau_levenshtein(p.shape, k.shape) <= 2
            and list_sort(list_distinct(string_split(p.shape, ''))) = list_sort(list_distinct(string_split(k.shape, '')))
            then 'same letters in another order'
        when length(k.label) >= if(k.is_own, 4, 6) and list_contains(p.label_words, k.shape) then 'contains the name'
        when k.is_own and length(k.label) >= 4 and list_contains(p.words, k.shape) then 'a host has the name as a label'
        end as reason
    from plain p join original k on p.site <> k.site and (k.is_own or k.first < p.first)  -- who came first is the original
   
    where p.site not in (from own)
)
select site, reason, similar_to, is_own as own, places, mails, first, mail,
    nullif(ascii_host(site), site) as ascii
from pair where reason is not null
qualify row_number() over (partition by site order by is_own desc, reason desc, similar_to) = 1
order by first desc, site

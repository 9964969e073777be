-- Waves: mails to several users that share sender and subject, link template, attachment or nearly the text; suspicious ones first.
-- also http: ts time, id_orig_h, host, uri
-- also ssl: ts time, id_orig_h, server_name
-- also dns: ts time, id_orig_h, query
with clicked as ({opened-links}), suspect as ({suspicious}), mail as materialized (
    select row_number() over (order by ts, uid, trans_depth) as number, uid, trans_depth, ts,
        coalesce(mailbox_of("user", id_resp_h), id_orig_h) as recipient, from_address, coalesce(from_site, from_domain, from_address) as site, subject,
        -- What the receiving server says of the sender: the address alone accuses nobody.
        auth_dmarc = 'fail' or auth_dmarc is distinct from 'pass' and auth_dkim is distinct from 'pass'
            and auth_spf in ('fail', 'softfail', 'hardfail') as forged,
        auth_dmarc = 'pass' as confirmed, if(reply_to_site <> from_site, reply_to_address, null) as replies_to,
        lower(coalesce(split_part("user", '@', 1), '')) as name, coalesce(nullif(trim(text), ''), html_text) as words
    from emails where command <> 'TOP'
), templated as materialized (
    -- What differs from user to user goes: numbers, tokens, addresses, the user's own name.
    select *, trim(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
            if(length(name) >= 3, replace(lower(subject), name, '#'), lower(subject)),
            '^((re|aw|fwd?|wg|tr|sv)\s*:\s*)+', ''),
            '[^\s@<>]+@[^\s@<>]+', '#', 'g'), '\S*\d\S*', '#', 'g'), '\s+', ' ', 'g')) as template
    from mail
), template as (
    select uid, trans_depth, site as link_site, host || regexp_replace(regexp_replace(
            regexp_replace(path_of(coalesce(target, url)), '=[^&#]*', '=*', 'g'),
            '/[^/?]*\d[^/?]*', '/*', 'g'), '/[A-Za-z_-]{20,}', '/*', 'g') as form
    from links where host <> '' and origin <> 'shown'
), sentence as (
    -- Lines and sentences without an address or a URL, without digits and blanks, without the user's name.
    select number, unnest(list_distinct(list_filter(
            string_split(list_reduce(string_split(chr(9) || ' 0123456789', ''), lambda rest, one: replace(rest, one, ''), lines), chr(10)),
            lambda line: length(line) >= 12 and not contains(line, '@') and not contains(line, '://')))) as text
    from (
        -- replace() for each character costs a third of one translate().
        select number, list_reduce(['.', '!', '?', chr(13)], lambda rest, one: replace(rest, one, chr(10)),
                if(length(name) >= 3, replace(lower(words[:4000]), name, ''), lower(words[:4000]))) as lines
        from mail where length(words) >= 40)
), least as (
    -- Nine least hashes (minhash): texts that share most sentences agree in three of them in a row.
    select number, hash(min(h), min(hash(h, 1)), min(hash(h, 2))) as band_1,
        hash(min(hash(h, 3)), min(hash(h, 4)), min(hash(h, 5))) as band_2,
        hash(min(hash(h, 6)), min(hash(h, 7)), min(hash(h, 8))) as band_3
    from (select number, hash(text) as h, length(text) as length from sentence)
    group by number having sum(length) >= 60
), band as (
    select number, unnest(['1:' || band_1, '2:' || band_2, '3:' || band_3]) as key from least
), keyed as (
    select number, 'subject and sender' as why, 's' || template || chr(10) || site as key from templated where length(template) >= 4
    union all
    select t.number, 'subject and link', 'S' || t.template || chr(10) || l.link_site
    from templated t join (select distinct uid, trans_depth, link_site from template) l using (uid, trans_depth)
    where length(t.template) >= 4 and l.link_site is not null
    union all
    select t.number, 'link template', 'l' || l.form || chr(10) || t.site
    from templated t join (select distinct uid, trans_depth, form from template where contains(form, '*')) l using (uid, trans_depth)
    union all
    select t.number, 'attachment', 'a' || a.sha256
    from templated t join attachments a using (uid, trans_depth)
    where a.size > 0 and a.sha256 is not null and coalesce(a.mime_type, lower(a.content_type), '') not like 'image/%'
    union all
    select number, 'text', 't' || key from band
), edge as (
    -- Only keys that several users share connect mails.
    select number, why, key from keyed
        semi join (select key from keyed join mail using (number) group by key having count(distinct recipient) > 1) using (key)
), label_0 as (
    select number, key, why, number as label from edge
), label_1 as (
    select number, key, why, min(label) over (partition by number) as label
    from (select number, key, why, min(label) over (partition by key) as label from label_0)
), label_2 as (
    select number, key, why, min(label) over (partition by number) as label
    from (select number, key, why, min(label) over (partition by key) as label from label_1)
), label_3 as (
    select number, key, why, min(label) over (partition by number) as label
    from (select number, key, why, min(label) over (partition by key) as label from label_2)
), member as (
    select number, any_value(label) as label, list(distinct why) as why from label_3 group by number
), wave as (
    -- A visit of a host, without the path of the link, does not prove a click: it may have another cause.
    select label, t.*, m.why, coalesce(s.score, 0) as score,
        coalesce(bool_or(c.exact) over who, false) as clicked, coalesce(not bool_or(c.exact) over who, false) as visited
    from member m join templated t using (number)
        left join (select mail, bool_or(match = 'URL') as exact from clicked group by mail) c on c.mail = t.uid || '/' || t.trans_depth
        left join suspect s on s.mail = t.uid || '/' || t.trans_depth
    window who as (partition by label, recipient)
)
from (
select min(ts) as first, max(ts) as last,
    -- That of its worst mail; of a wave with few serious ones, the usual one.
    if(3 * count(*) filter (wave.score >= 40) >= count(*), max(wave.score), median(wave.score)::int) as score, count(*) as mails, count(distinct recipient) as users,
    list_sort(list(distinct recipient))[:20] as reached,
    list_sort(coalesce(list(distinct recipient) filter (clicked), []))[:20] as clicked,
    list_sort(coalesce(list(distinct recipient) filter (visited), []))[:20] as visited_host,
    arg_min(from_address, ts) as sender, count(distinct from_address) as senders, arg_min(subject, ts) as subject,
    list_sort(list_distinct(flatten(list(why)))) as shared, arg_min(uid || '/' || trans_depth, ts) as mail,
    list(uid || '/' || trans_depth order by ts)[:50] as "all", coalesce(bool_or(forged), false) as forged,
    coalesce(bool_and(confirmed), false) as confirmed, list_sort(coalesce(list(distinct replies_to) filter (replies_to is not null), []))[:5] as replies_to
from wave
group by label having count(distinct recipient) > 1
)
order by score >= 40 desc, users desc, mails desc, first, mail

with fetched as (
    -- sizes: what the server declared and what was seen; both are unknown for a mail that is not whole.
    select uid, msg_num, coalesce(mailbox_of("user", id_resp_h), '') as owner, coalesce(id_resp_h, '') as server, uidl,
        list_distinct(list_filter([octets_declared, if(complete, size, null)], lambda n: n is not null)) as sizes
    from emails where command = 'RETR'
), listed as (
    select ts, uid, coalesce(mailbox_of("user", id_resp_h), '') as owner, coalesce(id_resp_h, '') as server,
        unnest(messages, recursive := true)
    from listings
), gone as (
    select distinct uid, try_cast(argument as bigint) as msg_num
    from commands where command = 'DELE' and status = 'OK'
), listed_once as (
    -- A message is known by its unique id; without one only by its number and size, as long as these stay.
    select l.owner, l.server, l.uidl, if(l.uidl is null, l.msg_num, null) as number, if(l.uidl is null, l.octets, null) as same_size,
        min(l.ts) as first_listed, max(l.ts) as last_listed, arg_max(l.octets, l.ts) as octets,
        arg_max(l.msg_num, l.ts) as msg_num, count(g.uid) > 0 as deleted, count(f.uid) > 0 as fetched_there
    from listed l left join gone g using (uid, msg_num)
        left join (select distinct uid, msg_num from fetched) f on f.uid = l.uid and f.msg_num = l.msg_num
    group by l.owner, l.server, l.uidl, number, same_size
), by_id as (
    select distinct owner, server, uidl, true as found from fetched where uidl is not null
), by_size as (
    -- Fetches by size; `without_id`: one of them has no unique id, so that it may be a message with any.
    select owner, server, unnest(sizes) as octets, list(distinct msg_num) as numbers, bool_or(uidl is null) as without_id,
        list(distinct msg_num) filter (uidl is null) as numbers_without_id
    from fetched group by owner, server, octets
), unsized as (
    select owner, server, bool_or(uidl is null) as without_id, true as found
    from fetched where len(sizes) = 0 group by owner, server
), message as (
    select l.*, case
        when fetched_there or i.found then 'fetched'
        when list_contains(if(l.uidl is null, s.numbers, s.numbers_without_id), l.msg_num) then 'fetched'
        when l.octets is null and l.uidl is null then 'cannot tell'
        when s.octets is not null and (l.uidl is null or s.without_id) then 'cannot tell'
        when u.found and (l.uidl is null or u.without_id) then 'cannot tell'
        else 'unfetched' end as state
    from listed_once l left join by_id i using (owner, server, uidl)
        left join by_size s using (owner, server, octets)
        left join unsized u using (owner, server)
)

-- Which names open which mailbox, at which server; names are joined by proof only, and each join says its proof.
with recursive named as (
    select lower(s.user) as "user", coalesce(id_resp_h, '') as server, count(*) as sessions
    from sessions s where s.user is not null and auth_result = 'success' group by all
    union all
    select lower(e.user), coalesce(id_resp_h, ''), 0 from emails e where e.user is not null group by all
), name as (
    select n.user as "user", server, sum(sessions) as sessions, split_part(n.user, '@', 1) as local, nullif(split_part(n.user, '@', 2), '') as host
    from named n group by all
), listed as (
    select distinct lower(l.user) as "user", coalesce(id_resp_h, '') as server, messages from listings l where l.user is not null
), message as (
    -- Each message of a name by its unique id, with its sizes: that in a list may differ from that of the transfer.
    select m.user as "user", server, uidl, list(distinct octets) as sizes
    from (select l.user as "user", server, unnest(messages, recursive := true) from listed l
        union all
        select lower(e.user), coalesce(id_resp_h, ''), msg_num, unnest([octets_declared, if(complete and command = 'RETR', size, null)]), uidl
        from emails e where e.user is not null) m
    where uidl is not null and octets is not null
    group by all
), shared as (
    -- Ids that more names have are counters, which every mailbox has.
    select * from message semi join (select uidl from message group by uidl having count(*) between 2 and 8) using (uidl)
), pair as (
    select a.user as "user", a.server, b.user as other, b.server as other_server, count(*) as messages
    from shared a join shared b using (uidl)
        join (select m.user as "user", server, count(*) as messages from message m group by all) na on na.user = a.user and na.server = a.server
        join (select m.user as "user", server, count(*) as messages from message m group by all) nb on nb.user = b.user and nb.server = b.server
    where (a.user, a.server) < (b.user, b.server)
        and (a.server = b.server or split_part(a.user, '@', 1) = split_part(b.user, '@', 1))
    group by all
    -- Mails to several people may have one id where ids are hashes: most of the smaller mailbox must be shared.
    having count(*) >= 3 and bool_and(list_has_any(a.sizes, b.sizes)) and count(distinct a.sizes[1]) >= 3
        and 2 * count(*) >= least(any_value(na.messages), any_value(nb.messages))
), edge as (
    select p.*, messages || ' messages with the same ids and sizes' as proof from pair p
    union all
    select a.user, a.server, b.user, b.server, null, 'the same name, with and without ' || b.host
    from name a join name b on a.host is null and a.local = b.local and a.server = b.server and site_of(b.host) in ({own})
    union all
    select a.user, a.server, b.user, b.server, null, 'the same name; the servers share mailboxes'
    from name a join name b on a.user = b.user and a.server < b.server
        semi join (select distinct server, other_server from pair where server <> other_server) p
            on least(p.server, other_server) = a.server and greatest(p.server, other_server) = b.server
    union all
    -- A name whose password opened one mailbox, and none of its own.
    select s.authenticated_as, s.server, any_value(s.user), s.server, null, 'its password opened the mailbox'
    from (select lower(authenticated_as) as authenticated_as, coalesce(id_resp_h, '') as server, lower(s.user) as "user" from sessions s
        where s.user is not null and auth_result = 'success' and authenticated_as is not null) s
        anti join name n on n.user = s.authenticated_as and n.server = s.server
    group by all having count(distinct s.user) = 1
), link as (
    select "user", server, other, other_server, proof from edge
    union
    select other, other_server, "user", server, proof from edge
), reach as (
    select distinct "user", server, "user" as other, server as other_server from link
    union
    select r.user, r.server, l.other, l.other_server from reach r join link l on l.user = r.other and l.server = r.other_server
), joined as (
    select r.user as "user", r.server, min((r.other, r.other_server)) as component,
        arg_max((r.other, r.other_server), (coalesce(n.sessions, 0), length(r.other), r.other)) as known_as
    from reach r left join name n on n.user = r.other and n.server = r.other_server group by all
), every as (
    select "user", server from name union select "user", server from link
)
select e.user as "user", e.server, if(count(distinct coalesce(j.component, (e.user, e.server))) over (partition by coalesce(j.known_as[1], e.user)) > 1,
        coalesce(j.known_as[1], e.user) || ' at ' || coalesce(j.known_as[2], e.server), coalesce(j.known_as[1], e.user)) as mailbox,
    p.proof
from every e left join joined j on j.user = e.user and j.server = e.server
    left join (select l.user as "user", server, string_agg(distinct proof || ' (' || other || ')', '; ' order by proof || ' (' || other || ')') as proof
        from link l group by all) p on p.user = e.user and p.server = e.server
order by mailbox, e.user, e.server

-- TLS (STLS) that a server offers but a client does not use, or that it offers to some clients only.
with offer as (
    select id_resp_h as server, id_resp_p as port, id_orig_h as client, ts, tls, auth_result,
        coalesce(tls or starttls_offered,
            if(len(capabilities) > 0, list_contains(capabilities, 'STLS'), null)) as offered
    from sessions where id_resp_h is not null
), client as (
    select server, port, client, count(*) as connections, count(*) filter (offered) as offered,
        count(*) filter (tls) as used, count(*) filter (not offered) as denied,
        count(*) filter (offered and not tls and auth_result is not null) as unused,
        min(ts) as first, max(ts) as last
    from offer group by all
)
select server, port, client, case
        when unused > 0 then 'offered, not used' else 'not offered, but to others' end as finding,
    connections, offered, used, denied as not_offered, first, last
from client c
where unused > 0
    or denied > 0 and exists (from client o where o.server = c.server and o.port = c.port and o.offered > 0)
order by server, port, finding, client

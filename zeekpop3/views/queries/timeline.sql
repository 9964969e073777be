-- What a user, a client or a mail did, in order: sessions, refusals, mails, deletions, hits, clicks.
-- also http: ts time, id_orig_h, host, uri
-- also ssl: ts time, id_orig_h, server_name
-- also dns: ts time, id_orig_h, query
with chosen as (
    select * from emails e where {mails}
), visit as (
    select *, id_orig_h as client, id_resp_h as server from sessions s where {sessions}
), suspect as (
    select mail, score, severity, reasons from ({suspicious})
), event as (
    select ts, 1 as rank, if(auth_result = 'success', 'login', 'session') as event, v.user as user, client, server, null as mail,
        case when auth_result = 'success' then 'logged in with ' || auth_mechanism
                || if(tls, ', after a switch to TLS', ', in clear text')
            when tls then 'switched to TLS; what follows is encrypted'
            else 'no login was seen' end as what, null::int as score, null::varchar as severity, null::varchar[] as reasons
    from visit v where auth_result = 'success' or tls or coalesce(logins_failed, 0) = 0
    union all
    select ts, 0, 'refused', array_to_string(users_refused, ', '), client, server, null,
        logins_failed || if(logins_failed = 1, ' login was refused', ' logins were refused'), null, null, null
    from visit where logins_failed > 0
    union all
    select ts, 2, if(command = 'TOP', 'preview', 'mail'), c.user, id_orig_h, id_resp_h, uid || '/' || trans_depth,
        coalesce(subject, '(no subject)') || ', from ' || coalesce(from_address, from_name, '(unknown)')
            || if(len(attachments) > 0, ', with ' || array_to_string(list_transform(attachments[:5],
                lambda a: coalesce(a.filename, '(no name)')), ', '), '')
            || if(complete or command = 'TOP', '', ' (incomplete)'), x.score, x.severity, x.reasons
    from chosen c left join suspect x on x.mail = c.uid || '/' || c.trans_depth
    union all
    select d.ts, 3, 'deleted', d.user, d.client, d.server, d.mail,
        'message ' || msg_num || coalesce(': ' || subject, '') || if(final, '', ' (without QUIT: not final)'), null, null, null
    from ({deleted}) d where {deletions}
    union all
    select c.ts, 4, 'hit', c.user, id_orig_h, id_resp_h, c.uid || '/' || c.trans_depth,
        h.indicator || ' in ' || h.field, null, null, null
    from hits h join chosen c using (uid, trans_depth)
    union all
    select opened, 5, 'click', o.user, o.client, null, o.mail, o.url || ' (' || o.match || ')', null, null, null
    from (with emails as (from chosen) from ({opened-links})) o
)
select ts, event, "user", client, server, mail, what, score, severity, reasons
from event order by ts, rank, mail, what

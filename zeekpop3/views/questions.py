"""The ready queries: name, description, the Zeek logs that each needs, and the SQL."""

from __future__ import annotations

from typing import NamedTuple


class Question(NamedTuple):
    """A ready query over the tables' views and the views of the Zeek logs in `logs`."""

    description: str
    sql: str
    logs: tuple[str, ...] = ()


EXPOSED = {
    "USER": "password",
    "PLAIN": "password",
    "LOGIN": "password",
    "XOAUTH2": "token",
    "OAUTHBEARER": "token",
    "APOP": "digest",
    "CRAM-MD5": "digest",
    "DIGEST-MD5": "digest",
    "NTLM": "digest",
}
"""What a login mechanism shows to whoever reads the connection; other mechanisms show at most the name."""

_EXPOSED_SQL = " ".join(f"when '{mechanism}' then '{what}'" for mechanism, what in EXPOSED.items())

INCOMPLETE = """
    select e.uid, e.trans_depth,
        case when e.trans_depth = l.last and s.closed = 'open' then 'the log ended first'
             when e.trans_depth = l.last and s.tls then 'encrypted from there on'
             when coalesce(e.missing_bytes, 1) > 0 then 'bytes were lost in the capture'
             else 'the end was not seen' end as reason
    from emails e
        join (select uid, max(trans_depth) as last from emails group by uid) l using (uid)
        left join (select uid, any_value(closed) as closed, bool_or(tls) as tls from sessions group by uid) s
            using (uid)
    where not e.complete
"""
"""The key of each incomplete mail and the reason. The end of a log, or TLS, explains only a connection's
last mail; what is missing from an earlier one was lost in the capture."""


QUESTIONS: dict[str, Question] = {
    "attachment-hashes": Question(
        "Who fetched which attachment: one row per content and user, most recipients first.",
        """
        with fetched as (
            select a.sha256, a.filename, coalesce(a.mime_type, a.content_type) as type, a.size, a.ts,
                e.user as user_, e.id_orig_h
            from attachments a join emails e using (uid, trans_depth)
            where a.sha256 is not null
        ), spread as (
            select sha256, count(distinct coalesce(user_, id_orig_h)) as users from fetched group by sha256
        )
        select sha256, arg_min(filename, ts) as filename, arg_min(type, ts) as type, any_value(size) as size,
            any_value(users) as users, user_ as user, count(*) as times, min(ts) as first, max(ts) as last
        from fetched join spread using (sha256)
        group by sha256, user_ order by users desc, sha256, first, user_
        """,
    ),
    "clear-text-logins": Question(
        "Logins without encryption: what was exposed, from where; digests can be attacked offline.",
        f"""
        select s.user as user, s.auth_mechanism as mechanism,
            case s.auth_mechanism {_EXPOSED_SQL} else 'name' end as exposed,
            s.id_resp_h as server, list_sort(list(distinct s.id_orig_h)) as clients,
            count(*) filter (s.auth_result = 'success') as logins, sum(s.logins_failed)::bigint as failed,
            min(s.ts) as first, max(s.ts) as last
        from sessions s
        where s.user is not null
        group by s.user, s.auth_mechanism, s.id_resp_h order by s.user, mechanism, server
        """,
    ),
    "conn": Question(
        "Mails with their connection in conn.log (--log conn=conn.log).",
        """
        select e.ts, e.uid, e.trans_depth, e.user, e.subject, e.size, e.complete, c.duration, c.orig_bytes,
            c.resp_bytes, c.conn_state, c.history
        from emails e join conn c using (uid) order by e.ts, e.uid, e.trans_depth
        """,
        ("conn",),
    ),
    "smtp": Question(
        "Who sent the mails that were fetched: smtp.log joined by message id (--log smtp=smtp.log).",
        """
        select s.ts as sent, s.id_orig_h as sent_by, s.mailfrom, e.ts as fetched, e.user as fetched_by,
            e.id_orig_h as fetched_at, e.subject, e.msg_id, s.uid as smtp_uid, e.uid as pop3_uid,
            e.trans_depth
        from emails e join smtp s on trim(e.msg_id, '<> ') = trim(s.msg_id, '<> ')
        where trim(e.msg_id, '<> ') <> '' and s.ts <= e.ts
        order by fetched, pop3_uid, e.trans_depth, sent, smtp_uid
        """,
        ("smtp",),
    ),
    "top-senders": Question(
        "The ten senders with the most mails of each day.",
        """
        with per_day as (
            select e.day, e."from" as sender, count(*) as mails, sum(e.size)::bigint as bytes,
                count(distinct e.user) as users
            from emails e where e.command = 'RETR' group by e.day, e."from"
        )
        select * from per_day
        qualify row_number() over (partition by day order by mails desc, bytes desc, sender) <= 10
        order by day desc, mails desc, bytes desc, sender
        """,
    ),
    "incomplete": Question(
        "Incomplete mails and the reason, newest first.",
        f"""
        with reasons as (select distinct * from ({INCOMPLETE}))
        select e.ts, e.uid, e.trans_depth, e.user, e.subject, e.size, e.octets_declared, e.missing_bytes,
            r.reason, e.fidelity, e.defects
        from emails e join reasons r using (uid, trans_depth)
        where not e.complete order by e.ts desc, e.uid, e.trans_depth
        """,
    ),
}

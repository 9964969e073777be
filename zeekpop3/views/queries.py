"""The ready questions: name, what it answers, which of Zeek's logs it needs besides, and the SQL."""

from __future__ import annotations

from typing import NamedTuple


class Question(NamedTuple):
    """A ready query over the views emails, attachments, sessions, commands, and the `logs` it names."""

    description: str
    sql: str
    logs: tuple[str, ...] = ()


QUESTIONS: dict[str, Question] = {
    "attachment-hashes": Question(
        "Who fetched which attachment: a row per content and user, most spread first.",
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
        "Logins that crossed the wire readable, by user: what was exposed, how often, from where, to where.",
        """
        select s.user as user, s.auth_mechanism as mechanism,
            case when s.auth_mechanism in ('USER', 'PLAIN', 'LOGIN') then 'password' else 'name' end
                as exposed,
            s.id_resp_h as server, list_sort(list(distinct s.id_orig_h)) as clients,
            count(*) filter (s.auth_result = 'success') as logins, sum(s.logins_failed)::bigint as failed,
            min(s.ts) as first, max(s.ts) as last
        from sessions s
        where s.user is not null
        group by s.user, s.auth_mechanism, s.id_resp_h order by s.user, mechanism, server
        """,
    ),
    "conn": Question(
        "Mails and the connection they came over, as conn.log has it (--log conn=conn.log).",
        """
        select e.ts, e.uid, e.trans_depth, e.user, e.subject, e.size, e.complete, c.duration, c.orig_bytes,
            c.resp_bytes, c.conn_state, c.history
        from emails e join conn c using (uid) order by e.ts, e.uid, e.trans_depth
        """,
        ("conn",),
    ),
    "smtp": Question(
        "Who sent what was later fetched: smtp.log by message id (--log smtp=smtp.log).",
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
        "The ten senders with the most mails, for each day.",
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
        "Mails that are not whole, and what is known of the reason.",
        """
        select e.ts, e.uid, e.trans_depth, e.user, e.subject, e.size, e.octets_declared, e.missing_bytes,
            case when s.closed = 'open' then 'the log ended first'
                 when s.tls then 'encrypted from here on'
                 when coalesce(e.missing_bytes, 1) > 0 then 'lost in the capture'
                 else 'the end was not seen' end as reason,
            e.fidelity, e.defects
        from emails e left join sessions s using (uid)
        where not e.complete order by e.ts desc, e.uid, e.trans_depth
        """,
    ),
}

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
            select a.sha256, a.filename, a.mime_type, a.content_type, a.size, a.ts, e.user, e.id_orig_h
            from attachments a join emails e using (uid, trans_depth)
            where a.sha256 is not null
        )
        select sha256, any_value(filename order by ts) as filename,
            any_value(coalesce(mime_type, content_type) order by ts) as type, any_value(size) as size, user,
            count(*) as times, min(ts) as first, max(ts) as last, (select count(distinct coalesce(o.user,
            o.id_orig_h)) from fetched o where o.sha256 = fetched.sha256)
                as users
        from fetched group by sha256, user order by users desc, sha256, first, user
        """,
    ),
    "clear-text-logins": Question(
        "Users whose password or name crossed the wire readable: mechanism, how often, from where.",
        """
        select user, auth_mechanism, id_resp_h as server, list_sort(list(distinct id_orig_h)) as clients,
            count(*) filter (auth_result = 'success') as logins, sum(logins_failed)::bigint as failed,
            min(ts) as first, max(ts) as last
        from sessions
        where user is not null
        group by user, auth_mechanism, id_resp_h order by logins desc, user, auth_mechanism, server
        """,
    ),
    "conn": Question(
        "Mails and the connection they came over, as conn.log has it (--log conn=conn.log).",
        """
        select e.ts, e.uid, e.trans_depth, e.user, e.subject, e.size, e.complete, c.duration, c.orig_bytes,
            c.resp_bytes, c.conn_state, c.missed_bytes, c.history
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
        from emails e join smtp s
            on lower(trim(e.msg_id, '<> ')) = lower(trim(s.msg_id, '<> '))
        where e.msg_id is not null and s.ts <= e.ts order by fetched, sent, pop3_uid, e.trans_depth
        """,
        ("smtp",),
    ),
    "top-senders": Question(
        "The ten senders with the most mails, for each day.",
        """
        select day, "from" as sender, count(*) as mails, sum(size)::bigint as bytes, count(distinct user) as
        users from emails where command = 'RETR' group by day, sender qualify row_number() over (partition
        by day order by mails desc, bytes desc, sender) <= 10 order by day desc, mails desc, bytes desc,
        sender
        """,
    ),
    "incomplete": Question(
        "Mails that are not whole, and what is known of the reason.",
        """
        select e.ts, e.uid, e.trans_depth, e.user, e.subject, e.size, e.octets_declared, e.missing_bytes,
            case when e.missing_bytes > 0 then 'lost in the capture'
                 when s.closed = 'open' then 'the log ended first'
                 when s.tls then 'encrypted from here on'
                 else 'the end was not seen' end as reason,
            e.fidelity, e.defects
        from emails e left join sessions s using (uid)
        where not e.complete order by e.ts desc, e.uid, e.trans_depth
        """,
    ),
}

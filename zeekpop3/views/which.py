"""Which mails: the filters of the commands and of the API, declared once.

Each key of `Span` and `MailFilters` is a keyword of the API's functions and an option of the commands; its
`Filter` has the option's help and, where the reader of the tables does not filter by it, an SQL condition.
Texts are compared without regard to case and may stand anywhere in a field; sites, addresses, extensions and
message ids are compared as a whole. All filters that are given must match.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, NamedTuple, TypedDict, get_args, get_type_hints

from zeekpop3.store.times import Time


class Filter(NamedTuple):
    """A filter: its help, the placeholder and the name of its option (default: that of the key), and SQL over
    `emails e`, where `$name` is its value; "" if `store.filters.Filters` has it.
    """

    help: str
    metavar: str = "TEXT"
    option: str | None = None
    sql: str = ""


class Span(TypedDict, total=False):
    """A user, a span of time (`since` is inclusive, `until` is not), a sensor."""

    user: Annotated[str | None, Filter("Mailbox user (exact, case-insensitive).")]
    since: Annotated[
        Time | None, Filter("From then on: 2024-06-24, 2024-06-24T12:00 (UTC), 12h, 7d ago.", "TIME")
    ]
    until: Annotated[Time | None, Filter("Before then.", "TIME")]
    sensor: Annotated[str | None, Filter("What this sensor saw (exact).", "NAME")]


class MailFilters(Span, total=False):
    """A span, and what the mails must have."""

    sender: Annotated[str | None, Filter("From contains this text.", option="--from")]
    recipient: Annotated[
        str | None,
        Filter(
            "To, Cc or Bcc contains this text.",
            option="--to",
            sql="""
            len(list_filter(
                coalesce("to", []) || coalesce(cc, []) || coalesce(bcc, []) || coalesce(delivered_to, []),
                lambda entry: contains(lower(entry), lower($recipient)))) > 0
            """,
        ),
    ]
    subject: Annotated[str | None, Filter("Subject contains this text.")]
    text: Annotated[
        str | None,
        Filter(
            "The body contains this text.",
            sql="""
            contains(lower(text), lower($text)) or contains(lower(html_text), lower($text))
            or (text is null and html_text is null and contains(lower(html), lower($text)))
            """,
        ),
    ]
    url: Annotated[
        str | None,
        Filter(
            "A URL in the body contains this text.",
            sql="len(list_filter(coalesce(urls, []), lambda entry: contains(lower(entry), lower($url)))) > 0",
        ),
    ]
    site: Annotated[
        str | None,
        Filter(
            "Site or host (exact), or a URL, of an address or a link.",
            "SITE",
            sql="""
            exists (from addresses a where a.uid = e.uid and a.trans_depth = e.trans_depth
                and lower($site) in (a.site, a.domain))
            or exists (from links l where l.uid = e.uid and l.trans_depth = e.trans_depth
                and lower($site) in (l.site, l.host))
            or exists (
                from (select uid, trans_depth, unnest({inner-urls}) as inner_url from links) l
                where l.uid = e.uid and l.trans_depth = e.trans_depth and regexp_matches(inner_url,
                    '(?i)^https?://([^/?#@]*@)?([^/?#@]*[.])?' || regexp_escape($site) || '([/?#:]|$)'))
            """,
        ),
    ]
    thread: Annotated[
        str | None,
        Filter(
            "Conversation of the mail with this Message-ID or UID/DEPTH.",
            "ID",
            sql="""
            e.thread_id in (select thread_id from emails
                where trim($thread, '<> ') in
                    (trim(thread_id, '<> '), trim(msg_id, '<> '), uid || '/' || trans_depth))
            """,
        ),
    ]
    ip: Annotated[
        str | None,
        Filter(
            "IP address of the client, the server or a relaying host.",
            "ADDRESS",
            sql="""
            $ip in (id_orig_h, id_resp_h, trim(x_originating_ip, '[] '))
            or list_contains(coalesce(path, []), $ip)
            """,
        ),
    ]
    has_attachment: Annotated[
        bool, Filter("Has an attachment.", sql="$has_attachment and len(coalesce(attachments, [])) > 0")
    ]
    attachment_name: Annotated[
        str | None,
        Filter(
            "Name of an attachment, or of a file in one, contains this.",
            sql="""
            len(list_filter(
                coalesce(attachments, []),
                lambda part: contains(lower(coalesce(part.filename, '')), lower($attachment_name)))) > 0
            or exists (from members m where m.uid = e.uid and m.trans_depth = e.trans_depth
                and contains(lower(m.name), lower($attachment_name)))
            """,
        ),
    ]
    extension: Annotated[
        str | None,
        Filter(
            "Extension of an attachment's name, or of a file in one.",
            "EXT",
            sql="""
            len(list_filter(
                coalesce(attachments, []),
                lambda part: ends_with(lower(part.filename), '.' || lower(ltrim($extension, '.'))))) > 0
            or exists (from members m where m.uid = e.uid and m.trans_depth = e.trans_depth
                and ends_with(lower(m.name), '.' || lower(ltrim($extension, '.'))))
            """,
        ),
    ]
    attachment: Annotated[
        str | None, Filter("MD5, SHA-1 or SHA-256 of an attachment, or of a file in one.", "HASH")
    ]
    incomplete: Annotated[bool, Filter("Only incomplete mails.")]


def declared(group: type) -> Iterator[tuple[str, bool, Filter]]:
    """Each filter of `Span` or `MailFilters`: its name, whether it is a flag, and its declaration."""
    for name, hint in get_type_hints(group, include_extras=True).items():
        kind, filter_ = get_args(hint)
        yield name, kind is bool, filter_


#: SQL over `emails e` by filter.
CONDITIONS = {name: each.sql for name, _, each in declared(MailFilters) if each.sql}

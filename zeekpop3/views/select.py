"""Conditions on mails that need more than one column or table, in SQL.

Texts are compared without regard to case and may stand anywhere in a field; sites, addresses, extensions and
message ids are compared as a whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zeekpop3.store.duck import connect
from zeekpop3.store.filters import Filters, instant

CONDITIONS = {
    "recipient": """
        len(list_filter(
            coalesce("to", []) || coalesce(cc, []) || coalesce(bcc, []) || coalesce(delivered_to, []),
            lambda entry: contains(lower(entry), lower($recipient)))) > 0
        """,
    "text": """
        contains(lower(text), lower($text)) or contains(lower(html_text), lower($text))
        or (text is null and html_text is null and contains(lower(html), lower($text)))
        """,
    "url": "len(list_filter(coalesce(urls, []), lambda entry: contains(lower(entry), lower($url)))) > 0",
    "site": """
        exists (from addresses a where a.uid = e.uid and a.trans_depth = e.trans_depth
            and lower($site) in (a.site, a.domain))
        or exists (from links l where l.uid = e.uid and l.trans_depth = e.trans_depth
            and lower($site) in (l.site, l.host))
        """,
    "thread": """
        e.thread_id in (select thread_id from emails
            where trim($thread, '<> ') in
                (trim(thread_id, '<> '), trim(msg_id, '<> '), uid || '/' || trans_depth))
        """,
    "ip": """
        $ip in (id_orig_h, id_resp_h, trim(x_originating_ip, '[] ')) or list_contains(coalesce(path, []), $ip)
        """,
    "attachment_name": """
        len(list_filter(
            coalesce(attachments, []),
            lambda part: contains(lower(coalesce(part.filename, '')), lower($attachment_name)))) > 0
        """,
    "extension": """
        len(list_filter(
            coalesce(attachments, []),
            lambda part: ends_with(lower(part.filename), '.' || lower(ltrim($extension, '.'))))) > 0
        """,
    "has_attachment": "$has_attachment and len(coalesce(attachments, [])) > 0",
}
"""SQL over `emails e` by option; `$name` is the option's value."""


def matching_mails(path: str | Path, conditions: dict[str, str], span: Filters) -> frozenset[tuple[str, int]]:
    """The keys of the mails that meet all conditions, in the time of `span`. Raises QueryError."""
    terms = [f"({CONDITIONS[name]})" for name in conditions]
    values: dict[str, Any] = dict(conditions)
    for name, value, operator in (("since", span.since, ">="), ("until", span.until, "<")):
        if value is not None:
            terms.append(f"e.ts {operator} ${name}")
            values[name] = instant(value)
    statement = f"select uid, trans_depth from emails e where {' and '.join(terms)}"
    with connect(path) as connection:
        return frozenset(connection.execute(statement, values).fetchall())

"""Mails and hits for a person at a terminal: a list, newest first, one mail in full, what was found in which.

Nothing here prints: tables and lines are returned. All text from a mail passes `visible`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

from zeekpop3.views.text import (
    human_size,
    iso,
    plural,
    shorten,
    stamp,
    text_width,
    visible,
    visible_field,
    visible_lines,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

#: What `--json` gives for each mail; bodies and header fields come with a single mail only.
JSON_COLUMNS = (
    "ts", "uid", "trans_depth", "id_orig_h", "id_orig_p", "id_resp_h", "id_resp_p", "user", "command",
    "msg_num", "uidl", "octets_declared", "size", "fidelity", "complete", "missing_bytes", "defects",
    "sha256", "date", "from", "to", "cc", "bcc", "reply_to", "sender", "return_path", "delivered_to",
    "subject", "msg_id", "in_reply_to", "user_agent", "x_originating_ip", "path", "content_type", "charset",
    "urls", "attachments", "mail_id", "sensor",
)  # fmt: skip
CSV_COLUMNS = (
    "ts", "uid", "trans_depth", "id_orig_h", "id_resp_h", "user", "from", "to", "subject", "date", "msg_id",
    "size", "attachments", "fidelity", "complete", "missing_bytes", "defects", "sha256", "mail_id", "sensor",
)  # fmt: skip
LIST_COLUMNS = (
    "ts", "uid", "trans_depth", "user", "from", "from_address", "subject", "size", "attachments", "command",
    "complete", "sensor",
)  # fmt: skip
_MAX_BODY_LINES, _MAX_LINKS, _MAX_PARTS = 5000, 200, 100
_VERDICTS = ("spf", "dkim", "dmarc", "arc")
#: Below this terminal width uids and times are shortened.
_NARROW = 100
#: Below these widths uid, size and number of attachments are left out, then the user.
_SMALL, _TINY = 60, 48
#: Of hits: columns, characters of a subject, lines of the summary.
_HIT_COLUMNS = ("type", "field", "source")
_SUBJECT, _MAX_SUMMARY = 50, 20


def listing(mails: list[dict[str, Any]], width: int) -> RenderableType:
    """A table of mails, one line each, that fits `width` columns; keys are never cut.

    On a narrow terminal From is only the address, and a column that says nothing is left out; on a small one
    are time, From, Subject and what is incomplete.
    """
    from rich.table import Table
    from rich.text import Text

    narrow = width < _NARROW
    keys = _keys(mails, shortened=narrow)
    key_width = max(map(len, keys), default=9)
    user_width = max((text_width(visible(mail["user"] or "")) for mail in mails), default=4)
    small, tiny = width < _SMALL, width < _TINY
    with_parts = not small and (not narrow or any(mail["attachments"] for mail in mails))
    with_sensor = not small and len({mail.get("sensor") for mail in mails}) > 1
    with_complete = not narrow or not all(mail["complete"] and mail["command"] != "TOP" for mail in mails)
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True, width=width)

    def column(heading: str, **options: Any) -> None:
        table.add_column(heading, no_wrap=True, **options)

    column("time (UTC)", min_width=11 if narrow else 19)
    if not small:
        column("uid/depth", min_width=min(key_width, max(9, width // 3)))
    if with_sensor:
        column("sensor", overflow="ellipsis", ratio=1)
    if not tiny and user_width > 10:
        column("user", overflow="ellipsis", ratio=2)
    elif not tiny:
        column("user", overflow="ellipsis", min_width=max(4, user_width))
    column("from", overflow="ellipsis", ratio=3)
    column("subject", overflow="ellipsis", ratio=5)
    if not small:
        column("size", justify="right", min_width=6)
    if with_parts:
        column("att", justify="right", min_width=3)
    if with_complete:
        column("complete", min_width=8)
    for mail, key in zip(mails, keys, strict=True):
        time = stamp(mail["ts"])
        table.add_row(
            time[5:16] if narrow else time,
            *([] if small else [Text(key)]),
            *([Text(visible(mail["sensor"] or ""))] if with_sensor else []),
            *([] if tiny else [Text(visible(mail["user"] or ""))]),
            Text(visible_field((narrow and mail["from_address"]) or mail["from"] or "")),
            Text(visible_field(mail["subject"] or "")),
            *([] if small else ["" if mail["size"] is None else human_size(mail["size"])]),
            *([str(len(mail["attachments"] or []) or "")] if with_parts else []),
            *([_completeness(mail)] if with_complete else []),
        )
    return table


def mail_page(
    mail: dict[str, Any],
    links: Sequence[dict[str, Any]] = (),
    parts: dict[str, list[dict[str, Any]]] | None = None,
    reasons: Sequence[str] = (),
) -> Iterator[Text]:
    """One mail in full, a line at a time: facts of the capture, header, text, links, attachments, and the
    messages inside.

    `parts` is the answer of `find_parts`, `reasons` are why the mail is suspicious. Only our own words start
    in the first column; everything from the mail is indented.
    """
    from rich.text import Text

    def heading(text: str) -> Text:
        return Text(text, style="bold")

    def line(text: str) -> Text:
        return Text("  " + text, overflow="fold")

    yield heading(f"Mail {_key(mail)}")
    for name, value in _facts(mail):
        yield line(f"{name:<9} {value}")
    parts = parts or {}
    for title, texts in (
        ("Suspicious", reasons),
        ("Hits", [f"{hit['type']} {hit['indicator']} in {hit['field']}" for hit in parts.get("hits", ())]),
    ):
        if texts:
            yield heading(title)
            yield from (line(visible_field(text)) for text in texts[:_MAX_PARTS])
    for kind, text in _message(mail):
        yield heading(text) if kind else line(text)
    yield from (heading(text) if kind else line(text) for kind, text in _links(links, ""))
    attachments = parts.get("attachments") or mail["attachments"] or []
    if attachments:
        yield heading("Attachments")
        members = parts.get("members", [])
        for part in attachments[:_MAX_PARTS]:
            for text in _attachment(
                part, [m for m in members if m["part"] == part.get("part")], mail["complete"]
            ):
                yield line(text)
    for message in parts.get("enclosed", ())[:_MAX_PARTS]:
        yield heading(f"Message inside, part {visible(message['part'])}")
        for kind, text in chain(_message(message), _links(links, message["part"])):
            yield heading(text) if kind else line(text)


def _links(links: Sequence[dict[str, Any]], part: str) -> Iterator[tuple[bool, str]]:
    """The links of the mail, or of a message inside: each line, and whether it is a heading of ours."""
    found = [link for link in links if link["part"] == part]
    if found:
        yield True, "Links"
    for link in found[:_MAX_LINKS]:
        shown = f"  shown as: {shorten(visible_field(link['text']), 200)}" if link["text"] else ""
        target = f"  leads to: {visible(link['target'])}" if link["target"] else ""
        yield False, visible(link["url"]) + target + shown
    if len(found) > _MAX_LINKS:
        yield True, f"… {plural(len(found) - _MAX_LINKS, 'more link')} (use `zeekpop3 sql`, table links)"


def _invitation(event: dict[str, Any]) -> Iterator[str]:
    """What an event says: title, method, times, place, organizer."""
    times = " to ".join(visible(event[name]) for name in ("start", "end") if event[name])
    yield f"{visible_field(event['title'] or '(no title)')}  {visible(event['method'] or 'no method')}"
    organizer = " ".join(
        visible_field(event[name]) for name in ("organizer_name", "organizer") if event[name]
    )
    for name, value in (
        ("when", times),
        ("where", visible_field(event["place"] or "")),
        ("organizer", organizer),
    ):
        if value:
            yield f"  {name:<9} {value}"


def _message(mail: dict[str, Any]) -> Iterator[tuple[bool, str]]:
    """Header, invitations and text of a mail or of a message inside: each line, and whether it is a heading
    of ours."""
    if mail["headers"]:
        yield True, "Header"
        for field in mail["headers"]:
            yield False, f"{visible(field['name'])}: {visible_field(field['value'])}"
    if events := mail.get("invitation"):
        yield True, "Invitation"
        for event in events[:_MAX_PARTS]:
            yield from ((False, text) for text in _invitation(event))
    texts = [(mail["text"], "Text"), (mail["html_text"], "Text of the HTML")]
    if not any((text or "").strip() for text, _ in texts):
        texts = [(mail["html"], "HTML source")]
    for text, title in [each for each in texts if (each[0] or "").strip()] or [("", "No text")]:
        yield True, title
        lines = visible_lines(text) if text else []
        yield from ((False, line) for line in lines[:_MAX_BODY_LINES])
        if len(lines) > _MAX_BODY_LINES:
            yield True, f"… {len(lines) - _MAX_BODY_LINES} more lines (use `zeekpop3 eml`)"


def _attachment(part: dict[str, Any], members: Sequence[dict[str, Any]], complete: bool) -> Iterator[str]:
    """An attachment: names, declared and detected type, hash, and what is inside.

    `complete`: False if bytes of the mail are missing, so that the file may have a hole.
    """
    name = visible(part["filename"]) if part["filename"] is not None else "(no name)"
    kind = visible(part["content_type"] or "unknown type")
    detected = part.get("mime_type")
    if detected and detected != (part["content_type"] or "").lower():
        kind += f", by its content {visible(detected)}"
    yield f"{name}  {kind}  {plural(part['size'], 'byte')}"
    doubt = "" if complete else "  of the bytes that are there: the mail is incomplete, the file may be, too"
    yield f"  sha256 {part['sha256']}{doubt}"
    for other in part.get("other_names") or []:
        yield f"  other programs show the name {visible(other)}"
    if part.get("reading"):
        yield f"  only some programs show this part ({visible(part['reading'])})"
    if part.get("inside") not in (None, "listed"):
        yield f"  not looked into: {visible(part['inside'])}"
    for member in members[:_MAX_PARTS]:
        facts = [visible(member["path"]), visible(member["mime_type"] or "")]
        facts += [plural(member["size"], "byte")] if member["size"] is not None else []
        facts += ["encrypted"] if member["encrypted"] else []
        yield "  holds " + "  ".join(fact for fact in facts if fact)
        if member["sha256"]:
            yield f"    sha256 {member['sha256']}"
    if len(members) > _MAX_PARTS:
        yield f"  … {len(members) - _MAX_PARTS} more (use `zeekpop3 sql`, table members)"


def _facts(mail: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What the capture, not the mail, says: who fetched it, when, and how complete it is."""
    number = "" if mail["msg_num"] is None else f" {mail['msg_num']}"
    user = visible(mail["user"] or "an unknown user")
    yield "fetched", f"{iso(mail['ts'])} by {user} ({mail['command']}{number})"
    if mail["id_orig_h"] is not None:
        hosts = [visible(f"{mail[f'id_{end}_h']}:{mail[f'id_{end}_p']}") for end in ("orig", "resp")]
        yield "between", f"{hosts[0]} and {hosts[1]}"
    if mail.get("sensor"):
        yield "sensor", visible(mail["sensor"])
    missing = mail["missing_bytes"]
    lost = "unknown number of bytes" if missing is None else plural(missing, "byte")
    complete = "complete" if mail["complete"] else f"incomplete, {lost} missing"
    yield "size", f"{plural(mail['size'], 'byte')}, {mail['fidelity']}, {complete}"
    if mail["sha256"]:
        yield "sha256", mail["sha256"]
    if mail["mail_id"]:
        yield "mail id", mail["mail_id"]
    verdicts = [f"{name.upper()} {mail[f'auth_{name}']}" for name in _VERDICTS if mail[f"auth_{name}"]]
    verdicts += [
        f"signed body of {sign['domain']}: {sign['body']}" for sign in mail["dkim"] or [] if sign["body"]
    ]
    if verdicts:
        server = f" (said by {mail['auth_server']})" if mail["auth_server"] else ""
        yield "verdicts", visible(", ".join(verdicts) + server)
    if mail["defects"]:
        yield "defects", visible(", ".join(mail["defects"]))


def _key(mail: dict[str, Any]) -> str:
    return f"{visible(mail['uid'])}/{mail['trans_depth']}"


def _completeness(mail: dict[str, Any]) -> Text:
    from rich.text import Text

    if not mail["complete"]:
        return Text("no", style="bold red")
    return Text("top" if mail["command"] == "TOP" else "yes")  # the client asked TOP for a part only


def _keys(mails: list[dict[str, Any]], *, shortened: bool) -> list[str]:
    """The mails' keys; `shortened`: the shortest beginnings of the uids that still differ."""
    if not shortened:
        return [_key(mail) for mail in mails]
    uids = {mail["uid"] for mail in mails}
    longest = max(map(len, uids), default=0)
    length = next((n for n in range(8, longest) if len({uid[:n] for uid in uids}) == len(uids)), longest)
    return [_key({**mail, "uid": mail["uid"][:length]}) for mail in mails]


def summary_lines(hits: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each indicator with hits, those in most mails first: type, mails, connections without mails,
    users, first and last time."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for hit in hits:
        groups.setdefault((hit["type"], hit["indicator"]), []).append(hit)
    told = []
    for (kind, indicator), found in groups.items():
        mails = {hit["mail"] for hit in found if hit["trans_depth"] is not None}
        connections = {hit["uid"] for hit in found if hit["trans_depth"] is None}
        users = {hit["user"].lower() for hit in found if hit["user"] is not None}
        times = [hit["ts"] for hit in found if hit["ts"] is not None]
        span = " to ".join(dict.fromkeys((stamp(min(times)), stamp(max(times))))) if times else ""
        counts = [(mails, "mail"), (connections, "connection"), (users, "user")]
        count = ", ".join(plural(len(each), noun) for each, noun in counts if each)
        told.append((-len(mails), -len(connections), (kind, shorten(indicator, _SUBJECT), count, span)))
    told.sort()
    shown = [row for *_, row in told[:_MAX_SUMMARY]]
    widths = [max(map(len, texts)) for texts in zip(*shown, strict=True)]
    for row in shown:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
    if len(told) > len(shown):
        yield f"and {plural(len(told) - len(shown), 'more indicator')} with hits"


def hit_lines(hits: list[dict[str, Any]]) -> Iterator[str]:
    """A summary by indicator; then a line for each mail (time, key, user, subject), and one for each of its
    hits.

    `hits`: with `ABOUT_MAIL`. The value of the mail is in parentheses if it differs from the indicator.
    """
    if hits:
        yield from summary_lines(hits)
        yield ""
    widths = [max((len(visible(row[name] or "")) for row in hits), default=0) for name in _HIT_COLUMNS]
    for key, found in groupby(hits, key=lambda row: (row["ts"], row["mail"], row["user"], row["subject"])):
        ts, mail, user, subject = key
        rows = list(found)
        if rows[0]["trans_depth"] is None:
            subject = f"(connection without mails, client {rows[0]['id_orig_h'] or 'unknown'})"
        yield "  ".join([stamp(ts), mail, user or "-", shorten(subject, _SUBJECT)]).rstrip()
        for row in rows:
            texts = [visible(row[name] or "") for name in _HIT_COLUMNS]
            facts = "  ".join(text.ljust(width) for text, width in zip(texts, widths, strict=True))
            value = "" if row["value"] in (None, row["indicator"]) else f" ({row['value']})"
            yield f"  {facts}  {row['indicator']}{value}"

"""The mails of a page: a line each for its table, and their details, packed. What is left out is counted.

Every text has passed `visible` and is cut to a length, so no mail can make the page large or unreadable. The
lines are JSON that may stand in a script element. The details are JSON, gzipped, in base64, several mails to
a pack: the browser opens a pack when somebody opens one of its mails.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from zeekpop3.store.filters import Filters
from zeekpop3.store.read import rows
from zeekpop3.views.find import read_mails
from zeekpop3.views.report.figures import Figures, Key, host
from zeekpop3.views.text import shorten, stamp, visible, visible_lines

_LIST_COLUMNS = (
    "ts", "uid", "trans_depth", "command", "user", "id_orig_h", "id_resp_h", "id_resp_p", "from", "to",
    "subject", "size", "complete", "attachments",
)  # fmt: skip
_FACT_COLUMNS = (
    "id_orig_p", "msg_num", "uidl", "octets_declared", "fidelity", "defects", "sha256", "date", "date_raw",
    "msg_id",
)  # fmt: skip
_BODY_COLUMNS = ("headers", "text", "html_text", "html", "urls")

#: Characters kept of a field in the table, of a header field, of a text, of an HTML source beside a text.
FIELD, VALUE, TEXT, SOURCE = 160, 800, 6000, 2000
_MAX_HEADERS, _MAX_URLS, _MAX_PARTS = 80, 40, 50
_PARTS_IN_LINE, _REASONS = 8, 12
#: What a mail's view shows of other tables.
_BESIDE: dict[str, tuple[str, ...]] = {
    "links": ("part", "url", "target", "text"),
    "attachments": (
        "part", "filename", "content_type", "mime_type", "size", "md5", "sha1", "sha256", "other_names",
        "inside",
    ),
    "members": ("part", "path", "size", "mime_type", "sha256", "encrypted"),
    "enclosed": ("part", "from", "subject", "text", "html_text"),
    "hits": ("indicator", "type", "field", "value"),
}  # fmt: skip
_Rows = dict[str, list[Any]]
#: zlib's largest window, with a gzip header (deflateInit2); a level that takes half of the time of 6.
_GZIP, _LEVEL = 31, 5
#: Mails in a pack.
PACK = 40


@dataclass(slots=True)
class Listing:
    """The mails of a page. `lines` and `packs` are texts for script elements.

    `previews` of the `listed` ones are answers to TOP. `unlisted` mails match but have no line,
    `without_details` have a line only, `shortened` have a text that was cut.
    """

    lines: str
    packs: list[str]
    listed: int
    previews: int = 0
    unlisted: int = 0
    without_details: int = 0
    shortened: int = 0
    reasons: list[str] = field(default_factory=list)
    logs_read: list[str] = field(default_factory=list)


def mails(
    path: str | Path, filters: Filters, figures: Figures, *, limit: int, body: bool, max_bytes: int
) -> Listing:
    """The newest `limit` mails, and older suspicious ones, that fit into `max_bytes`. Raises QueryError."""
    reasons: dict[str, int] = {"": 0}
    rows: list[str] = []
    # Tables that were filled twice hold each key twice: each line gets its details.
    keys: dict[Key, list[int]] = {}
    room, previews = max_bytes // 2, 0
    newest = read_mails(path, _LIST_COLUMNS, filters, limit)
    listed = {(mail["uid"], mail["trans_depth"]) for mail in newest}
    more = frozenset(islice((key for key in figures.suspicious if key not in listed), limit))
    older = read_mails(path, _LIST_COLUMNS, replace(filters, keys=more), limit) if more else []
    for mail in chain(newest, older):
        key = (mail["uid"], mail["trans_depth"])
        reason = "" if mail["complete"] else figures.reason(key)
        number = reasons.setdefault(reason, len(reasons))
        row = in_script(_line(mail, number, figures.suspicious.get(key)))
        room -= len(row.encode()) + 1
        if room < 0:
            break
        keys.setdefault(key, []).append(len(rows))
        rows.append(row)
        previews += mail["command"] == "TOP"
    lines = "[" + ",\n".join(rows) + "]"
    found = Listing(lines, [], len(rows), previews, reasons=list(reasons))
    found.unlisted = max(0, figures.mails.mails + figures.previews - len(rows))
    if rows:
        wanted = [replace(filters, since=newest[-1]["ts"])]
        wanted += [replace(filters, keys=more)] if older else []
        details = chain.from_iterable(_details(path, each, keys, body) for each in wanted)
        _pack(found, details, max_bytes - len(lines.encode()))
    return found


def in_script(value: Any) -> str:
    """JSON that can neither end nor leave the script element that it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def cut(text: str | None, length: int = FIELD) -> str:
    """Text as a page shows it: visible, and not longer than `length`."""
    return shorten(text, length)


def _line(mail: dict[str, Any], reason: int, flagged: dict[str, Any] | None) -> list[Any]:
    """In the order in which the page's script expects it (see its first constants)."""
    parts = mail["attachments"] or []
    shown = [[cut(part["filename"], 80), part["sha256"] or ""] for part in parts[:_PARTS_IN_LINE]]
    return [
        int(mail["ts"].timestamp() * 1000),
        visible(mail["uid"])[:FIELD],
        mail["trans_depth"],
        cut(mail["user"]),
        cut(mail["from"]),
        cut(", ".join(mail["to"] or [])),
        cut(mail["subject"]),
        mail["size"] or 0,
        len(parts),
        reason,
        1 if mail["command"] == "TOP" else 0,
        mail["id_orig_h"] or "",
        host(mail["id_resp_h"], mail["id_resp_p"]) if mail["id_resp_h"] else "",
        shown,
        [cut(each) for each in flagged["reasons"][:_REASONS]] if flagged else 0,
    ]


def _details(
    path: str | Path, filters: Filters, keys: dict[Key, list[int]], body: bool
) -> Iterator[tuple[int, dict[str, Any]]]:
    texts = _BODY_COLUMNS if body else ("headers",)
    columns = ("uid", "trans_depth", "attachments", *_FACT_COLUMNS, *texts)
    beside = _beside(path, filters, keys, body)
    for mail in rows(path, "emails", columns, filters):
        key = (mail["uid"], mail["trans_depth"])
        numbers = keys.get(key)
        if numbers:
            yield numbers.pop(0), _detail(mail, beside.get(key, {}))


def _beside(
    path: str | Path, filters: Filters, keys: Collection[Key], body: bool
) -> dict[Key, dict[str, list[Any]]]:
    """What other tables hold of the mails: links, attachments, their members, messages inside, hits."""
    span = Filters(since=filters.since, until=filters.until, keys=filters.keys)
    found: dict[Key, _Rows] = {}
    for name, columns in _BESIDE.items():
        if name == "links" and not body:
            continue
        for row in rows(path, name, ("uid", "trans_depth", *columns), span):
            key = (row["uid"], row["trans_depth"])
            if key in keys and (name != "links" or not row["part"]):
                kept = found.setdefault(key, {}).setdefault(name, [])
                if len(kept) < _MAX_URLS:
                    kept.append(row)
    return found


def _pack(found: Listing, details: Iterator[tuple[int, dict[str, Any]]], room: int) -> None:
    """Pack the details, each with its place in its pack; newest packs first, as far as `room` (bytes) allows.

    Details come in any order, and all of them would need much memory: they are compressed as they come.
    """
    packs = [_Packer() for _ in range(0, found.listed, PACK)]
    for number, detail in details:
        found.shortened += "more_text" in detail or "more_html" in detail
        packs[number // PACK].add([number % PACK, detail])
    for number, pack in enumerate(packs):
        packed = base64.b64encode(pack.end()).decode()
        room -= len(packed)
        if room < 0:
            found.without_details = found.listed - number * PACK
            return
        found.packs.append(packed)


class _Packer:
    """A JSON array, written entry by entry through gzip; the compressor exists from the first entry on."""

    def __init__(self) -> None:
        self._gzip: Any = None
        self._chunks: list[bytes] = []

    def add(self, entry: Any) -> None:
        if self._gzip is None:
            self._gzip = zlib.compressobj(_LEVEL, wbits=_GZIP)
        before = b"," if self._chunks else b"["
        text = json.dumps(entry, ensure_ascii=False).encode()
        self._chunks.append(self._gzip.compress(before + text))

    def end(self) -> bytes:
        if self._gzip is None:
            return zlib.compress(b"[]", wbits=_GZIP)
        return b"".join([*self._chunks, self._gzip.compress(b"]"), self._gzip.flush()])


def _detail(mail: dict[str, Any], beside: _Rows) -> dict[str, Any]:
    """The details that exist; the page's script leaves out the others."""
    detail: dict[str, Any] = {"facts": [[name, value] for name, value in _facts(mail) if value]}
    _add(detail, "headers", mail["headers"], _MAX_HEADERS, _field)
    text, shown, html = mail.get("text"), mail.get("html_text"), mail.get("html")
    if shown and not (text or "").strip():
        text, shown = shown, None
    bodies = [
        ("text", text, TEXT),
        ("html_text", shown, TEXT),
        ("html", html, TEXT if text is None else SOURCE),
    ]
    for name, body, most in bodies:
        if body is not None:
            detail[name] = "\n".join(visible_lines(body[:most]))[: 4 * most]
            if len(body) > most:
                detail[f"more_{name}"] = len(body) - most
    links = beside.get("links")
    _add(detail, "urls", links if links is not None else mail.get("urls"), _MAX_URLS, _link)
    _add(detail, "parts", beside.get("attachments") or mail["attachments"], _MAX_PARTS, _part)
    _add(detail, "members", beside.get("members"), _MAX_PARTS, _member)
    _add(detail, "inside", beside.get("enclosed"), _MAX_PARTS, _inside)
    _add(detail, "hits", beside.get("hits"), _MAX_PARTS, _hit)
    return detail


def _link(link: Any) -> list[str]:
    """A link's URL, what it stands for, and what the reader sees of it."""
    if isinstance(link, str):
        return [cut(link, VALUE), "", ""]
    return [cut(link["url"], VALUE), cut(link["target"], VALUE), cut(link["text"])]


def _member(member: dict[str, Any]) -> list[Any]:
    kind = cut(member["mime_type"]) + (" (encrypted)" if member["encrypted"] else "")
    return [cut(member["path"]), cut(member["part"]), kind, member["size"], member["sha256"] or ""]


def _hit(hit: dict[str, Any]) -> list[str]:
    return [cut(hit[name]) for name in _BESIDE["hits"]]


def _inside(message: dict[str, Any]) -> list[str]:
    text = "\n\n".join(filter(None, ((message["text"] or "").strip(), message["html_text"])))
    return [
        cut(message["part"]), cut(message["from"]), cut(message["subject"]),
        "\n".join(visible_lines(text[:TEXT]))[: 4 * TEXT],
    ]  # fmt: skip


def _add(
    detail: dict[str, Any], name: str, entries: list[Any] | None, most: int, form: Callable[[Any], Any]
) -> None:
    """The first entries, if there are any, and how many more there are."""
    if entries:
        detail[name] = [form(entry) for entry in entries[:most]]
        if len(entries) > most:
            detail[f"more_{name}"] = len(entries) - most


def _field(entry: dict[str, Any]) -> list[str]:
    return [cut(entry["name"]), cut(entry["value"], VALUE)]


def _part(part: dict[str, Any]) -> list[Any]:
    hashes = [part[name] or "" for name in ("md5", "sha1", "sha256")]
    detected = part.get("mime_type")
    kind = cut(part["content_type"])
    if detected and detected != (part["content_type"] or "").lower():
        kind += f", by its content {cut(detected)}"
    if part.get("inside") not in (None, "listed"):
        kind += f"; not looked into: {part['inside']}"
    names = [cut(name) for name in [part["filename"] or "(no name)", *(part.get("other_names") or [])[:5]]]
    return [" or ".join(names), kind, part["size"], *hashes]


def _facts(mail: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Date in the mail", stamp(mail["date"]) + " UTC" if mail["date"] else cut(mail["date_raw"])
    yield "Message id", cut(mail["msg_id"])
    number = "" if mail["msg_num"] is None else str(mail["msg_num"])
    uidl = f", unique id {cut(mail['uidl'])}" if mail["uidl"] else ""
    yield "In the mailbox", f"message {number}{uidl}" if number else uidl.removeprefix(", ")
    yield "Client port", "" if mail["id_orig_p"] is None else str(mail["id_orig_p"])
    declared = mail["octets_declared"]
    yield "Size declared", "" if declared is None else f"{declared} octets"
    yield "Form", "exact bytes" if mail["fidelity"] == "exact" else "rebuilt from trimmed lines"
    yield "SHA-256", mail["sha256"] or ""
    yield "Defects", cut(", ".join(mail["defects"] or []), VALUE)

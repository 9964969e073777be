"""Mails for a reader at a terminal: a table of them, newest first, or one in full; JSON and CSV for pipes.

Nothing here prints: tables and texts are given back. All text out of a mail goes through `visible`.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from zeekpop3.errors import QueryError
from zeekpop3.store.read import Filters, read_table
from zeekpop3.views.visible import csv_cell, json_line, visible, visible_field, visible_lines

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType
    from rich.text import Text

__all__ = ["as_csv", "as_json", "cell", "listing", "mail_of", "mail_page", "read_mails", "visible"]

#: What `--json` says of each mail; the bodies and all header fields come with a single mail.
JSON_COLUMNS = (
    "ts", "uid", "trans_depth", "id_orig_h", "id_orig_p", "id_resp_h", "id_resp_p", "user", "command",
    "msg_num", "uidl", "octets_declared", "size", "fidelity", "complete", "missing_bytes", "defects",
    "sha256", "date", "from", "to", "cc", "bcc", "reply_to", "sender", "return_path", "delivered_to",
    "subject", "msg_id", "in_reply_to", "user_agent", "x_originating_ip", "path", "content_type", "charset",
    "urls", "attachments",
)  # fmt: skip
CSV_COLUMNS = (
    "ts", "uid", "trans_depth", "id_orig_h", "id_resp_h", "user", "from", "to", "subject", "date", "msg_id",
    "size", "attachments", "fidelity", "complete", "missing_bytes", "defects", "sha256",
)  # fmt: skip
LIST_COLUMNS = (
    "ts", "uid", "trans_depth", "user", "from", "subject", "size", "attachments", "command", "complete"
)  # fmt: skip
_MAX_BODY_LINES = 5000
#: So long must the beginning of a uid be that is to stand for all of it.
_LEAST_UID = 4


def read_mails(
    path: str | Path, columns: Sequence[str], filters: Filters, limit: int | None = None
) -> list[dict[str, Any]]:
    """The mails that the filters mean, newest first, as dicts of `columns`. Raises QueryError."""
    table = read_table(path, "emails", columns, filters, limit=limit, newest_first=True)
    return list(table.to_pylist())


def mail_of(path: str | Path, key: str, columns: Sequence[str] | None = None) -> dict[str, Any]:
    """The one mail that `UID/DEPTH` names, or `UID` if there is but one; the uid's beginning will do.

    Raises QueryError if there is none, or more than one.
    """
    uid, slash, depth = key.rpartition("/")
    if not slash:
        uid, depth = key, ""
    if depth and not (depth.isascii() and depth.isdigit() and len(depth) < 10):
        raise QueryError(f"{key!r} names no mail: UID/DEPTH is expected, such as CHhAvVGS1DHFjwGM9/1")
    number = int(depth) if depth else None
    found = read_mails(path, ["uid", "trans_depth"], Filters(uid=uid, trans_depth=number))
    if not found and len(uid) >= _LEAST_UID:
        found = read_mails(path, ["uid", "trans_depth"], Filters(uid_start=uid, trans_depth=number))
    uids = sorted({mail["uid"] for mail in found})
    if not found:
        raise QueryError(f"{path}: holds no mail {key!r}")
    if len(uids) > 1:
        raise QueryError(f"{key!r} begins the uid of several: {', '.join(map(repr, uids[:5]))}")
    if len(found) > 1:
        depths = ", ".join(str(depth) for depth in sorted({mail["trans_depth"] for mail in found})[:20])
        raise QueryError(f"{key!r} has {len(found)} mails: say which, as {uid}/DEPTH ({depths})")
    wanted = Filters(uid=uids[0], trans_depth=found[0]["trans_depth"])
    table = read_table(path, "emails", columns, wanted, newest_first=True, limit=1)
    mail: dict[str, Any] = table.to_pylist()[0]
    return mail


def listing(mails: Iterable[dict[str, Any]], width: int) -> RenderableType:
    """A table of mails, a line each, that fits `width` columns; the key is never cut."""
    from rich.table import Table
    from rich.text import Text

    rows = list(mails)
    narrow = width < 100
    keys = _keys(rows, shortened=narrow)
    key_width = max(map(len, keys), default=9)
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True, width=width)
    table.add_column("time (UTC)", no_wrap=True, min_width=11 if narrow else 19)
    table.add_column("uid/depth", no_wrap=True, min_width=min(key_width, max(9, width // 3)))
    table.add_column("user", no_wrap=True, overflow="ellipsis", ratio=2)
    table.add_column("from", no_wrap=True, overflow="ellipsis", ratio=3)
    table.add_column("subject", no_wrap=True, overflow="ellipsis", ratio=5)
    table.add_column("size", no_wrap=True, justify="right", min_width=6)
    table.add_column("att", no_wrap=True, justify="right", min_width=3)
    table.add_column("whole", no_wrap=True, min_width=5)
    for mail, key in zip(rows, keys, strict=True):
        ts: dt.datetime = mail["ts"]
        table.add_row(
            ts.strftime("%m-%d %H:%M" if narrow else "%Y-%m-%d %H:%M:%S"),
            Text(key),
            Text(visible(mail["user"] or "")),
            *(Text(visible_field(mail[name] or "")) for name in ("from", "subject")),
            _size(mail["size"]),
            str(len(mail["attachments"] or []) or ""),
            _whole(mail),
        )
    return table


def mail_page(mail: dict[str, Any]) -> Iterator[Text]:
    """One mail in full, a line at a time: what the capture says of it, header, text, attachments.

    Only our own words start in the first column; everything out of the mail is indented.
    """
    from rich.text import Text

    def heading(text: str) -> Text:
        return Text(text, style="bold")

    def line(text: str) -> Text:
        return Text("  " + text, overflow="fold")

    yield heading(f"Mail {_key(mail)}")
    for name, value in _facts(mail):
        yield line(f"{name:<9} {value}")
    if mail["headers"]:
        yield heading("Header")
        for field in mail["headers"]:
            yield line(f"{visible(field['name'])}: {visible_field(field['value'])}")
    body, what = (mail["text"], "Text") if mail["text"] is not None else (mail["html"], "HTML source")
    if body is None:
        yield heading("No text")
    else:
        yield heading(what)
        lines = visible_lines(body)
        for text in lines[:_MAX_BODY_LINES]:
            yield line(text)
        if len(lines) > _MAX_BODY_LINES:
            yield heading(f"… {len(lines) - _MAX_BODY_LINES} more lines; `zeekpop3 eml` writes them all")
    if mail["attachments"]:
        yield heading("Attachments")
        for part in mail["attachments"]:
            name = visible(part["filename"]) if part["filename"] is not None else "(no name)"
            kind = visible(part["content_type"] or "unknown type")
            yield line(f"{name}  {kind}  {part['size']} bytes  sha256 {part['sha256']}")


def as_json(mails: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A line of JSON per mail: times ISO 8601, unknown null."""
    for mail in mails:
        yield json_line(plain(mail))


def as_csv(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> Iterator[str]:
    """A header line and a line per row, RFC 4180 with plain newlines; lists joined by "; ", unknown empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")

    def take() -> str:
        text = out.getvalue().rstrip("\n")
        out.seek(0)
        out.truncate()
        return text

    writer.writerow(columns)
    yield take()
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])
        yield take()


def plain(value: Any) -> Any:
    """A value as JSON knows it: times ISO 8601 in UTC, bytes base64, anything else its text."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dt.datetime):
        return _iso(value)
    if isinstance(value, dict):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        import base64

        return base64.b64encode(value).decode()
    return str(value)


def cell(value: Any) -> str:
    """Any value on one visible line, for a table of answers: times to the second, unknown empty."""
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list) and not any(isinstance(entry, (dict, list)) for entry in value):
        return visible("; ".join(str(plain(entry)) for entry in value))
    if isinstance(value, (list, tuple, dict)):
        return json_line(plain(value))
    if isinstance(value, (bytes, bytearray)):
        return f"({len(value)} bytes)"
    return visible(str(value))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        if value and isinstance(value[0], dict):
            value = [
                entry.get("filename") or entry.get("sha256") or json_line(plain(entry)) for entry in value
            ]
        return csv_cell("; ".join(str(plain(entry)) for entry in value))
    if isinstance(value, dict):
        return csv_cell(json_line(plain(value)))
    return csv_cell(str(plain(value)))


def _iso(value: dt.datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _key(mail: dict[str, Any]) -> str:
    return f"{visible(mail['uid'])}/{mail['trans_depth']}"


def _whole(mail: dict[str, Any]) -> Text:
    from rich.text import Text

    if not mail["complete"]:
        return Text("no", style="bold red")
    return Text("top" if mail["command"] == "TOP" else "yes")  # A TOP is all of what was asked for.


def _keys(mails: list[dict[str, Any]], *, shortened: bool) -> list[str]:
    """The mails' keys; `shortened` to the beginnings of their uids that still tell these apart."""
    if not shortened:
        return [_key(mail) for mail in mails]
    uids = {mail["uid"] for mail in mails}
    longest = max(map(len, uids), default=0)
    length = next((n for n in range(8, longest) if len({uid[:n] for uid in uids}) == len(uids)), longest)
    return [_key({**mail, "uid": mail["uid"][:length]}) for mail in mails]


def _size(size: int | None) -> str:
    if size is None:
        return ""
    amount = float(size)
    for unit in ("", "k", "M"):
        if amount < 999.5:
            return f"{amount:.0f}{unit}" if not unit or amount >= 99.5 else f"{amount:.1f}{unit}"
        amount /= 1000
    return f"{amount:.1f}G"


def _facts(mail: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What the capture, not the mail, says: who fetched it, when, and how whole it is."""
    number = "" if mail["msg_num"] is None else f" {mail['msg_num']}"
    yield (
        "fetched",
        f"{_iso(mail['ts'])} by {visible(mail['user'] or 'an unknown user')} ({mail['command']}{number})",
    )
    if mail["id_orig_h"] is not None:
        hosts = [visible(f"{mail[f'id_{end}_h']}:{mail[f'id_{end}_p']}") for end in ("orig", "resp")]
        yield "between", f"{hosts[0]} and {hosts[1]}"
    whole = "complete" if mail["complete"] else f"incomplete, {mail['missing_bytes']} bytes missing"
    yield "size", f"{mail['size']} bytes, {mail['fidelity']}, {whole}"
    if mail["sha256"]:
        yield "sha256", mail["sha256"]
    if mail["defects"]:
        yield "defects", visible(", ".join(mail["defects"]))

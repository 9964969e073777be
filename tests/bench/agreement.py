"""How far `zeekpop3.message.parse` agrees with the standard library, field by field.

    python tests/bench/agreement.py [SAMPLE.tar.gz | FOLDER ...] [--show FIELD] [--all-files] [--seconds N]

Each field of each mail is read by policy.default and by compat32 (with the functions that belong to it), each
in a try of its own and each mail within a time limit; what a reference could not read counts for neither
side. White space is left out of every comparison. People are compared as addresses and as names; attachments
as parts that are not text, have a name or are marked as attachments, without messages inside (which the
standard library has no bytes for) and without unnamed images of a multipart/related. Kinds of difference go
by what can be seen of them; `--show FIELD` prints them, to be looked at one by one.
"""

from __future__ import annotations

import argparse
import datetime
import email
import email.header
import email.policy
import email.utils
import hashlib
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from email.message import Message
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from bench.message import SAMPLE, mails  # noqa: E402
from zeekpop3.inside import parse  # noqa: E402
from zeekpop3.message import Mail, mailboxes  # noqa: E402

FIELDS = (
    "subject", "from", "from names", "reply-to", "to", "to names", "cc", "cc names", "bcc", "date",
    "message-id", "text", "html", "attachment count", "attachment names", "attachment bytes",
)  # fmt: skip
_PEOPLE = ("from", "reply-to", "to", "cc", "bcc")
_SPACE = re.compile(r"\s+")
_ANGLED = re.compile(r"(.*?)<([^<>]*)>\s*(?:\(.*\)\s*)?", re.DOTALL)
_COMMENT = re.compile(r"\(([^()]*)\)")
UNDECODED = "undecoded"
_ADDRESS = re.compile(r"[^\s@:;<>()\[\],\"\\]+@[^\s@:;<>()\[\],\"\\]*[^\s@:;<>()\[\],\"\\.]")
_NOT_ASCII = re.compile("[^\x00-\x7f]+")
_DEFECTS = (
    "header_malformed", "boundary_guessed", "boundary_missing", "encoding_wrong", "base64_broken",
    "base64_trailing_text", "parameter_malformed", "charset_wrong", "charset_unknown", "charset_guessed",
    "charset_broken",
)  # fmt: skip
_BROKEN = {
    "\ufffd": "reference lost characters (U+FFFD)",
    "[\ud800-\udfff]": "reference has lone surrogates",
    "[\x80-\x9f]": "reference has C1 controls where Windows-125x was meant",
}


class Unread:
    """What a reference could not read, and why."""

    def __init__(self, why: str) -> None:
        self.why = why


def _expired(*_: object) -> None:
    raise TimeoutError


# Ours ------------------------------------------------------------------------------------------------------


def pair(entry: str) -> tuple[str, str]:
    """Name and address of an entry as it was written."""
    match = _ANGLED.fullmatch(entry)
    if match is not None:
        return plain_name(match[1]), match[2]
    comment = _COMMENT.search(entry)
    return (comment[1] if comment else "", _COMMENT.sub("", entry))


def plain_name(name: str) -> str:
    return re.sub(r'["\\]', "", name).strip()


def ours(mail: Mail) -> dict[str, Any]:
    out: dict[str, Any] = {
        "subject": mail.subject, "message-id": mail.msg_id, "date": mail.date, "text": mail.text,
        "html": mail.html,
    }  # fmt: skip
    people: dict[str, list[str] | None] = {"to": mail.to, "cc": mail.cc, "bcc": mail.bcc}
    for name, value in (("from", mail.from_), ("reply-to", mail.reply_to)):
        people[name] = None if value is None else mailboxes.entries(value, {})
    for name, entries in people.items():
        pairs = None if entries is None else [pair(entry) for entry in entries]
        out[name] = None if pairs is None else [address for _, address in pairs]
        out[name + " names"] = None if pairs is None else [shown for shown, _ in pairs]
    files = [
        (a.filename_raw or "", a.sha256)
        for a in mail.attachments
        if "#" not in a.part and not (a.content_type or "").startswith("message/")
    ]
    _files(out, files)
    return out


def _files(out: dict[str, Any], files: list[tuple[str, str]]) -> None:
    out["attachment count"] = len(files)
    out["attachment names"] = [name for name, _ in files]
    out["attachment bytes"] = [digest for _, digest in files]


# The references --------------------------------------------------------------------------------------------


def _each(readers: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    """What each reader gives, or why it gives nothing."""
    out: dict[str, Any] = {}
    for name, read in readers.items():
        try:
            out[name] = read()
        except TimeoutError:
            raise
        except Exception as error:
            out[name] = Unread(type(error).__name__)
    return out


def leaves(message: Message, within: str = "") -> Iterator[tuple[Message, str]]:
    """Parts other than multiparts, each with the kind of its parent. Messages inside are read, too."""
    if message.is_multipart():
        for part in message.get_payload():  # type: ignore[union-attr]
            yield from leaves(part, message.get_content_type())  # type: ignore[arg-type]
    else:
        yield message, within


def _offered(message: Message) -> list[tuple[str, str]]:
    out = []
    for part, within in leaves(message):
        kind = part.get_content_type()
        named = part.get_filename()
        if within in ("message/delivery-status", "message/external-body") or kind.startswith(
            ("message/", "multipart/")
        ):
            continue
        shown = kind.startswith("text/") or (kind.startswith("image/") and within == "multipart/related")
        if shown and not named and part.get_content_disposition() != "attachment":
            continue
        data = part.get_payload(decode=True) or b""
        digest = hashlib.sha256(data).hexdigest()
        if str(part["content-transfer-encoding"]).strip().lower() == "base64" and _undecoded(part, data):
            digest = UNDECODED
        if named and not isinstance(part, email.message.EmailMessage):
            named = decoded(named)
        out.append((named or "", digest))
    return out


def _undecoded(part: Message, data: bytes) -> bool:
    """Whether Base64 was given back as it stands: it is broken or its name has a blank after it."""
    text = str(part.get_payload()).encode("ascii", "surrogateescape")
    return bool(data) and data in (text, b"".join(text.splitlines()))


def values(message: Message, name: str) -> list[Any] | None:
    """All fields of recipients, the first of the others."""
    found = message.get_all(name)
    return found if found is None or name in ("to", "cc", "bcc") else found[:1]


def decoded(value: Any) -> str:
    return str(email.header.make_header(email.header.decode_header(value)))


def _read(
    message: Message,
    field: Callable[[str], str | None],
    date: Callable[[], int | None],
    people: Callable[[str, int], list[str] | None],
    body: Callable[[str], str | None],
) -> dict[str, Any]:
    """All fields, each by the function that is given for it."""
    readers: dict[str, Callable[[], Any]] = {
        name: partial(field, name) for name in ("subject", "message-id")
    } | {"date": date, "text": partial(body, "plain"), "html": partial(body, "html")}
    for name in _PEOPLE:
        readers[name] = partial(people, name, 1)
        readers[name + " names"] = partial(people, name, 0)
    out = _each(readers)
    files = _each({"": partial(_offered, message)})[""]
    if isinstance(files, Unread):
        out |= dict.fromkeys(("attachment count", "attachment names", "attachment bytes"), files)
    else:
        _files(out, files)
    return out


def default(raw: bytes) -> dict[str, Any]:
    message = email.message_from_bytes(raw, policy=email.policy.default)

    def field(name: str) -> str | None:
        value = message[name]
        return None if value is None else str(value)

    def date() -> int | None:
        value = message["date"]
        if value is None or value.datetime is None:
            return None
        moment = value.datetime
        moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        return int(moment.timestamp()) * 1_000_000

    def people(name: str, index: int) -> list[str] | None:
        found = values(message, name)
        if found is None:
            return None
        what = ("display_name", "addr_spec")[index]
        return [getattr(address, what) for value in found for address in value.addresses]

    def body(kind: str) -> str | None:
        part = message.get_body((kind,))
        return None if part is None else part.get_content()

    return _read(message, field, date, people, body)


def compat32(raw: bytes) -> dict[str, Any]:
    message = email.message_from_bytes(raw)

    def field(name: str) -> str | None:
        value = message[name]
        return None if value is None else decoded(value)

    def date() -> int | None:
        value = message["date"]
        parsed = None if value is None else email.utils.parsedate_tz(str(value))
        if parsed is None:
            return None
        try:
            moment = datetime.datetime(*parsed[:6], tzinfo=datetime.UTC)
        except ValueError:
            return None
        return (int(moment.timestamp()) - (parsed[9] or 0)) * 1_000_000

    def people(name: str, index: int) -> list[str] | None:
        found = values(message, name)
        if found is None:
            return None
        pairs = email.utils.getaddresses([str(value) for value in found])
        return [decoded(each[index]) for each in pairs if each[1] or each[0]]

    def body(kind: str) -> str | None:
        for part, within in leaves(message):
            if (
                part.get_content_type() == f"text/{kind}"
                and part.get_content_disposition() != "attachment"
                and not within.startswith("message/")
            ):
                data: Any = part.get_payload(decode=True) or b""
                return str(data, part.get_content_charset("utf-8"), "replace")
        return None

    return _read(message, field, date, people, body)


# Side by side ----------------------------------------------------------------------------------------------


def bare(value: Any) -> Any:
    """Without what does not count: white space, and the quotes of names."""
    if isinstance(value, str):
        return _SPACE.sub("", plain_name(value))
    if isinstance(value, list):
        return [_SPACE.sub("", plain_name(item)) for item in value]
    return value


def kind_of(field: str, mine: Any, theirs: Any, mail: Mail) -> str:
    """What can be seen of a difference."""
    mine, theirs = bare(mine), bare(theirs)
    flat = "".join(theirs) if isinstance(theirs, list) else str(theirs)
    own = "".join(mine) if isinstance(mine, list) else str(mine)
    for broken, kind in _BROKEN.items():
        if len(re.findall(broken, flat)) > len(re.findall(broken, own)):
            # In East Asian charsets the second byte of a character may look like ASCII.
            alike = _NOT_ASCII.sub("", flat) == _NOT_ASCII.sub("", own)
            return kind if alike else f"{kind.removeprefix('reference ')}, and ASCII differs"
    if theirs is None or mine is None:
        return "only one has it: " + ("ours" if theirs is None else "reference")
    if field.endswith("names") and isinstance(theirs, list) and len(mine) == len(theirs) and all(
        not one or one == other for one, other in zip(theirs, mine, strict=True)
    ):  # fmt: skip
        return "reference leaves out a name"
    if field == "message-id" and own.startswith(theirs.rstrip(">")):
        return "reference has its beginning only"
    if "=?" in flat and "=?" not in own:
        return "reference left encoded words undecoded"
    if isinstance(mine, list) and isinstance(theirs, list):
        if not field.startswith("attachment") and mine == [item for item in theirs if item not in ("", "<>")]:
            return "reference has entries that say nothing"
        if not field.startswith("attachment") and theirs == [item for item in mine if item]:
            return "reference leaves out what has no address"
        if not field.startswith("attachment") and len(mine) != len(theirs):
            return f"number of entries: ours {'more' if len(mine) > len(theirs) else 'fewer'}"
        if sorted(mine) == sorted(theirs):
            return "other order"
        if UNDECODED in theirs:
            return "reference left broken Base64 undecoded"
        if field in _PEOPLE and all(
            one == other or not _ADDRESS.fullmatch(one) for one, other in zip(mine, theirs, strict=False)
        ):
            return "no address was written: ours is what was, the reference a part of it"
    if field in ("text", "html"):
        if field == "text" and own.replace(">", "") == flat.replace(">", ""):
            return "reference left format=flowed as it was"
        for defect in _DEFECTS:
            if defect in mail.defects:
                return f"broken mail: {defect}"
        if not theirs:
            return "reference is empty"
        if not mine:
            return "ours is empty"
    if field.startswith("attachment"):
        for defect in _DEFECTS:
            if defect in mail.defects:
                return f"broken mail: {defect}"
    return "other"


class Tally:
    """Counts of one reference."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.read: Counter[str] = Counter()
        self.equal: Counter[str] = Counter()
        self.unread: Counter[str] = Counter()
        self.kinds: Counter[tuple[str, str]] = Counter()
        self.expired = 0

    def add(self, mine: dict[str, Any], theirs: dict[str, Any], mail: Mail) -> Iterator[tuple[str, str, Any]]:
        """Counts one mail; gives field, kind and the reference's value of each difference."""
        for field in FIELDS:
            value = theirs.get(field)
            if isinstance(value, Unread):
                self.unread[field] += 1
                continue
            own = mine[field]
            # Fields that neither has say nothing.
            if own is None and value is None:
                continue
            if field.startswith("attachment") and not theirs["attachment count"] + mine["attachment count"]:
                continue
            self.read[field] += 1
            if bare(own) == bare(value) or (field == "attachment bytes" and sorted(own) == sorted(value)):
                self.equal[field] += 1
            else:
                kind = kind_of(field, own, value, mail)
                self.kinds[field, kind] += 1
                yield field, kind, value

    def table(self) -> None:
        print(f"\n{self.name}: not ended in time {self.expired}")
        print(
            f"  {'field':18} {'read':>6} {'equal':>6} {'%':>7} {'without its losses':>19} {'it raised':>10}"
        )
        for field in FIELDS:
            read, equal = self.read[field], self.equal[field]
            losses = sum(
                count
                for (of, kind), count in self.kinds.items()
                if of == field and kind.startswith("reference")
            )
            share = f"{100 * equal / read:7.2f}" if read else "      -"
            rest = f"{100 * equal / (read - losses):19.2f}" if read > losses else f"{'-':>19}"
            print(f"  {field:18} {read:6} {equal:6} {share} {rest} {self.unread[field]:10}")
        for (field, kind), count in sorted(self.kinds.items(), key=lambda item: (item[0][0], -item[1])):
            print(f"    {count:5}  {field}: {kind}")


def within(seconds: int, engine: Callable[[bytes], dict[str, Any]], raw: bytes) -> dict[str, Any] | None:
    signal.alarm(seconds)
    try:
        return engine(raw)
    except TimeoutError:
        return None
    except Exception as error:
        return dict.fromkeys(FIELDS, Unread(type(error).__name__))
    finally:
        signal.alarm(0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sources", nargs="*", type=Path, default=[SAMPLE])
    parser.add_argument("--show", metavar="FIELD", action="append", default=[])
    parser.add_argument("--all-files", action="store_true", help="every file of a folder, not only *.eml")
    parser.add_argument("--seconds", type=int, default=5, help="what a reference may take for one mail")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, _expired)
    tallies = {default: Tally("policy.default"), compat32: Tally("compat32")}
    count = 0
    for source in options.sources:
        for raw in mails(source, "*" if options.all_files else "*.eml"):
            count += 1
            mail = parse(raw)
            mine = ours(mail)
            for engine, tally in tallies.items():
                theirs = within(options.seconds, engine, raw)
                if theirs is None:
                    tally.expired += 1
                    continue
                for field, kind, value in tally.add(mine, theirs, mail):
                    if field in options.show:
                        print(f"--- {tally.name}: {field}: {kind} (sha1 {hashlib.sha1(raw).hexdigest()})")
                        print(f"    ours      {mine[field]!r:.400}\n    reference {value!r:.400}")
    print(f"{count} mails")
    for tally in tallies.values():
        tally.table()


if __name__ == "__main__":
    main()

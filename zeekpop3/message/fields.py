"""A header block to its fields: one pass, names and values as text, nothing decoded but the bytes.

Folds are undone as RFC 5322 (section 2.2.3) says: the line end goes, the white space stays. A block that is
no UTF-8 is decoded value by value. Lines that are no fields are left out where fields follow, and end the
header where the mail's text seems to have begun.
"""

from __future__ import annotations

import re
from io import IncrementalNewlineDecoder
from itertools import islice
from sys import intern
from typing import Final

from zeekpop3.message.charsets import codec_of, eight_bit
from zeekpop3.message.defects import Defects
from zeekpop3.message.detect import guess

MAX_HEADER_BYTES = 1 << 20
MAX_FIELDS = 5_000

_FIELD: Final = re.compile(r"^(?:([!-9;-~]++)[ \t]*+:)?+[ \t]*+([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)
_NAME: Final = re.compile(r"[!-9;-~]+")
_SPACE: Final = 0x20
_TAB: Final = 0x09
# Searched for as expressions: bytes.find is many times slower on short needles whose characters are frequent.
_BLANK_CRLF: Final = re.compile(rb"\n\r\n")
_BLANK_LF: Final = re.compile(rb"\n\n")
_NO_BARE_CR: Final = ("\r\n", ("\n", "\r\n"), "\n")
# Left out, but no reason to think that the header has ended
_LIKE_FIELD: Final = re.compile(r">?From |[^\s:]{0,100}[ \t]*:")
_CHARSET: Final = re.compile(r"; ?charset=\"?([A-Za-z0-9_-]{2,40})", re.IGNORECASE)
_KNOWN: Final = frozenset(
    [
        "from",
        "to",
        "cc",
        "bcc",
        "subject",
        "date",
        "sender",
        "reply-to",
        "message-id",
        "in-reply-to",
        "references",
        "received",
        "return-path",
        "delivered-to",
        "mime-version",
        "lines",
        "status",
        "precedence",
        "organization",
        "organisation",
        "user-agent",
        "priority",
        "importance",
        "sensitivity",
        "errors-to",
        "comments",
        "keywords",
        "errors-to",
        "newsgroups",
        "path",
        "approved",
        "dkim-signature",
        "authentication-results",
        "received-spf",
        "return-receipt-to",
        "disposition-notification-to",
        "thread-index",
        "thread-topic",
        "mailing-list",
        "autocrypt",
        "feedback-id",
        "domainkey-signature",
    ]
)
_FAMILIES: Final = ("x-", "content-", "list-", "resent-", "arc-", "auto-")


class Header:
    """The fields of one header block, as parallel lists, and where the body starts (offset into the mail).

    `first`: value by lower-cased name; of several fields of one name the first. `words`: whether there may
    be encoded words in it.
    """

    __slots__ = ("body", "first", "lowered", "names", "values", "words")

    def __init__(self, body: int) -> None:
        self.names: list[str] = []
        self.lowered: list[str] = []
        self.values: list[str] = []
        self.first: dict[str, str] = {}
        self.body = body
        self.words = False


def split(raw: bytes, start: int, end: int, defects: Defects) -> Header:
    """The header block that begins at `start`; values are unfolded, but encoded words are left as they
    are.
    """
    stop, body = _bounds(raw, start, end)
    header = Header(body)
    if stop <= start:
        return header
    if stop - start > MAX_HEADER_BYTES:
        defects["header_cut"] = None
        stop = start + MAX_HEADER_BYTES
    block = raw[start:stop]
    whole = True
    try:
        text = block.decode("utf-8")
    except UnicodeDecodeError:
        text = block.decode("latin-1")
        whole = False
    if not _usual(text, header):
        _unusual(text, header, start, block, defects)
    if not whole:
        header.values = _eight_bit(header.values, defects)
        header.first = first_of(header.lowered, header.values)
    header.words = "?" in text and "=?" in text
    return header


# Names that were met and are names of fields, in lower case. Mails have the same names again and again, and
# what is looked up by a name is found quicker if it is the very same string.
_met: Final[dict[str, str]] = {}
_MET_MAX: Final = 4_096
_MET_MAX_LENGTH: Final = 100


def _lower(name: str) -> str:
    """A field's name in lower case; "" if it is none."""
    if _NAME.fullmatch(name) is None:
        return ""
    if len(name) > _MET_MAX_LENGTH:
        return name.lower()
    if len(_met) >= _MET_MAX:
        _met.clear()
    _met[name] = low = intern(name.lower())
    return low


def first_of(lowered: list[str], values: list[str]) -> dict[str, str]:
    """Value by lower-cased name; of several fields of one name the first."""
    return dict(zip(lowered[::-1], values[::-1], strict=False))


def _usual(text: str, header: Header) -> bool:
    """The fields of a block in which every line is a field or goes on with one, as nearly all are. False if
    there is a line that is neither, or there are too many.

    Line by line and not by an expression: finding one character is what Python does quickest.
    """
    if len(text) > MAX_FIELDS and text.count("\n") >= MAX_FIELDS:
        return False
    names: list[str] = []
    lowered: list[str] = []
    values: list[str] = []
    first: dict[str, str] = {}
    at = 0
    last = len(text) - 1
    while at <= last:
        end = text.find("\n", at)
        if end < 0:
            end = last + 1
        colon = text.find(":", at, end)
        if colon < 0:
            return False
        name = text[at:colon]
        low = _met.get(name) or _lower(name)
        if not low:
            return False
        at = colon + 1
        while at < end and ((character := ord(text[at])) == _SPACE or character == _TAB):
            at += 1
        if end < last and ((character := ord(text[end + 1])) == _SPACE or character == _TAB):
            lines: list[str] = []
            while True:
                lines.append(text[at : end - 1] if text[end - 1] == "\r" else text[at:end])
                if end >= last or ((character := ord(text[end + 1])) != _SPACE and character != _TAB):
                    break
                at = end + 1
                end = text.find("\n", at)
                if end < 0:
                    end = last + 1
            value = "".join(lines).rstrip()
        else:
            value = text[at:end].rstrip()
        names.append(name)
        lowered.append(low)
        values.append(value)
        first.setdefault(low, value)
        at = end + 1
    if text[-1] == "\n":
        return False
    header.names = names
    header.lowered = lowered
    header.values = values
    header.first = first
    return True


def _unusual(text: str, header: Header, start: int, block: bytes, defects: Defects) -> None:
    """The same for any block."""
    found = _fields(text, defects)
    if any(not name for name, _ in found):
        text = with_line_feeds(text)
        found, line = _mend(_fields(text, defects), text, defects)
        if line is not None:
            header.body = start + _line_start(block, line)
    header.names = [name for name, _ in found]
    header.lowered = [_met.get(name) or _lower(name) for name in header.names]
    header.values = [value.replace("\r\n", "").replace("\n", "").rstrip() for _, value in found]
    header.first = first_of(header.lowered, header.values)


def _fields(text: str, defects: Defects) -> list[tuple[str, str]]:
    """(name, value) of each field, line ends and all; the name is "" for lines that are none."""
    if len(text) <= MAX_FIELDS or text.count("\n") <= 4 * MAX_FIELDS:
        found = _FIELD.findall(text)
    else:
        found = [(match[1] or "", match[2]) for match in islice(_FIELD.finditer(text), MAX_FIELDS + 1)]
    if len(found) > MAX_FIELDS:
        defects["header_cut"] = None
        del found[MAX_FIELDS:]
    return found


def _eight_bit(values: list[str], defects: Defects) -> list[str]:
    """Values that are no ASCII, decoded: in the charset of the mail's text, else in one guess for all of
    them.
    """
    hint = None
    for value in values:
        match = _CHARSET.search(value)
        if match is not None and (hint := codec_of(match[1])) in ("ascii", "utf_8"):
            hint = None
        if hint is not None:
            break
    if hint is None:
        hint = guess(b"\n".join(value.encode("latin-1") for value in values if not value.isascii()))
    return [
        value if value.isascii() else eight_bit(value.encode("latin-1"), defects, hint) for value in values
    ]


def with_line_feeds(text: str) -> str:
    """`text` with LF for CRLF. The decoder of text files is the quickest to change them, and it says whether
    it met a bare CR, which is left as it is.
    """
    if "\r" not in text:
        return text
    decoder = IncrementalNewlineDecoder(None, True)
    changed = decoder.decode(text, True)
    return changed if decoder.newlines in _NO_BARE_CR else text.replace("\r\n", "\n")


def _bounds(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the header's last line ends (without its line end), and where the body starts.

    Goes by the kind of the first line end: a blank line of the other kind is found by `_mend`.
    """
    head = raw[start : start + 2]
    if head[:1] == b"\n":
        return start, start + 1
    if head == b"\r\n":
        return start, start + 2
    first = raw.find(b"\n", start, end)
    if first > start and raw[first - 1] == 13:
        blank = _BLANK_CRLF.search(raw, first, end) or _BLANK_LF.search(raw, first, end)
    else:
        blank = _BLANK_LF.search(raw, start, end) or _BLANK_CRLF.search(raw, start, end)
    if blank is not None:
        at = blank.start()
        return at - (raw[at - 1] == 13), blank.end()
    # A line end at the very end belongs to the last field.
    return end - raw.startswith(b"\n", end - 1, end), end


def _mend(
    found: list[tuple[str, str]], text: str, defects: Defects
) -> tuple[list[tuple[str, str]], int | None]:
    """Fields without the lines that are none, and the number of the line where the body starts if not at its
    end.
    """
    kept: list[tuple[str, str]] = []
    for i, (name, value) in enumerate(found):
        if name:
            kept.append((name, value))
        elif not value:
            # A blank line with another line end than the first line has: the header ends here.
            return kept, _line_of(text, i) + 1
        elif not value.strip():
            continue
        elif _LIKE_FIELD.match(value) is not None or (not value.startswith("--") and _goes_on(found, i + 1)):
            defects["header_malformed"] = None
        else:
            defects["header_malformed"] = None
            return kept, _line_of(text, i)
    return kept, None


def _goes_on(found: list[tuple[str, str]], index: int) -> bool:
    """Whether the header goes on after lines that are no fields: the next field is one of those that mails
    have.
    """
    for name, value in found[index : index + 4]:
        if name:
            name = name.lower()
            return name in _KNOWN or name.startswith(_FAMILIES)
        if not value or value.startswith("--"):
            return False
    return False


def _line_of(text: str, index: int) -> int:
    """Number of the line, from 0, where the field `index` begins."""
    for i, match in enumerate(_FIELD.finditer(text)):
        if i == index:
            return text.count("\n", 0, match.start())
    return text.count("\n")


def _line_start(block: bytes, line: int) -> int:
    at = 0
    for _ in range(line):
        at = block.find(b"\n", at) + 1
        if not at:
            return len(block)
    return at

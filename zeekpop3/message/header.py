"""A header block (RFC 5322, section 2.2) → its fields: names and unfolded values, as text.

Unfolding removes the line end and keeps the white space (section 2.2.3). Encoded words are left as they are.
A block that is not UTF-8 is decoded value by value. Lines that are not fields are skipped if fields follow;
otherwise the body starts there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice

from zeekpop3.defects import Defect, Defects
from zeekpop3.message.budget import charge
from zeekpop3.message.charsets import codec_of, eight_bit, guess

# Names of fields in use: those registered with IANA (message headers) and those that mail programs write. A
# line that starts with one of them and a colon almost certainly starts a field. Others may be fields, too.
_REGISTERED = """
accept-language alternate-recipient apparently-to arc-authentication-results arc-message-signature arc-seal
archive archived-at authentication-results auto-submitted autoforwarded autosubmitted bcc cancel-key
cancel-lock cc comments content-alternative content-base content-class content-description
content-disposition content-duration content-features content-id content-identifier content-language
content-length content-location content-md5 content-return content-transfer-encoding
content-translation-type content-type control conversion conversion-with-loss date date-received
deferred-delivery delivered-to delivery-date discarded-x400-ipms-extensions discarded-x400-mts-extensions
disclose-recipients disposition-notification-options disposition-notification-to distribution dkim-signature
dl-expansion-history domainkey-signature downgraded-final-recipient downgraded-from downgraded-to
ediint-features eesst-version encoding encrypted errors-to expires expiry-date followup-to form-sub from
generate-delivery-report importance in-reply-to incomplete-copy injection-date injection-info jabber-id
keywords language latest-delivery-time lines list-archive list-help list-id list-owner list-post
list-software list-subscribe list-unsubscribe list-unsubscribe-post list-url mail-copies-to mail-followup-to
mail-reply-to mail-system-version mailer mailing-list message-context message-id message-type mime-version
newsgroups nntp-posting-date nntp-posting-host obsoletes organisation organization
original-encoded-information-types original-from original-message-id original-recipient original-sender
originator-info originator-return-address path pics-label posting-version precedence
prevent-nondelivery-report priority privicon read-receipt-to received received-spf references relay-version
reply-by reply-to require-recipient-valid-since resent-bcc resent-cc resent-date resent-from
resent-message-id resent-reply-to resent-sender resent-to return-path return-receipt-to see-also sender
sensitivity sio-label solicitation status subject summary supersedes thread-index thread-topic
tls-report-domain tls-report-submitter tls-required to user-agent vbr-info x400-content-identifier
x400-content-return x400-content-type x400-mts-identifier x400-originator x400-received x400-recipients
x400-trace xref
"""

_IN_USE = """
abuse-reports-to acceptlanguage arrival-date authentication-warning auto-reply auto-response-suppress
bimi-indicator bimi-location bimi-selector bounce-to bounces-to bounces_to cal-id campaign-id cfbl-address
cfbl-feedback-id comment complaints-to deliver-to delivery-report diagnostic-code disposition dkim-filter
dnt domainkey-status envelope-from envelope-recipient envelope-sender envelope-to error-path feedback-id
feedback-type final-log-id final-recipient last-attempt-date list-digest list-info mail-date mail-from
mailed-by message-flag message-size mime-autoconverted msip_labels nntp-posting-user old-content-type
old-date old-from old-message-id old-received old-return-path old-subject old-to openpgp
original-envelope-id original-mail-from original-rcpt-to original-received original-to originating-client
posted-date posted-to pp-correlation-id received-from-mta remote-mta replied reply-path replyto
reported-domain reported-uri reporting-mta reporting-ua return-receipt-requested sender-ip source-ip
spamdiagnosticmetadata spamdiagnosticoutput ui-outboundreport user-defined warnings-to will-retry-until
"""

KNOWN = frozenset((_REGISTERED + _IN_USE).split())
"""In lower case, without the families `x-…`."""

_SINGLE = """
bcc cc content-disposition content-id content-transfer-encoding content-type date from in-reply-to message-id
mime-version references reply-to sender subject to
"""

SINGLE = frozenset(_SINGLE.split())
"""Fields that occur once in a header (RFC 5322, section 3.6; RFC 2045)."""

MAX_HEADER_BYTES = 1 << 20
MAX_FIELDS = 5_000

# A field with its folds, or any other line: then the name is empty. Each character is looked at once.
_FIELD = re.compile(r"^(?:([!-9;-~]++)[ \t]*+:)?+[ \t]*+([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)
_FOLDED_NAME = re.compile(r"^([!-9;-~]++)[ \t]*+\r?\n[ \t]++:", re.MULTILINE)
_BARE_CR = re.compile(rb"\r(?!\n)")
_FIELD_AFTER_CR = re.compile(rb"\r([!-9;-~]++)[ \t]*+:")
# MIME fields as they may be meant: blanks before the name, or another character than a colon behind it.
# Blanks and line ends are looked through from their first one only.
_MIME = r"content-(?:type|transfer-encoding|disposition)"
_MIME_LINE = re.compile(
    rb"(?:\A|(?<![\s\0])[ \t\v\f\0]*+[\r\n])[\s\0]*+(%b)(?:[ \t]*+[:=]++|(?=[ \t]))" % _MIME.encode(),
    re.IGNORECASE,
)
_FOLDED_FIELD = re.compile(
    r"\n[ \t]++(?i:content-(?:type[ \t]*+:\s*+[\w-]++/"
    r"|disposition[ \t]*+:\s*+(?:attach|inline)"
    r"|transfer-encoding[ \t]*+:[\s\"]*+(?:base|quoted|[78]bit|x?-?uu)))"
)
_BLANK_LINE_CR = re.compile(rb"(?<!\r)\r\r(?!\r)")
_BLANK_LINES = (b"\n\n", b"\n\r\n")
# Not fields, but not a sign that the body has started either.
_SKIPPED = re.compile(r">?From |[^\s:]{0,100}[ \t]*:")
_CHARSET = re.compile(r"; ?charset=\"?([A-Za-z0-9_-]{2,40})", re.IGNORECASE | re.ASCII)
_FIELD_FAMILIES = ("x-", "content-", "list-", "resent-", "arc-", "auto-")
_CR = 13


@dataclass(slots=True)
class Header:
    """The fields of one header block, as parallel lists, and `body`, the offset where the body starts.

    `lowered`: names in lower case. `first`: value by lower-case name, of the first field of that name.
    """

    body: int
    names: list[str] = field(default_factory=list)
    lowered: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    first: dict[str, str] = field(default_factory=dict)
    has_encoded_words: bool = False


def split(raw: bytes, start: int, end: int, defects: Defects) -> Header:
    """The header block of the entity `raw[start:end]`."""
    stop, body = _bounds(raw, start, end)
    if stop <= start:
        return Header(body)
    if stop - start > MAX_HEADER_BYTES:
        defects[Defect.HEADER_CUT] = None
        stop = start + MAX_HEADER_BYTES
    charge(stop - start)
    block = raw[start:stop]
    if _BARE_CR.search(block) is not None:
        block = _FIELD_AFTER_CR.sub(lambda field: _on_new_line(field, defects), block)
        if _BLANK_LINE_CR.search(block) is not None:
            defects[Defect.HEADER_BARE_CR] = None
    encoding = "utf-8"
    try:
        text = block.decode(encoding)
    except UnicodeDecodeError:
        encoding = "latin-1"
        text = block.decode(encoding)
    if "\n :" in text or "\n\t:" in text:
        text = _FOLDED_NAME.sub(lambda name: _unfolded_name(name, defects), text)
    found = _FIELD.findall(text) if text.count("\n") < MAX_FIELDS else _first_fields(text, defects)
    if _FOLDED_FIELD.search(text) is not None:
        defects[Defect.HEADER_FIELD_FOLDED] = None
    names = [name for name, _ in found]
    values = [value for _, value in found]
    if "" in names:
        names, values, length = _without_other_lines(text, defects)
        if length is not None:
            body = start + len(text[:length].encode(encoding))
    lowered = [name.lower() for name in names]
    values = [
        value.rstrip() if "\n" not in value else value.replace("\r\n", "").replace("\n", "").rstrip()
        for value in values
    ]
    if encoding == "latin-1":
        values = _decoded(values, defects)
    return Header(body, names, lowered, values, first_values(lowered, values), "=?" in text)


def lenient(raw: bytes, start: int, body: int) -> Header:
    """The MIME fields of the header `raw[start:body]` as the most forgiving programs read them: a field that
    a fold hides, one without its colon, one behind a line of blanks or a bare CR.
    """
    block = raw[start : min(body, start + MAX_HEADER_BYTES)]
    text = _MIME_LINE.sub(rb"\n\1: ", block).strip()
    return split(text, 0, len(text), {})


def _on_new_line(field: re.Match[bytes], defects: Defects) -> bytes:
    """A field after a bare CR, with LF instead if it has a known name: mail programs see two fields."""
    if not _is_known(field[1].decode("ascii")):
        return field[0]
    defects[Defect.HEADER_BARE_CR] = None
    return b"\n" + field[0][1:]


def _unfolded_name(name: re.Match[str], defects: Defects) -> str:
    """A field's name whose colon stands behind a fold; mail programs read the field, RFC 5322 has no such."""
    defects[Defect.HEADER_MALFORMED] = None
    return name[1] + " " * (len(name[0]) - len(name[1]) - 1) + ":"


def _is_known(name: str) -> bool:
    name = name.lower()
    return name in KNOWN or name.startswith(_FIELD_FAMILIES)


def first_values(lowered: list[str], values: list[str]) -> dict[str, str]:
    """Value by lower-case name; the first of several fields of one name."""
    return dict(zip(reversed(lowered), reversed(values), strict=True))


def _bounds(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the last line of the header ends (without its line end), and where the body starts.

    Searches for a blank line with the line end of the first line, then for the other kind. If both kinds
    occur, `_without_other_lines` finds a blank line that comes earlier.
    """
    head = raw[start : start + 2]
    if head[:1] == b"\n":
        return start, start + 1
    if head == b"\r\n":
        return start, start + 2
    first = raw.find(b"\n", start, end)
    is_crlf = first > start and raw[first - 1] == _CR
    for blank in reversed(_BLANK_LINES) if is_crlf else _BLANK_LINES:
        at = raw.find(blank, start, end)
        if at >= 0:
            return at - (raw[at - 1] == _CR), at + len(blank)
    # A line end at the very end belongs to the last field.
    return end - raw.startswith(b"\n", end - 1, end), end


def _first_fields(text: str, defects: Defects) -> list[tuple[str, str]]:
    """The first fields of a header that may have too many."""
    found = [(match[1] or "", match[2]) for match in islice(_FIELD.finditer(text), MAX_FIELDS + 1)]
    if len(found) > MAX_FIELDS:
        defects[Defect.HEADER_CUT] = None
    return found[:MAX_FIELDS]


def _without_other_lines(text: str, defects: Defects) -> tuple[list[str], list[str], int | None]:
    """Names and values of the fields only, and where in `text` the body starts, if before its end."""
    names: list[str] = []
    values: list[str] = []
    lines = list(islice(_FIELD.finditer(text), MAX_FIELDS))
    for index, line in enumerate(lines):
        name = line[1]
        value = text[line.start(2) : line.end() + 1].replace("\r\n", "\n").removesuffix("\n")
        if name:
            names.append(name)
            values.append(value)
        elif not value and line.start(2) > line.start():
            defects[Defect.HEADER_MALFORMED] = None  # a line of blanks ends no header
        elif not value:
            # A blank line with another line end than the first line has: the header ends here.
            return names, values, line.end() + 1
        elif value.strip():
            defects[Defect.HEADER_MALFORMED] = None
            if _SKIPPED.match(value) is None and (
                value.startswith("--") or not _known_field_follows(lines[index + 1 : index + 5])
            ):
                return names, values, line.start()
    return names, values, None


def _known_field_follows(lines: list[re.Match[str]]) -> bool:
    """Whether the next field has a name that mails have: then the header continues."""
    for line in lines:
        if line[1]:
            return _is_known(line[1])
        if line[2] in ("", "\r") or line[2].startswith("--"):
            return False
    return False


def _decoded(values: list[str], defects: Defects) -> list[str]:
    """Values that were decoded as Latin-1 in the charset of the mail's text, else in one guess for all."""
    hint = None
    for value in values:
        match = _CHARSET.search(value)
        if match is not None and (codec := codec_of(match[1])) not in (None, "ascii", "utf_8"):
            hint = codec
            break
    if hint is None:
        hint = guess(b"\n".join(value.encode("latin-1") for value in values if not value.isascii()))
    return [
        value if value.isascii() else eight_bit(value.encode("latin-1"), defects, hint) for value in values
    ]

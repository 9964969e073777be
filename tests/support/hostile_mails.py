"""Hostile mails: each made to be as large as asked for, each after one weakness that parsers have had.

`GENERATORS` maps a name to a function from a size in bytes to a mail of about that size. Tests hold their
time and memory against bounds, the benchmark prints them.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from encodings.aliases import aliases
from functools import partial

GENERATORS: dict[str, Callable[[int], bytes]] = {}
PLAIN = b"From: a@b.example\r\nSubject: s\r\nContent-Type: text/plain\r\n\r\n"


def hostile(make: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """Adds a generator. Two of one name would be one."""
    assert make.__name__ not in GENERATORS
    GENERATORS[make.__name__] = make
    return make


def filled(unit: bytes, size: int, head: bytes = b"", tail: bytes = b"") -> bytes:
    """`head`, as many of `unit` as fit, `tail`."""
    return head + unit * max(1, (size - len(head) - len(tail)) // len(unit)) + tail


def numbered(pattern: str, size: int, head: bytes = b"", tail: bytes = b"") -> bytes:
    """As `filled`, with a running number in each unit."""
    count = max(1, (size - len(head) - len(tail)) // (len(pattern) + 4))
    return head + "".join(pattern % i for i in range(count)).encode() + tail


def attachment_mail(size: int) -> bytes:
    """No attack: a mail with text and one attachment of `size` bytes, in Base64."""
    data = random.Random(1).randbytes(size)
    text = base64.encodebytes(data).replace(b"\n", b"\r\n")
    mark = b"----=_Part_0017_01D9"
    return (
        b"From: A <a@b.example>\r\nTo: c@d.example\r\nSubject: report\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="' + mark + b'"\r\n\r\n'
        b"--" + mark + b"\r\nContent-Type: text/plain\r\n\r\nsee there\r\n"
        b"--" + mark + b'\r\nContent-Type: application/octet-stream; name="a.bin"\r\n'
        b"Content-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="a.bin"\r\n\r\n' + text + b"--" + mark + b"--\r\n"
    )


@hostile
def nested_multiparts(size: int) -> bytes:
    unit = len(b'Content-Type: multipart/mixed; boundary="b00000"\r\n\r\n--b00000\r\n')
    return b"".join(
        b'Content-Type: multipart/mixed; boundary="b%05d"\r\n\r\n--b%05d\r\n' % (i, i)
        for i in range(size // unit)
    )


@hostile
def nested_multiparts_in_prefixes(size: int) -> bytes:
    """Each boundary is a prefix of the next one."""
    out = []
    length = 0
    depth = 0
    while length < size and depth < 2_000:
        depth += 1
        boundary = b"b" * depth
        out.append(
            b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n--" + boundary + b"\r\n"
        )
        length += len(out[-1])
    return b"".join(out) + filled(b"--b" + b"b" * 3_000 + b"\r\n", max(size - length, 0))


@hostile
def nested_multiparts_then_lines(size: int) -> bytes:
    """A hundred levels, and then lines that nearly are delimiters, which every level looks through."""
    head = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%03d"\r\n\r\n--b%03d\r\n' % (i, i) for i in range(120)
    )
    return filled(b"--b\r\n", size, head)


@hostile
def nested_messages_base64(size: int) -> bytes:
    inner = filled(b"x" * 70 + b"\r\n", max(size // 12, 100), PLAIN)
    while len(inner) < size * 3 // 4:
        inner = (
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(inner)
        )
    return inner


@hostile
def many_header_lines_in_parts(size: int) -> bytes:
    part = b"--b\r\n" + b"A: b\r\n" * 4_000 + b"\r\nx\r\n"
    return filled(part, size, b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n')


@hostile
def encoded_words_of_many_charsets(size: int) -> bytes:
    return numbered("=?x%d?b?w6Q?= ", size, b"Subject: ", b"\r\n\r\nbody\r\n")


def _filled_to(unit: bytes, around: tuple[bytes, ...], size: int) -> bytes:
    return filled(unit, size, *around)


_FILLED: dict[str, tuple[bytes, ...]] = {
    "nested_multiparts_same_boundary": (b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n',),
    "nested_messages": (b"Content-Type: message/rfc822\r\n\r\n",),
    "many_parts": (b"--b\r\n\r\nx\r\n", b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n', b"--b--\r\n"),
    "many_empty_parts": (b"--b\r\n", b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'),
    "many_attachments": (
        b"--b\r\nContent-Type: a/b; name=c\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==\r\n",
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n',
    ),
    "many_parts_of_messages": (
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ny\r\n",
        b'Content-Type: multipart/digest; boundary="b"\r\n\r\n',
    ),
    "many_header_lines": (b"A: b\r\n", b"", b"\r\nbody\r\n"),
    "many_malformed_header_lines": (b"a b\r\n", b"Subject: s\r\n", b"To: c@d\r\n\r\nbody\r\n"),
    "one_long_header": (b"x", b"Subject: ", b"\r\n\r\nbody\r\n"),
    "one_long_header_of_8_bit": (b"\xe4\xf6 ", b"Subject: ", b"\r\n\r\nbody\r\n"),
    "many_continuation_lines": (b" x\r\n", b"Subject: s\r\n", b"\r\nbody\r\n"),
    "header_without_end": (b"X-A: " + b"y" * 70 + b"\r\n",),
    "no_line_end_at_all": (b"x",),
    "only_carriage_returns": (b"x\r",),
    "only_line_feeds": (b"\n",),
    "only_nul": (b"\0", PLAIN),
    "one_long_line": (b"x", PLAIN),
    "long_line_of_8_bit": (b"\xe4\x80\xff", PLAIN),
    "broken_utf8": (b"\xc3\xa4\xc3", b"Content-Type: text/plain; charset=utf-8\r\n\r\n"),
    "blanks_in_body": (b" ", PLAIN),
    "encoded_words": (b"=?utf-8?q?a?= ", b"Subject: ", b"\r\n\r\nbody\r\n"),
    "encoded_words_in_many_fields": (
        b"Subject: " + b"=?utf-8?b?w6Q=?= " * 50 + b"\r\n",
        b"",
        b"\r\nbody\r\n",
    ),
    "encoded_words_never_closed": (b"=?utf-8?q?a", b"Subject: ", b"\r\n\r\nbody\r\n"),
    "encoded_words_unclosed_then_closed": (b"=?a?x", b"Subject: ", b"?=\r\n\r\nbody\r\n"),
    "many_received": (
        b"Received: from a (b [1.2.3.4]) by c; Mon, 1 Jan 2024 10:00:00 +0000\r\n",
        b"",
        b"\r\nx\r\n",
    ),
    "parameter_percents": (
        b"%41",
        b"Content-Disposition: attachment; filename*=utf-8''",
        b"\r\n\r\nbody\r\n",
    ),
    "boundary_is_prefix": (
        b"--boundary-and-more\r\n",
        b'Content-Type: multipart/mixed; boundary="boundary"\r\n\r\n',
    ),
    "boundary_empty": (b"--\r\n", b'Content-Type: multipart/mixed; boundary=""\r\n\r\n'),
    "boundary_of_dashes": (b"-", b"Content-Type: multipart/mixed; boundary=" + b"-" * 70 + b"\r\n\r\n"),
    "boundary_then_blanks": (
        b"--b" + b" " * 1_000 + b"x\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
    ),
    "boundary_missing": (b"--a\r\n", b"Content-Type: multipart/mixed\r\n\r\n"),
    "base64_junk": (b"QUJD!?\r\n", PLAIN[:-4] + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
    "base64_pads": (b"QQ==\r\n", PLAIN[:-4] + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
    "base64_only_pads": (b"=", PLAIN[:-4] + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
    "base64_one_line": (b"QUJD", PLAIN[:-4] + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n", b"Q"),
    "base64_short_lines": (b"Q\r\n", PLAIN[:-4] + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
    "quoted_printable_equals": (
        b"=",
        PLAIN[:-4] + b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
    ),
    "quoted_printable_blanks": (
        b"=" + b" " * 100,
        PLAIN[:-4] + b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
    ),
    "quoted_printable_breaks_with_blanks": (
        b"= \n",
        PLAIN[:-2] + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
    ),
    "quoted_printable_bare_carriage_returns": (
        b"=\ra",
        PLAIN[:-2] + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
    ),
    "quoted_printable_soft_breaks": (
        b"=\r\n",
        PLAIN[:-4] + b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
    ),
    "uuencode_junk": (
        b"!!!!\r\n",
        PLAIN[:-4] + b"\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a\r\n",
    ),
    "uuencode_begins": (b"begin 644 a\r\n#0V%T\r\n", PLAIN),
    "uuencode_begins_without_lines": (b"begin 644 a\r\n", PLAIN),
    "flowed": (b">a \r\n", b"Content-Type: text/plain; format=flowed\r\n\r\n"),
    "flowed_quotes": (b">", b"Content-Type: text/plain; format=flowed\r\n\r\n \r\n "),
    "flowed_depths": (b"> a \r\n>> b \r\n", b"Content-Type: text/plain; format=flowed\r\n\r\n"),
    "urls_only_slashes": (b"://", PLAIN),
    "urls_one_long": (b"a", PLAIN + b"http://"),
    "urls_punctuation": (b"http://" + b")." * 2_000 + b"\r\n", PLAIN),
    "html_open_links": (b'href="', b"Content-Type: text/html\r\n\r\n"),
    "html_blanks": (b"href = ", b"Content-Type: text/html\r\n\r\n"),
    "html_blanks_only": (b" ", b"Content-Type: text/html\r\n\r\nhref"),
    "html_equals_signs": (b"=", b"Content-Type: text/html\r\n\r\n"),
    "html_references_in_a_link": (b"&amp;&#x41;", b'Content-Type: text/html\r\n\r\n<a href="http:'),
    "html_conditional": (b"<!--[if ", b"Content-Type: text/html\r\n\r\n"),
    "html_conditional_links": (b"<!--[if x]><a href=//a>-->", b"Content-Type: text/html\r\n\r\n"),
    "html_backgrounds": (b"<td background=//a style='background:url(", b"Content-Type: text/html\r\n\r\n"),
    "html_srcset": (b"//a,", b"Content-Type: text/html\r\n\r\n<img srcset="),
    "html_meta": (b"<meta \xe4", b"Content-Type: text/html\r\n\r\n"),
}
"""What `filled` makes a mail of: the unit, what comes before, what comes after."""
for _name, (_unit, *_around) in _FILLED.items():
    GENERATORS[_name] = partial(_filled_to, _unit, tuple(_around))


def _field(name: bytes, unit: bytes, head: bytes = b"") -> Callable[[int], bytes]:
    return lambda size: filled(unit, size, name + b": " + head, b"\r\n\r\nbody\r\n")


for _name, _unit in {
    "addresses": b"a@b.example, ",
    "addresses_in_quotes": b'"a, b" <a@b.example>, ',
    "addresses_commas": b",",
    "addresses_open_parentheses": b"(",
    "addresses_parentheses_and_text": b"(a ",
    "addresses_nested_comments": b"()(",
    "addresses_comments": b"()",
    "addresses_comments_alone": b"(a(b)),",
    "addresses_comments_encoded": b"(=?utf-8?q?=28?= ",
    "addresses_angled_without_commas": b'"a" <b@c> ',
    "addresses_open_angles": b"<",
    "addresses_angles_and_quotes": b'<"a<" ',
    "addresses_quotes": b'"',
    "addresses_quotes_and_escapes": b'"\\',
    "addresses_groups": b"a:b;",
    "addresses_colons": b"a@b:",
    "addresses_without_commas": b"a@b ",
    "addresses_at_signs": b"@",
    "addresses_encoded": b"=?utf-8?q?=2C?= <a@b>,",
}.items():
    GENERATORS[_name] = _field(b"To", _unit)
for _name, _unit in {
    "references": b"<a@b> ",
    "references_without_blanks": b"<a@b>",
}.items():
    GENERATORS[_name] = _field(b"References", _unit)
for _name, _unit in {
    "date_comments": b"(",
    "date_nested_comments": b"(()",
    "date_numbers": b"1 ",
    "date_colons": b"1:",
    "date_half_days": b"1:00 PM ",
    "date_offsets": b"GMT+1 ",
}.items():
    GENERATORS[_name] = _field(b"Date", _unit)
for _name, _unit in {
    "received_in_one": b"from a by b ",
    "received_comments": b"(a) ",
    "received_open_comments": b"(a ",
    "received_addresses": b"[1.2.3.4] ",
    "received_addresses_ipv6": b"[::1] 1.2.3.4 ",
    "received_dots": b"1.",
    "received_colons": b"a:",
    "received_with": b"with a ",
}.items():
    GENERATORS[_name] = _field(b"Received", _unit, b"from x by y with ")
for _name, _unit in {
    "parameters": b"; a=b",
    "parameters_empty": b"; ",
    "parameters_quotes": b';a="',
    "parameters_only_quotes": b'"',
    "parameters_escapes": b';a="\\',
    "parameters_equals": b"=",
    "parameters_comments": b";(a=(",
    "parameters_stars": b";a*=",
}.items():
    GENERATORS[_name] = _field(b"Content-Type", _unit, b"text/plain")


@hostile
def addresses_of_hex_digits(size: int) -> bytes:
    return (
        b"X-Originating-IP: ["
        + b"4" * size
        + b"]\r\nReceived: from a (["
        + b"4:4" * (size // 3)
        + b"])\r\n\r\n"
    )


@hostile
def parameters_numbered(size: int) -> bytes:
    return numbered("; a%d=b", size, b"Content-Type: text/plain", b"\r\n\r\nbody\r\n")


@hostile
def parameter_pieces(size: int) -> bytes:
    return numbered("; name*%d=b", size, b"Content-Disposition: attachment", b"\r\n\r\nbody\r\n")


@hostile
def parameter_pieces_encoded(size: int) -> bytes:
    return numbered("; filename*%d*=%%41", size, b"Content-Disposition: attachment", b"\r\n\r\nbody\r\n")


@hostile
def boundary_of_200_kb(size: int) -> bytes:
    boundary = b"b" * 200_000
    head = b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n"
    return filled(b"--" + boundary + b"\r\n\r\nx\r\n", size, head)


@hostile
def boundary_of_200_kb_nearly(size: int) -> bytes:
    head = b"Content-Type: multipart/mixed; boundary=" + b"b" * 200_000 + b"c\r\n\r\n"
    return filled(b"--" + b"b" * 199_990 + b"\r\n", size, head)


@hostile
def base64_attachment_junk(size: int) -> bytes:
    head = b"Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return filled(b"QUJDRA\x00-\r\n", size, head)


@hostile
def base64_text_after_text(size: int) -> bytes:
    head = b"Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n"
    return filled(b"a footer, a footer\r\n", size, head)


@hostile
def urls(size: int) -> bytes:
    return numbered("http://a/%d ", size, PLAIN)


@hostile
def html_numbered_links(size: int) -> bytes:
    return numbered('<a href="http://a/%d">', size, b"Content-Type: text/html\r\n\r\n")


@hostile
def html_base(size: int) -> bytes:
    """Relative links with a base that is much longer than they are."""
    head = (
        b'Content-Type: text/html\r\n\r\n<base href="http://a.example/'
        + b"b" * min(size // 4, 7_000)
        + b'/">'
    )
    return numbered("<a href=%d>", size, head)


@hostile
def html_long_base(size: int) -> bytes:
    """The same with a base of the size of the mail."""
    head = b'Content-Type: text/html\r\n\r\n<base href="http://a.example/' + b"b/" * (size // 4) + b'">'
    return numbered("<a href=%d>", size, head)


@hostile
def html_number(size: int) -> bytes:
    return b"Content-Type: text/html\r\n\r\n<a href='&#" + b"1" * (size // 2) + b"'>&#" + b"1" * (size // 2)


@hostile
def random_bytes(size: int) -> bytes:
    return random.Random(5).randbytes(size)


def _charset(name: str) -> Callable[[int], bytes]:
    head = f"Subject: =?{name}?q?=E4=80?=\r\nContent-Type: text/plain; charset={name}\r\n\r\n".encode()
    return lambda size: filled(b"~{<:Ky2;\xe4\xf6+2AA-\x1b$B=\x80\xff \\ud800 abc\r\n", size, head)


CHARSETS = sorted(
    {
        *aliases,
        *aliases.values(),
        "unicode_escape",
        "raw_unicode_escape",
        "undefined",
        "idna",
        "punycode",
        "mbcs",
        "oem",
    }
)
"""Every charset name that Python knows, and those that are not charsets."""

for _name in (
    "utf-7", "hz", "iso-2022-jp", "iso-2022-kr", "iso2022_jp_ext", "gb18030", "big5hkscs", "euc_jis_2004",
    "shift_jis_2004", "utf-16", "utf-32", "utf-8", "us-ascii", "koi8-r", "johab",
    "idna", "punycode", "unicode_escape", "rot13", "base64", "zlib", "bz2",
):  # fmt: skip
    GENERATORS[f"charset_{_name}"] = _charset(_name)

# The kinds in other modules, whichever one is imported first.
from support import hostile_contents, hostile_readings, hostile_records  # noqa: E402, F401

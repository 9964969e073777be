"""Lists of indicators: Zeek intel files, plain lists, CSV files and STIX bundles, read into one form.

A value in a plain list may be defanged, as reports write them. Of STIX 2.1 bundles (OASIS, plain JSON),
indicators and observables (`ipv4-addr`, `file`, …) are read. Indicators have patterns; of these, comparisons
of a value with `=` or `IN` are read, each on its own: a mail that fulfils one of several conditions is worth
a look.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from zeekpop3.detect.indicators import TYPES, Indicator, key_of, kinds_of, refang, without_port
from zeekpop3.errors import IndicatorError, reason
from zeekpop3.log.header import PCAP_MAGICS, unescape

#: Types of Zeek and MISP that mail cannot show, or that are not indicators; skipped.
OTHER_TYPES = frozenset({
    "CERT_HASH", "PUBKEY_HASH", "AS", "AUTHENTIHASH", "BTC", "COMMENT", "COUNTER", "CPE", "DATETIME",
    "EMAIL-BODY", "EMAIL-HEADER", "EMAIL-MESSAGE-ID", "EMAIL-MIME-BOUNDARY", "EMAIL-THREAD-INDEX", "HEX",
    "IMPHASH", "IMPFUZZY", "JA3-FINGERPRINT-MD5", "MAC-ADDRESS", "MUTEX", "NAMED-PIPE", "OTHER",
    "PATTERN-IN-FILE", "PATTERN-IN-MEMORY", "PATTERN-IN-TRAFFIC", "PDB", "PHONE-NUMBER", "PORT", "REGKEY",
    "REGKEY|VALUE", "SHA224", "SHA384", "SHA512", "SIGMA", "SIZE-IN-BYTES", "SNORT", "SSDEEP", "TEXT",
    "TLSH", "VULNERABILITY", "WHOIS-REGISTRAR", "X509-FINGERPRINT-MD5", "X509-FINGERPRINT-SHA1",
    "X509-FINGERPRINT-SHA256", "YARA", "ZEEK",
})  # fmt: skip
#: Names of types in CSV exports of other programs (MISP, STIX-like lists), mapped to ours.
_NAMES = {
    "ADDR": "ip ip-src ip-dst ipv4 ipv6 ipv4-addr ipv6-addr address",
    "SUBNET": "cidr network",
    "URL": "uri link",
    "DOMAIN": "hostname host fqdn domain-name",
    "EMAIL": "email email-src email-dst email-addr email-reply-to",
    "USER_NAME": "user username user-account",
    "FILE_HASH": "md5 sha1 sha-1 sha256 sha-256 hash",
    "FILE_NAME": "filename file-name attachment email-attachment",
    "SUBJECT": "email-subject subject",
    "SOFTWARE": "user-agent email-x-mailer x-mailer",
}
_ALIASES = {name: kind for kind, names in _NAMES.items() for name in names.split()}
_HEADER = {
    "value": ("indicator", "value", "ioc", "observable"),
    "type": ("indicator_type", "type", "ioc_type"),
    "source": ("meta.source", "source", "feed", "event_info"),
    "description": ("meta.desc", "description", "desc", "comment", "meta.url"),
}
_NOTHING = (
    "no indicators found; expected a Zeek intel file, a CSV file with a header, a STIX bundle, or one "
    "indicator per line"
)
STDIN = "-"
_MAX_LINE = 65_536
_MAX_BUNDLE = 256 << 20
_HEAD_BYTES = 4_096
_NO_LISTS = (
    (
        re.compile(rb"PK\x03\x04|\x1f\x8b|BZh|\xfd7zXZ|Rar!|7z\xbc\xaf|\x28\xb5\x2f\xfd"),
        "an archive, not a list of indicators; unpack it first",
    ),
    (re.compile(rb"PAR1"), "a Parquet file, not a list of indicators"),
    (
        re.compile(rb"#separator[^\n]*+\n(?:#[^\n]*+\n)*?#path\t(?!intel)"),
        "a log of Zeek, not a list of indicators",
    ),
)
_COMMENT = re.compile(r"\s*+(?:\Z|#|;\s|//\s)")
_HASH_FIRST = re.compile(
    r"(?:(?:md5|sha-?1|sha-?256)\s{0,4}[:=]\s{0,4}|0x)?([0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})(?![0-9a-z_.-])",
    re.IGNORECASE,
)
# An item of a list, and what follows a value: `1. evil.example - command and control`, `evil.example,C2`.
_FIRST = re.compile(r"(?:[-*•]\s++|[0-9]{1,6}[.)]\s++)?+[(\[]?([^\s,;|]{1,8192}+)", re.IGNORECASE)
_BINARY = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")
_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
OnError = Callable[[IndicatorError], None]


def read_indicators(
    paths: Iterable[str | Path],
    on_error: OnError | None = None,
    values: Iterable[str] = (),
    *,
    others: Counter[str] | None = None,
) -> list[Indicator]:
    """The indicators of some files, and `values` as lines of a plain list; each (type, key) once, in order.

    Raises IndicatorError for a file that cannot be read or that holds no indicator. A line that cannot be
    used is reported to `on_error` and skipped; without `on_error` it raises. `others` counts the rows of
    types that mail cannot show, which are left out.
    """
    others = Counter() if others is None else others
    found: dict[tuple[str, str], Indicator] = {}
    for path in paths:
        listed = list(_read_file(Path(path), on_error, others))
        if not listed:
            raise IndicatorError(path, _NOTHING)
        for indicator in listed:
            found.setdefault((indicator.type, indicator.key), indicator)
    for indicator in _read_lines(Path("values"), values, on_error, others, plain=True):
        found.setdefault((indicator.type, indicator.key), indicator)
    return list(found.values())


def _read_file(path: Path, on_error: OnError | None, others: Counter[str]) -> Iterator[Indicator]:
    try:
        with _opened(path) as raw:
            head = raw.read(_HEAD_BYTES)
            raw.seek(0)
            yield from _of_file(path, raw, head, on_error, others)
    except OSError as error:
        raise IndicatorError(path, reason(error)) from error


def _opened(path: Path) -> BinaryIO:
    """A file; standard input (`-`) or a pipe is read to its end first."""
    if str(path) == STDIN:
        return io.BytesIO(sys.stdin.buffer.read(_MAX_BUNDLE))
    if path.is_fifo():
        with path.open("rb") as pipe:
            return io.BytesIO(pipe.read(_MAX_BUNDLE))
    if not path.is_file():
        raise IndicatorError(path, "not a file" if path.exists() else "no such file")
    return path.open("rb")


def _of_file(
    path: Path, raw: BinaryIO, head: bytes, on_error: OnError | None, others: Counter[str]
) -> Iterator[Indicator]:
    encoding = next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8-sig")
    if (problem := _no_list(head)) is not None and encoding == "utf-8-sig":
        raise IndicatorError(path, problem)
    errors = "replace" if encoding == "utf-16" else "surrogateescape"
    with io.TextIOWrapper(raw, encoding=encoding, errors=errors, newline="") as file:
        if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            yield from _of_bundle(path, file.read(_MAX_BUNDLE), on_error)
            return
        lines = (line[:_MAX_LINE].rstrip("\r\n") for line in file)
        yield from _read_lines(path, lines, on_error, others)


def _no_list(head: bytes) -> str | None:
    """Why a file that begins like this is not a list of indicators; None if it may be one."""
    if head.startswith(PCAP_MAGICS):
        return "a capture, not a list of indicators; zeekpop3 pcap reads captures"
    for beginning, problem in _NO_LISTS:
        if beginning.match(head) is not None:
            return problem
    return "not a list of indicators: binary data" if _BINARY.search(head) else None


def _of_bundle(path: Path, text: str, on_error: OnError | None) -> Iterator[Indicator]:
    """The indicators of a STIX bundle."""
    try:
        values = list(read_bundle(text.lstrip("\ufeff")))
    except ValueError as error:
        raise IndicatorError(path, f"not a STIX bundle: {error}") from error
    for each in values:
        try:
            yield from _typed(each.type, each.value, each.source, each.description)
        except ValueError as error:
            _refuse(IndicatorError(path, str(error)), on_error)


def _read_lines(
    path: Path,
    lines: Iterable[str],
    on_error: OnError | None,
    others: Counter[str],
    *,
    plain: bool = False,
) -> Iterator[Indicator]:
    columns: dict[str, int] | None = None
    split: Callable[[str], list[str]] = _zeek_fields
    first = not plain
    for number, line in enumerate(lines, 1):
        if line.startswith("#fields") and not plain:
            columns, split = _columns(line.split("\t")[1:]), _zeek_fields
            first = False
            continue
        if _COMMENT.match(line) is not None:
            continue
        if first:
            first = False
            header = _csv_fields(line)
            if len(header) > 1 and (columns := _columns(header)) is not None:
                split = _csv_fields
                continue
        try:
            yield from _of_row(split(line), columns, others) if columns is not None else _of_line(line)
        except ValueError as error:
            _refuse(IndicatorError(path, str(error), line=number), on_error)


def _refuse(problem: IndicatorError, on_error: OnError | None) -> None:
    if on_error is None:
        raise problem from None
    on_error(problem)


def _columns(names: list[str]) -> dict[str, int] | None:
    """The places of our fields among the names of a header; None if it has no column of values."""
    lowered = [name.strip().lower() for name in names]
    places = {}
    for field, known in _HEADER.items():
        present = [name for name in known if name in lowered]
        if present:
            places[field] = lowered.index(present[0])
    return places if "value" in places else None


def _zeek_fields(line: str) -> list[str]:
    fields = line.split("\t")
    return ["" if f == "-" else unescape(f.encode("utf-8", "surrogateescape")) for f in fields]


def _csv_fields(line: str) -> list[str]:
    delimiter = next((d for d in (",", ";", "\t") if d in line), ",")
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def _of_row(fields: list[str], columns: dict[str, int], others: Counter[str]) -> Iterator[Indicator]:
    def get(name: str) -> str | None:
        place = columns.get(name)
        return fields[place].strip() or None if place is not None and place < len(fields) else None

    value, stated = get("value"), get("type")
    if value is None:
        raise ValueError("row without an indicator; skipped")
    if stated is None:
        yield from _of_line(value, get("source"), get("description"))
        return
    name = stated.rpartition("::")[2].strip()
    if name.upper() in OTHER_TYPES:
        others[name.lower()] += 1
        return
    # MISP states two values in one row: filename|md5, domain|ip, ip-dst|port.
    name = "filename|md5" if name.lower() == "malware-sample" else name
    names, values = name.split("|"), value.split("|")
    if len(names) == 1 or len(names) != len(values):
        names, values = [stated.partition("|")[0]], [value]
    for each, part in zip(names, values, strict=True):
        if each.lower() != "port" and each.upper() not in OTHER_TYPES:
            yield from _typed(each, part, get("source"), get("description"))


def _typed(name: str, value: str, source: str | None, description: str | None) -> Iterator[Indicator]:
    """The indicator of a row that states its type. Raises ValueError."""
    plain_name = name.rpartition("::")[2]
    kind = plain_name.upper() if plain_name.upper() in TYPES else _ALIASES.get(plain_name.lower())
    if kind is None:
        raise ValueError(f"indicator type {name[:80]!r} is unknown; skipped")
    value = value.strip()
    plain = value if kind == "SUBJECT" else refang(value)
    if kind == "ADDR" and "/" in plain:
        kind = "SUBNET"
    if kind in ("ADDR", "DOMAIN"):
        plain = without_port(plain)
    yield Indicator(kind, value, key_of(kind, plain), source, description)


def _of_line(line: str, source: str | None = None, description: str | None = None) -> Iterator[Indicator]:
    value = line.partition(" #")[0].strip().strip("\"'<>,;`|")
    if (digest := _HASH_FIRST.match(value)) is not None:  # as md5sum writes it, the name follows
        value = digest[1]
    plain = without_port(refang(value))
    kinds = kinds_of(plain)
    if not kinds and (first := _FIRST.match(value)) is not None:
        value = first[1]
        plain = without_port(refang(value))
        kinds = kinds_of(plain)
    if not kinds:
        raise ValueError(f"type of {value[:80]!r} not recognised; skipped (a CSV file with the header "
                         "`indicator,type` states types)")  # fmt: skip
    for kind in kinds:
        yield Indicator(kind, value, key_of(kind, plain), source, description)


# -- STIX bundles → values with the names of their types ---------------------------------------------


_COMPARISON = re.compile(
    r"(?P<object>[a-z0-9-]{1,64}):(?P<path>[A-Za-z0-9_.'\"\[\]*-]{1,200}?)\s*(?P<operator>=|IN)\s*"
    r"(?P<values>'(?:[^'\\]|\\.)*+'|\((?:[^()'\\]|'(?:[^'\\]|\\.)*+')*+\))"
)
_STRING = re.compile(r"'((?:[^'\\]|\\.)*+)'")
_ESCAPED = re.compile(r"\\(.)")
_NOT = re.compile(r"\bNOT\s*\Z")
_HASH = re.compile(r"hashes\b")
#: Object and property → type of indicator.
_TYPES = {
    ("ipv4-addr", "value"): "ADDR",
    ("ipv6-addr", "value"): "ADDR",
    ("domain-name", "value"): "DOMAIN",
    ("url", "value"): "URL",
    ("email-addr", "value"): "EMAIL",
    ("email-message", "subject"): "SUBJECT",
    ("email-message", "from_ref.value"): "EMAIL",
    ("email-message", "sender_ref.value"): "EMAIL",
    ("file", "name"): "FILE_NAME",
    ("user-account", "account_login"): "USER_NAME",
}


class Value(NamedTuple):
    """A value, the name of its type, and what the bundle says about it."""

    type: str
    value: str
    source: str | None
    description: str | None


def read_bundle(text: str) -> Iterator[Value]:
    """The values in a bundle, or in one object. Raises ValueError if the text is not STIX."""
    try:
        bundle = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(bundle, dict) or not isinstance(bundle.get("type"), str):
        raise ValueError("JSON without a type")
    objects = bundle.get("objects") if bundle["type"] == "bundle" else [bundle]
    if not isinstance(objects, list):
        raise ValueError("a bundle without objects")
    kept = [each for each in objects if isinstance(each, dict)]
    names = {each.get("id"): each.get("name") for each in kept if each.get("type") == "identity"}
    for each in kept:
        if each.get("revoked") is True:
            continue
        source = names.get(each.get("created_by_ref"))
        described = each.get("name") or each.get("description")
        for kind, value in _values(each):
            yield Value(kind, value, _text(source), _text(described))


def _values(each: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if each.get("type") == "indicator":
        pattern = each.get("pattern")
        if isinstance(pattern, str) and each.get("pattern_type", "stix") == "stix":
            yield from _of_pattern(pattern)
        return
    for (kind, name), indicator in _TYPES.items():
        if each.get("type") == kind and isinstance(value := each.get(name), str):
            yield indicator, value
    hashes = each.get("hashes")
    if each.get("type") == "file" and isinstance(hashes, dict):
        yield from (("FILE_HASH", value) for value in hashes.values() if isinstance(value, str))


def _of_pattern(pattern: str) -> Iterator[tuple[str, str]]:
    for match in _COMPARISON.finditer(pattern):
        path = match["path"].strip()
        kind = _TYPES.get((match["object"], path))
        if kind is None and match["object"] == "file" and _HASH.match(path):
            kind = "FILE_HASH"
        if kind is None or _NOT.search(pattern, max(0, match.start() - 8), match.start()):
            continue
        for string in _STRING.finditer(match["values"]):
            yield kind, _ESCAPED.sub(r"\1", string[1])


def _text(value: object) -> str | None:
    return value[:1_000] if isinstance(value, str) and value else None

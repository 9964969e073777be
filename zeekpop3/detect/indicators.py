"""Lists of indicators: Zeek intel files, plain lists, CSV files and STIX bundles, read into one form.

An indicator is compared by its `key`, the normalised value: addresses and domains in lower case, URLs without
scheme (as Zeek's Intel framework has them), hashes in lower case, networks with their host bits cleared. A
value in a plain list may be defanged (`hxxp://evil[.]example`), as reports write them.
"""

from __future__ import annotations

import csv
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zeekpop3.detect.spellings import file_key, url_key
from zeekpop3.detect.stix import read_bundle
from zeekpop3.errors import IndicatorError, reason
from zeekpop3.log.header import PCAP_MAGICS
from zeekpop3.log.zeek_format import unescape
from zeekpop3.message.sites import is_public_suffix, normal_host

#: The types that can be matched, named as in Zeek's `Intel::Type` (base/frameworks/intel/main.zeek).
#: Zeek has none for subjects.
TYPES = (
    "ADDR", "SUBNET", "URL", "DOMAIN", "EMAIL", "USER_NAME", "FILE_HASH", "FILE_NAME", "SOFTWARE", "SUBJECT",
)  # fmt: skip
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
_BINARY = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")
_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# A port behind an address or a name: 192.0.2.7:443, 192.0.2.7|443, evil.example:8080, [2001:db8::7]:25.
_WITH_PORT = re.compile(r"([^\s:/|@\[\]]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])[:|]([0-9]{1,5})")
_HASH = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")
_DEFANGED = (
    (re.compile(r"^h(?:xx|\*\*|tt)p(s?)(?=[\[(:])", re.IGNORECASE), r"http\1"),
    (re.compile(r"[\[({]://[\])}]|[\[({]:[\])}]//|:[\[({]//[\])}]"), "://"),
    (re.compile(r"[\[({]:[\])}](?=\d)"), ":"),
    (re.compile(r"\s?[\[({]\s?(?:\.|dot|punkt)\s?[\])}]\s?|\\\.", re.IGNORECASE), "."),
    (re.compile(r"\s?[\[({]\s?(?:@|at)\s?[\])}]\s?", re.IGNORECASE), "@"),
)
_DOMAIN = re.compile(r"(?:[\w](?:[\w-]{0,61}\w)?\.)+\w[\w-]{0,61}\w", re.IGNORECASE)
_EXTENSION = re.compile(
    r"\.(?:exe|dll|scr|js|jse|vbs|vbe|wsf|hta|bat|cmd|ps1|lnk|iso|img|vhd|zip|rar|7z|gz|tar|cab|ace|docx?|docm|xlsx?|"
    r"xlsm|xlsb|pptx?|pptm|rtf|pdf|html?|shtml|svg|one|jar|apk|msi|chm|url|xll|txt|csv|eml|msg)$",
    re.IGNORECASE,
)
_URL = re.compile(r"https?:|ftp:|//|\\\\", re.IGNORECASE)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")

OnError = Callable[[IndicatorError], None]


@dataclass(frozen=True, slots=True)
class Indicator:
    """One value to look for. `type` is one of TYPES, `value` as the list has it, `key` what is compared."""

    type: str
    value: str
    key: str
    source: str | None = None
    description: str | None = None


def read_indicators(
    paths: Iterable[str | Path], on_error: OnError | None = None, values: Iterable[str] = ()
) -> list[Indicator]:
    """The indicators of some files, and `values` as lines of a plain list; each (type, key) once, in order.

    Raises IndicatorError for a file that cannot be read or that holds no indicator. A line that cannot be
    used is reported to `on_error` and skipped; without `on_error` it raises.
    """
    found: dict[tuple[str, str], Indicator] = {}
    for path in paths:
        listed = list(_read_file(Path(path), on_error))
        if not listed:
            raise IndicatorError(path, _NOTHING)
        for indicator in listed:
            found.setdefault((indicator.type, indicator.key), indicator)
    for indicator in _read_lines(Path("values"), values, on_error, plain=True):
        found.setdefault((indicator.type, indicator.key), indicator)
    return list(found.values())


def _read_file(path: Path, on_error: OnError | None) -> Iterator[Indicator]:
    try:
        if not path.is_file():
            raise IndicatorError(path, "not a file" if path.exists() else "no such file")
        with path.open("rb") as raw:
            head = raw.read(_HEAD_BYTES)
        encoding = next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8-sig")
        if (problem := _no_list(head)) is not None and encoding == "utf-8-sig":
            raise IndicatorError(path, problem)
        errors = "replace" if encoding == "utf-16" else "surrogateescape"
        with path.open(encoding=encoding, errors=errors, newline="") as file:
            if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
                yield from _of_bundle(path, file.read(_MAX_BUNDLE), on_error)
                return
            lines = (line[:_MAX_LINE].rstrip("\r\n") for line in file)
            yield from _read_lines(path, lines, on_error)
    except OSError as error:
        raise IndicatorError(path, reason(error)) from error


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
    path: Path, lines: Iterable[str], on_error: OnError | None, *, plain: bool = False
) -> Iterator[Indicator]:
    columns: dict[str, int] | None = None
    split: Callable[[str], list[str]] = _zeek_fields
    first = not plain
    for number, line in enumerate(lines, 1):
        if line.startswith("#fields") and not plain:
            columns, split = _columns(line.split("\t")[1:]), _zeek_fields
            first = False
            continue
        if not line.strip() or line.startswith("#"):
            continue
        if first:
            first = False
            header = _csv_fields(line)
            if len(header) > 1 and (columns := _columns(header)) is not None:
                split = _csv_fields
                continue
        try:
            yield from _of_row(split(line), columns) if columns is not None else _of_line(line)
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


def _of_row(fields: list[str], columns: dict[str, int]) -> Iterator[Indicator]:
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
    plain = value if kind == "SUBJECT" else refang(value)
    if kind == "ADDR" and "/" in plain:
        kind = "SUBNET"
    if kind in ("ADDR", "DOMAIN"):
        plain = without_port(plain)
    yield Indicator(kind, value, key_of(kind, plain), source, description)


def _of_line(line: str, source: str | None = None, description: str | None = None) -> Iterator[Indicator]:
    value = line.partition(" #")[0].strip().strip("\"'<>,;")
    plain = without_port(refang(value))
    kinds = kinds_of(plain)
    if not kinds:
        raise ValueError(f"type of {value[:80]!r} not recognised; skipped (a CSV file with the header "
                         "`indicator,type` states types)")  # fmt: skip
    for kind in kinds:
        yield Indicator(kind, value, key_of(kind, plain), source, description)


def refang(value: str) -> str:
    """A defanged value as it was: `hxxp` → `http`, `[.]` → `.`, `[at]` → `@`."""
    for pattern, replacement in _DEFANGED:
        value = pattern.sub(replacement, value)
    return value


def without_port(value: str) -> str:
    """An address or a host name without the port behind it; other values as they are."""
    match = _WITH_PORT.fullmatch(value)
    return match[1] if match is not None else value


def kinds_of(value: str) -> list[str]:
    """The types that a value without a stated type can have; empty if none is recognised.

    `report.zip` is a file name and a domain; it is matched as both.
    """
    if _HASH.fullmatch(value):
        return ["FILE_HASH"]
    if "://" in value or _URL.match(value):
        return ["URL"]
    try:
        ipaddress.ip_address(value.strip("[]"))
        return ["ADDR"]
    except ValueError:
        pass
    if "/" in value:
        try:
            ipaddress.ip_network(value, strict=False)
            return ["SUBNET"]
        except ValueError:
            return ["URL"] if _DOMAIN.fullmatch(value.partition("/")[0]) else []
    if _EMAIL.fullmatch(value):
        return ["EMAIL"]
    found = ["FILE_NAME"] if _EXTENSION.search(value) else []
    host = normal_host(value.lstrip("*."))
    top = host.rpartition(".")[2]
    if _DOMAIN.fullmatch(host) and not top.isdigit() and (not found or is_public_suffix(top)):
        found.append("DOMAIN")
    return found


def key_of(kind: str, value: str) -> str:
    """The form of a value that is compared. Raises ValueError if it does not have the form of its type."""
    if kind == "ADDR":
        address = ipaddress.ip_address(value.strip("[]"))
        return str(getattr(address, "ipv4_mapped", None) or address)
    if kind == "SUBNET":
        return str(ipaddress.ip_network(value, strict=False))
    if kind == "FILE_HASH":
        if not _HASH.fullmatch(value):
            raise ValueError(f"invalid hash {value[:80]!r}: expected MD5, SHA-1 or SHA-256 in hex; skipped")
        return value.lower()
    if kind == "URL":
        return url_key(value)
    if kind == "DOMAIN":
        return normal_host(value.lstrip("*."))
    if kind == "EMAIL":
        local, at, host = value.strip("<> ").lower().rpartition("@")
        return f"{local}{at}{normal_host(host)}"
    if kind == "SUBJECT":
        return " ".join(value.split()).casefold()
    if kind == "FILE_NAME":
        return file_key(value)
    return value.casefold()  # USER_NAME, SOFTWARE

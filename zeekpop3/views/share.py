"""Chosen mails for others: one's own people, hosts and sites are replaced, the attacker's stay.

Goal: somebody else can work with the case, and learns nothing about who was attacked. Plan:

1. What is own is collected from all tables: the own sites; users, also refused ones; mailboxes at own sites,
   with their names; the addresses of clients and servers, and every private IP address.
2. Each text is read token by token. An address or host below an own site, an own IP address and each word of
   an own name become pseudonyms; a host that is somebody else's stays as it is, whatever words it is made of.
3. Tokens in percent-encoding, HTML references, base64 or hex are decoded first: if what they say is own, they
   go.

A pseudonym is an HMAC under a key that stays here, so that it is the same in each share of these tables. Raw
messages and contents of attachments go only if they are asked for: they hold everything as it was.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html
import ipaddress
import os
import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from zeekpop3.errors import OutputError, QueryError, reason
from zeekpop3.log.find import is_log_name
from zeekpop3.store.dataset import connect
from zeekpop3.store.files import new_file
from zeekpop3.store.filters import Filters
from zeekpop3.store.read import read_table
from zeekpop3.store.write import TableWriter
from zeekpop3.tables.schema import TABLES
from zeekpop3.views.queries import filled
from zeekpop3.views.sql import add_functions

KEY_FILE = ".zeekpop3-share-key"
_KEY_BYTES = 32
_SECRET = {"raw", "content"}  # columns that hold everything as it was
_TOKEN = re.compile(
    r"(?P<local>[\w.+-]{1,64}@)?(?P<host>(?:[\w-]{1,63}\.){1,10}[\w-]{1,63})"
    r"|(?P<v6>[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{2,45})|(?P<word>[^\W_]+)"
)
_RUN = re.compile(r"[^\s<>\"']+")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,2048}={0,2}")
_WORD = re.compile(r"[^\W_]+")
_FILE = re.compile(
    r"(?i:pdf|docx?|docm|xlsx?|xlsm|pptx?|txt|rtf|csv|html?|zip|gz|7z|rar|exe|scr|js|vbs|lnk|iso|img|png|jpe?g|gif|eml)"
)
_MIN_WORD, _MIN_JOINED = 3, 5
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "å": "aa", "ø": "oe", "æ": "ae"})
_MAX_KEPT = 100
#: Networks for private use (RFC 1918, 6598, 4193, 3927, 4291).
_PRIVATE = [
    ipaddress.ip_network(each)
    for each in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "fc00::/7", "fe80::/10", "::1/128",
    )
]  # fmt: skip
#: Keys of the mails in one step: bounds the memory.
_STEP = 2000


@dataclass(slots=True)
class Own:
    """What is one's own: sites, words of names, whole names with dots, IP addresses (as text)."""

    sites: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    dotted: set[str] = field(default_factory=set)

    def add_name(self, name: str | None) -> None:
        """Add the words of a user, a local part or a display name, also as users and files join them."""
        name = unicodedata.normalize("NFC", name or "").lower()
        words = _WORD.findall(name)
        if "." in name:
            self.dotted.add(name)
        for word in words:
            if len(word) >= _MIN_WORD or (len(words) == 1 and not word.isdecimal()):
                self.words |= {word, word.translate(_UMLAUTS), _without_marks(word)}
        if len(words) > 1:
            first, last = words[0], words[-1]
            joined = ("".join(words), last + first, first[0] + last, last + first[0])
            self.words |= {word for word in joined if len(word) >= _MIN_JOINED}


def _without_marks(word: str) -> str:
    """The word without accents: muller for müller."""
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))


class Pseudonyms:
    """Replaces what is own in texts, by HMACs under a key.

    `kept`: hosts and addresses of others that stay, although they have an own word in them, such as a
    look-alike of an own site; some of them.
    """

    def __init__(self, own: Own, key: bytes) -> None:
        self._own, self._key = own, key
        self.kept: set[str] = set()
        self._made: dict[str, str] = {}

    def text(self, text: str) -> str:
        """The text with pseudonyms. Linear in its length."""
        if text not in self._made:
            if len(self._made) > 100_000:
                self._made.clear()
            plain = unicodedata.normalize("NFC", text)
            self._made[text] = _BASE64.sub(
                self._base64, _TOKEN.sub(self._token, _RUN.sub(self._encoded, plain))
            )
        return self._made[text]

    def address(self, text: str) -> str:
        """An IP address of an own or private network; the others stay. Prefixes stay prefixes."""
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return text
        private = any(address in network for network in _PRIVATE if network.version == address.version)
        if not private and text not in self._own.addresses:
            return text
        packed, made = address.packed, bytearray()
        for place in range(len(packed)):
            made.append(self._hash("ip", packed[: place + 1].hex())[0])
        made[0] = 10 if len(made) == 4 else 0xFD  # private addresses, as they stand for ours
        return str(ipaddress.ip_address(bytes(made)))

    def _token(self, match: re.Match[str]) -> str:
        host, word, v6 = match["host"], match["word"], match["v6"]
        if v6 is not None:
            made = self.address(v6.rstrip(".:") if v6.endswith(".") else v6)
            return made if made != v6 else _WORD.sub(self._word, v6)
        if word is not None:
            return self._word(match)
        if host[0].isdigit() and match["local"] is None and host.replace(".", "").isdecimal():
            return self.address(host)
        if (site := self._own_site(host.lower())) is not None:
            local = "" if match["local"] is None else self._named("user", match["local"][:-1]) + "@"
            below = host[: len(host) - len(site)].rstrip(".")
            return (
                local
                + (self._named("host", below) + "." if below else "")
                + self._named("site", site)
                + ".example"
            )
        if match["local"] is None and (
            host.lower() in self._own.dotted or _FILE.fullmatch(host.rpartition(".")[2])
        ):
            return _WORD.sub(self._word, host)
        if len(self.kept) < _MAX_KEPT:
            named = [
                text for text in (host, match["local"]) if any(map(self._is_own, _WORD.findall(text or "")))
            ]
            self.kept |= {host.lower()} if named == [host] else {match[0].lower()} if named else set()
        return match[0]

    def _word(self, match: re.Match[str]) -> str:
        return self._named("name", match[0]) if self._is_own(match[0]) else match[0]

    def _is_own(self, word: str) -> bool:
        """Also with a number behind it: anna2026."""
        word = word.lower()
        return word in self._own.words or (
            word[-1].isdecimal() and word.rstrip("0123456789") in self._own.words
        )

    def _encoded(self, match: re.Match[str]) -> str:
        if "%" not in match[0] and "&" not in match[0]:
            return match[0]
        plain = html.unescape(unquote(match[0]))
        return plain if _TOKEN.sub(self._token, plain) != plain else match[0]

    def _base64(self, match: re.Match[str]) -> str:
        token = match[0].rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
        for decoded in (base64.b64decode, bytes.fromhex):
            try:
                plain = decoded(token + "=" * (-len(token) % 4) * (decoded is base64.b64decode)).decode()
            except (binascii.Error, ValueError):
                continue
            if _TOKEN.sub(self._token, plain) != plain:
                return self._named("token", match[0])
        return match[0]

    def _own_site(self, host: str) -> str | None:
        labels = host.split(".")
        for start in range(len(labels)):
            if (site := ".".join(labels[start:])) in self._own.sites:
                return site
        return None

    def _named(self, kind: str, value: str) -> str:
        return f"{kind}-{base64.b32encode(self._hash(kind, value.lower()))[:8].decode().lower()}"

    def _hash(self, kind: str, value: str) -> bytes:
        return hmac.digest(self._key, f"{kind}:{value}".encode(), hashlib.sha256)


def share(
    path: str | Path,
    out: str | Path,
    filters: Filters | None = None,
    *,
    own: Collection[str] = (),
    raw: bool = False,
    overwrite: bool = False,
    kept: set[str] | None = None,
) -> int:
    """Write the mails that match, with all that belongs to them, to the new tables `out`; returns their
    number.

    `own` are the own sites (default: the guess of the query `suspicious`); `raw` keeps messages and contents
    as they were. `kept` gets hosts and addresses of others that have own words in them. The key lies in
    `path` (0600) and is made once. Raises QueryError for the tables, or if no own site is known; OutputError.
    """
    path = Path(path)
    mails = read_table(path, "emails", ["uid", "trans_depth"], filters or Filters()).to_pylist()
    keys = sorted({(mail["uid"], mail["trans_depth"]) for mail in mails})
    if not keys:
        return 0
    pseudonyms = Pseudonyms(_collect(path, own), _key(path))
    with TableWriter(out, "overwrite" if overwrite else "new") as writer:
        for start in range(0, len(keys), _STEP):
            chosen = frozenset(keys[start : start + _STEP])
            for name, table in _tables(path, chosen, {uid for uid, _ in keys[:start]}):
                if table.num_rows:
                    writer.write(name, _shared(table, pseudonyms, raw))
    if kept is not None:
        kept |= pseudonyms.kept
    return len(keys)


def _tables(path: Path, keys: frozenset[tuple[str, int]], done: set[str]) -> Iterable[tuple[str, pa.Table]]:
    """The rows of the mails in each table, and those of their connections that are not `done`."""
    for name, table in TABLES.items():
        columns = {column.name for column in table.columns}
        if "trans_depth" in columns:
            yield name, read_table(path, name, None, Filters(keys=keys))
        elif "uid" in columns:
            for uid in sorted({uid for uid, _ in keys} - done):
                yield name, read_table(path, name, None, Filters(uid=uid))


def _shared(table: pa.Table, pseudonyms: Pseudonyms, raw: bool) -> pa.Table:
    for place, column in enumerate(table.schema):
        if column.name == "community_id" or (column.name in _SECRET and not raw):
            # A community id is a hash of addresses that can be guessed.
            values: Any = pa.nulls(table.num_rows, column.type)
        elif column.name == "log":  # a file may be named after somebody
            names = table.column(place).to_pylist()
            values = [v if v is not None and is_log_name(PurePath(v).name) else None for v in names]
        elif column.name in ("id_orig_h", "id_resp_h"):
            values = [None if v is None else pseudonyms.address(v) for v in table.column(place).to_pylist()]
        elif _has_text(column.type):
            values = [_mapped(value, pseudonyms) for value in table.column(place).to_pylist()]
        else:
            continue
        table = table.set_column(
            place, column, pa.array(values, column.type) if isinstance(values, list) else values
        )
    return table


def _has_text(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind):
        return _has_text(kind.value_type)
    if pa.types.is_struct(kind):
        return any(_has_text(part.type) for part in kind)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))


def _mapped(value: Any, pseudonyms: Pseudonyms) -> Any:
    if isinstance(value, str):
        return pseudonyms.text(value)
    if isinstance(value, list):
        return [_mapped(each, pseudonyms) for each in value]
    if isinstance(value, dict):
        return {name: _mapped(each, pseudonyms) for name, each in value.items()}
    return value


def _collect(path: Path, sites: Collection[str]) -> Own:
    """What is own, from all tables. Raises QueryError if no own site is known."""
    own = Own()
    with connect(path) as connection:
        add_functions(connection)

        def ask(statement: str) -> list[Any]:
            return connection.execute(statement).fetchall()

        own.sites = {site.lower() for (site,) in ask(filled("{own}", sites)) if site}
        if not own.sites:
            raise QueryError(f"{path}: no own site is known to be hidden; name it with --own SITE")
        for site in tuple(own.sites):
            own.add_name(site.partition(".")[0])  # the name of the organisation
            if not site.isascii():
                own.sites.add(site.encode("idna").decode())
        listed = ", ".join("'" + site.replace("'", "''") + "'" for site in own.sites)
        names = ask('select distinct unnest(coalesce(users_refused, []) || ["user"]) from sessions')
        names += ask('select distinct "user" from emails')
        names += ask("select distinct sensor from sessions")
        own_mailbox = f"site in ({listed}) or domain in ({listed})"
        for address, name in ask(f"select distinct local_part, name from addresses where {own_mailbox}"):
            names += [(address,), (name,)]
        for (name,) in names:
            own.add_name((name or "").partition("@")[0])
        for (address,) in ask("select distinct unnest([id_orig_h, id_resp_h]) from sessions"):
            own.addresses.add(address or "")
        for (address,) in ask("select distinct unnest([id_orig_h, id_resp_h]) from emails"):
            own.addresses.add(address or "")
    return own


def _key(path: Path) -> bytes:
    """The key of these tables; made when it is first needed. Raises OutputError."""
    file = path / KEY_FILE
    if not path.is_dir():
        raise OutputError(f"{path}: share takes one folder of tables, which keeps the key of the pseudonyms")
    try:
        if not file.exists():
            with new_file(file) as new:
                new.write(os.urandom(_KEY_BYTES))
        key = file.read_bytes()
    except OSError as error:
        raise OutputError(f"{file}: {reason(error)}") from error
    if len(key) != _KEY_BYTES:
        raise OutputError(f"{file}: not a key for pseudonyms ({_KEY_BYTES} bytes expected)")
    return key

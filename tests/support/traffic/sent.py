"""What the exact form's script makes of the client's lines, without a Zeek: `sent` rows without secrets.

A second reading of zeek-scripts/client.zeek, login.zeek and secrets.zeek; limits are left out, and so are
rows that several commands share.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

NUMBERED = ("RETR", "TOP", "LIST", "UIDL", "DELE")
VERBS = {
    *NUMBERED,
    *("APOP", "AUTH", "CAPA", "LANG", "LAST", "NOOP", "PASS", "QUIT", "RSET", "STAT", "STLS", "USER", "UTF8"),
    *("XOIP", "XSENDER", "XTND"),
}
MECHANISMS = {
    *("ANONYMOUS", "CRAM-MD5", "DIGEST-MD5", "EXTERNAL", "GSSAPI", "LOGIN", "NTLM", "OAUTHBEARER", "PLAIN"),
    *("SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2"),
}
RESPONSES = {"LOGIN": 2, "NTLM": 2, "DIGEST-MD5": 2, "SCRAM-SHA-1": 2, "SCRAM-SHA-256": 2}
_STATUS = re.compile(rb"(\+OK|-ERR)(?![A-Za-z0-9])", re.I)
_LONG = re.compile(rb".{255}.*[ \t]", re.S)
_FORMS = {
    "PLAIN": rb"(?!([^\0]*)\0[^\0]*\0\1\Z)(?P<mailbox>[^\0]*)\0(?P<user>[^\0]+)\0[^\0]+",
    "LOGIN": rb"(?P<user>.+)",
    "EXTERNAL": rb"(?P<user>.+)",
    "CRAM-MD5": rb"(?P<user>.+) [0-9a-f]{32}",
    "XOAUTH2": rb"user=(?P<user>[^\0\x01]+)\x01auth=Bearer [^\0\x01]+\x01\x01",
    "OAUTHBEARER": rb"[ny],a=(?P<user>[^,=]+),\x01(?:[A-Za-z]+=[^\0\x01]*\x01)+\x01",
    "SCRAM-SHA-1": rb"[ny],(?:a=(?P<mailbox>[^,=]+))?,n=(?P<user>[^,=]+),r=[^,]+",
    "SCRAM-SHA-256": rb"[ny],(?:a=(?P<mailbox>[^,=]+))?,n=(?P<user>[^,=]+),r=[^,]+",
}
_ASKS_FOR_NAME = re.compile(rb"[ \t]*(?:user ?name|login)[ \t]*:?[ \t]*\0?", re.I)


def clean_name(name: bytes) -> bytes:
    """The name, if it is text without control characters."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return b""
    return b"" if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in text) else name


def user_of_response(mechanism: str, response: bytes) -> bytes:
    """The user in the first response of a mechanism, if it has the mechanism's form: the mailbox and, behind
    a NUL, who logs in, if that is another name."""
    if len(response) % 4:
        return b""
    try:
        message = base64.b64decode(response, validate=True)
    except ValueError:
        return b""
    if mechanism == "NTLM":
        return clean_name(_user_of_ntlm(message))
    found = re.fullmatch(_FORMS.get(mechanism, rb"(?!)"), message, re.S)
    if found is None:
        return b""
    user = clean_name(found["user"])
    mailbox = found.groupdict().get("mailbox") or found["user"]
    if mailbox == found["user"] or not user:
        return user
    return clean_name(mailbox) and clean_name(mailbox) + b"\0" + user


def asks_for_name(challenge: bytes) -> bool:
    """Whether the answer to a challenge of LOGIN or EXTERNAL can be no password."""
    text = challenge[1:].strip()
    if len(text) > 40:
        return False
    try:
        return not text or _ASKS_FOR_NAME.fullmatch(base64.b64decode(text, validate=True)) is not None
    except ValueError:
        return False


def _user_of_ntlm(message: bytes) -> bytes:
    """Domain and name of an AUTHENTICATE_MESSAGE ([MS-NLMP], section 2.2.1.3)."""
    if len(message) < 64 or not message.startswith(b"NTLMSSP\0\3\0\0\0"):
        return b""
    found = []
    for place in (28, 36):
        length, _, offset = struct.unpack_from("<HHI", message, place)
        value = message[offset : offset + length]
        whole = len(value) == length <= 640 and offset >= 52
        if message[60] & 1:
            value = value.decode("utf-16-le", "replace").encode()
        found.append(value if whole else b"")
    return b"\\".join(found) if all(found) else found[1]


def public_argument(verb: str, words: list[bytes]) -> bytes:
    """What of a command's argument is logged."""
    argument = b" ".join(words[1:])
    if verb in NUMBERED:
        wanted = rb"\d{1,10}( \d{1,10})?" if verb == "TOP" else rb"\d{1,10}"
        return argument if re.fullmatch(wanted, argument) else b""
    if (verb, len(words)) in (("USER", 2), ("APOP", 3)):
        return clean_name(words[1])
    if verb == "AUTH" and len(words) > 1:
        mechanism = words[1].upper().decode("latin-1")
        if mechanism not in MECHANISMS:
            return b""
        user = user_of_response(mechanism, words[2]) if len(words) == 3 and mechanism != "NTLM" else b""
        return b" ".join([mechanism.encode(), user]).strip()
    return b""


@dataclass
class _Login:
    owed: int
    mechanism: str | None = None
    expected: int = 0
    number: int = 1
    challenges: int = 0
    responses: int = 0
    doubtful: bool = False


class SentLines:
    """Lines of both sides in, `sent` rows out: `emit(command, data, offset)`."""

    def __init__(self, emit: Callable[[str | None, bytes, int], None]) -> None:
        self.server_next = 0
        self.commanded = self.greeted = self.answered = False
        self.stls_accepted = False
        self._emit = emit
        self._login: _Login | None = None
        self._logged_in = False
        self._skip = self._skip_lost = False
        self._burst = (0, 0)
        self._line, self._server_line = b"", b""
        self._stls = False
        self._crlf = self._unclear = False

    @property
    def confirmed(self) -> bool:
        """Whether the connection has proved to be POP3."""
        return self.commanded and self.answered

    @property
    def between_lines(self) -> bool:
        """Whether neither side is in the middle of a line, as far as is known."""
        return not self._line and self._server_line in (b"", b"?")

    def client(self, data: bytes) -> None:
        if self._skip:
            _, newline, data = data.partition(b"\n")
            if not newline:
                return
            self._skip = self._skip_lost = self._stls = False
            self._count()
            self._emit(None, b"", self.server_next)
        *lines, self._line = (self._line + data).split(b"\n")
        if len(lines) > 8 and not self._all_clear(lines):
            self._unclear = not lines[-1].endswith(b"\r")
            for _ in lines:
                self._unclear_line()
            return
        for line in lines:
            self._client_line(line)

    def server(self, data: bytes) -> None:
        if self._skip_lost and self._logged_in:
            self._skip = self._skip_lost = False
        self.server_next += len(data)
        *lines, self._server_line = (self._server_line + data).split(b"\n")
        for line in lines:
            self._server_read(line)

    def client_gap(self) -> None:
        self._line = b""
        self._unclear = False
        self._skip = self._skip_lost = True
        self._stls = False
        if self._login:
            self._login.doubtful = True

    def server_gap(self, length: int) -> None:
        self.server_next += length
        self._server_line = b"?"
        self.stls_accepted = self._stls
        if self._login:
            self._login.doubtful = True

    def _count(self) -> int:
        offset, lines = self._burst
        self._burst = (self.server_next, lines + 1 if offset == self.server_next else 1)
        return self._burst[1]

    def _is_clear(self, line: bytes) -> bool:
        """Whether a line is one line for every server."""
        if _LONG.match(line):
            self._unclear = not line.endswith(b"\r")
            return False
        if re.fullmatch(rb"[^\r\0]*\r+", line):
            self._crlf, clear, self._unclear = True, not self._unclear, False
            return clear
        clear = not self._crlf and b"\r" not in line and b"\0" not in line
        self._unclear = not clear and not line.endswith(b"\r")
        return clear

    def _all_clear(self, lines: list[bytes]) -> bool:
        """Many lines at once are judged together."""
        if self._unclear or any(map(_LONG.match, lines)):
            return False
        if all(re.fullmatch(rb"[^\r\0]*\r+", line) for line in lines):
            return True
        return not self._crlf and not any(b"\r" in line or b"\0" in line for line in lines)

    def _unclear_line(self) -> None:
        self._count()
        self._stls = self.stls_accepted = False
        if self._login:
            self._login.number += 1
            self._login.doubtful = True
        self._emit("?", b"", self.server_next)

    def _client_line(self, line: bytes) -> None:
        if not self._is_clear(line):
            self._unclear_line()
            return
        owed = self._count() - (self.server_next > 0)
        self._stls = False
        login, bare = self._login, line.rstrip(b"\r")
        asked = False
        if login is not None:
            number = login.number
            login.number += 1
        if login is not None and login.mechanism is not None:
            asked = login.challenges > login.responses
            shaped = re.fullmatch(rb"[A-Za-z0-9+/]*={0,2}|\*", bare) is not None
            if asked or (shaped and login.expected > login.responses):
                login.responses += 1
            if shaped and (asked or login.expected >= login.responses > 0):
                named = number == (2 if login.mechanism == "NTLM" else 1) and not login.doubtful
                user = user_of_response(login.mechanism, bare) if named else b""
                self._emit(None, user, self.server_next)
                return
        words = line.split()
        verb = words[0].upper().decode("latin-1") if words else ""
        if verb not in VERBS:
            self._emit(None, b"", self.server_next)
            return
        self.commanded = True
        if asked:
            self._emit(verb, b"", self.server_next)
            return
        if verb in ("PASS", "APOP", "AUTH"):
            self._begin_login(verb, words, owed)
        elif verb == "USER":
            self._logged_in = False
        self._stls, self.stls_accepted = verb == "STLS", False
        self._emit(verb, public_argument(verb, words), self.server_next)

    def _begin_login(self, verb: str, words: list[bytes], owed: int) -> None:
        self._logged_in = False
        if verb != "AUTH":
            self._login = _Login(owed)
        elif len(words) > 1:
            mechanism = words[1].upper().decode("latin-1")
            self._login = _Login(owed, mechanism, RESPONSES.get(mechanism, 1))
            if len(words) > 2 and (words[2] != b"=" or mechanism in ("LOGIN", "EXTERNAL")):
                self._login.number, self._login.expected = 2, self._login.expected - 1

    def _server_read(self, line: bytes) -> None:
        login, status = self._login, _STATUS.match(line) is not None
        if status and login is not None and login.owed > 0:
            login.owed -= 1
        elif status and login is not None:
            self._logged_in, self._login = line.startswith(b"+"), None
        elif line.startswith(b"+") and login is not None:
            login.owed = 0
            login.challenges += 1
            if login.mechanism in ("LOGIN", "EXTERNAL") and login.number == 1 and not asks_for_name(line):
                login.doubtful = True
        self.stls_accepted = self._stls and status and line.startswith(b"+")
        if status and (self.greeted or self.commanded):
            self.answered = True
        self.greeted = True

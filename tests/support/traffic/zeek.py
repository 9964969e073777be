"""A stand-in for Zeek: its line splitter, its POP3 analyzer with all its quirks, and the marks of its MIME
parser.

Written after the behaviour of src/analyzer/protocol/pop3/POP3.cc, tcp/ContentLine.cc and mime/MIME.cc (Zeek
8.0), so that the session machine can be tested where no Zeek is, on any cut of the stream and any loss. The
recorded logs in fixtures/ are the real thing; a test compares the two.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterator

Emit = Callable[[str, "str | None", bytes], None]
"""Called with kind, command and data of an event log row."""

VERBS = (
    *("OK", "ERR", "USER", "PASS", "APOP", "AUTH", "STAT", "LIST", "RETR", "DELE"),
    *("RSET", "NOOP", "LAST", "QUIT", "TOP", "CAPA", "UIDL", "STLS", "XSENDER"),
)
_TRANSACTION = {"STAT", "LIST", "RETR", "DELE", "RSET", "NOOP", "LAST", "TOP", "UIDL", "XSENDER"}
_LOGIN_STATES = {"USER", "PASS", "APOP", "AUTH", "AUTH_LOGIN", "AUTH_PLAIN", "AUTH_CRAM_MD5"}
_SILENT_LOGIN = {"PASS", "APOP", "NOOP", "LAST", "STAT", "RSET", "DELE", "XSENDER"}


def trimmed(line: bytes) -> bytes:
    """What Zeek's trim_whitespace leaves of a line."""
    text = line.split(b"\0", 1)[0].lstrip(b" \t")
    return re.sub(rb" +", b" ", text).removesuffix(b" ")


def trimmed_sha256(message: bytes) -> str:
    """A hash by which a message can be known again in the plain form: that of its trimmed lines, leading
    dots left out (stuffing cannot always be recognised there) and joined with LF."""
    text = re.sub(rb"\r\n?", b"\n", message)
    if b"\0" in text:
        text = re.sub(rb"\0[^\n]*", b"", text)
    text = re.sub(rb"(?m)^[ \t]+", b"", text)
    text = re.sub(rb"(?m) $|^\.+", b"", re.sub(rb"  +", b" ", text))
    return hashlib.sha256(text.rstrip(b"\n")).hexdigest()


class Lines:
    """Splits a stream into lines as Zeek does: CRLF, LF or CR ends one; a CR at the end of a segment does
    at once."""

    def __init__(self) -> None:
        self._held = b""
        self._after_cr = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._after_cr and data[:1] == b"\n":
            data = data[1:]
        if not data:
            self._after_cr = False
            return
        self._after_cr = data[-1:] == b"\r"
        pieces = re.split(rb"\r\n|\r|\n", data)
        pieces[0] = self._held + pieces[0]
        self._held = pieces.pop()
        yield from pieces

    def end(self) -> Iterator[bytes]:
        """The stream has ended: what is left is a line, too."""
        if self._held:
            yield self._held
            self._held = b""


class Entity:
    """Where the header fields of a mail and of its parts end, as `mime_one_header` tells."""

    def __init__(self, mark: Callable[[bytes], None]) -> None:
        self._mark = mark
        self._header = True
        self._field: list[bytes] = []
        self._type, self._boundary = b"", b""
        self._child: Entity | None = None
        self._done = False

    def line(self, line: bytes) -> None:
        if self._header:
            self._header_line(line)
        elif self._type == b"multipart":
            self._multipart_line(line)
        elif self._type == b"message" and self._child is not None:
            self._child.line(line)

    def _header_line(self, line: bytes) -> None:
        if not line or line[:1] == b"\0":
            self._finish()
            self._header = False
            if self._type == b"message":
                self._child = Entity(self._mark)
        elif line[:1] in (b" ", b"\t") and self._field:
            self._field.append(line)
        else:
            self._finish()
            self._field = [line.lstrip(b" \t")]

    def _multipart_line(self, line: bytes) -> None:
        if line.startswith(b"--" + self._boundary):
            if self._child is not None:
                self._child.end()
                self._child = None
            if line[2 + len(self._boundary) :].startswith(b"--"):
                self.end()
            elif not self._done:
                self._child = Entity(self._mark)
        elif self._child is not None:
            self._child.line(line)

    def _finish(self) -> None:
        text, self._field = b"".join(self._field), []
        match = re.match(rb"(?:[ \t]|\([^)]*\))*([!-9;-~]+)[ \t]*(?:\([^)]*\)[ \t]*)?:\s*", text)
        if match is None:
            return
        self._mark(match[1])
        if match[1].lower() == b"content-type":
            value = text[match.end() :]
            self._type = value.split(b"/")[0].strip().lower()
            found = re.search(rb';\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([!#-~]+))', value, re.I)
            if found:
                self._boundary = found[1] or found[2]
            elif self._type == b"multipart":
                self._type = b""

    def end(self) -> None:
        if self._done:
            return
        self._done = True
        if self._header:
            self._finish()
            self._header = False
        if self._child is not None:
            self._child.end()


class Pop3:
    """Zeek's POP3 analyzer: lines of both ends in, the events out, in the order in which it raises them.

    Commands are processed when the response before has ended. After a lost terminator it is one response
    late and stays so.
    """

    def __init__(self, emit: Emit, *, confirmed: Callable[[], None] = lambda: None) -> None:
        self._emit, self._confirmed = emit, confirmed
        self.tls = False
        self._master, self._state, self._last = "START", "START", "START"
        self._guessing = self._waiting = self._want_multi = self._multi = False
        self._pending: deque[bytes] = deque()
        self._user, self._auth_lines = b"", 0
        self._mail: Entity | None = None

    def client_line(self, line: bytes) -> None:
        if self.tls or not line:
            return
        if self._waiting:
            self._sasl(line)
            return
        self._pending.append(line)
        if len(self._pending) == 1:
            self._command()

    def server_line(self, line: bytes) -> None:
        if self.tls:
            return
        if self._multi:
            self._multi_line(line)
            return
        verb, message = _words(line)
        if verb == "OK":
            self._ok(line, message)
        elif verb == "ERR":
            self._err(message)

    def end(self) -> None:
        """The connection is removed."""
        if self._mail is not None:
            self._mail.end()
            self._mail = None
            self._emit("end", None, b"")

    def _sasl(self, line: bytes) -> None:
        self._auth_lines += 1
        try:
            said = base64.b64decode(line)
        except binascii.Error:
            return
        if self._state == "AUTH_LOGIN" and self._auth_lines == 1:
            self._user = said
        elif self._state == "AUTH_PLAIN" and said.count(b"\0") >= 2:
            self._user = said.split(b"\0")[1]
        elif self._state == "AUTH_CRAM_MD5":
            self._user = said.split(b" ")[0]

    def _command(self) -> None:
        if not self._pending:
            return
        verb, argument = _words(self._pending[0])
        if verb is None or verb in ("OK", "ERR"):
            return
        if verb in ("RETR", "TOP", "CAPA") or (verb in ("LIST", "UIDL") and not argument):
            self._want_multi = True
        if not self._allowed(verb):
            self._refuse(verb)
            return
        self._emit("request", verb, argument)
        self._state = "LAST" if verb == "XSENDER" else verb
        if verb == "USER":
            self._user = argument
        elif verb == "APOP":
            self._user = re.split(rb"[ \t]", argument)[0]
        elif verb == "AUTH":
            self._auth(argument)

    def _allowed(self, verb: str) -> bool:
        if verb in ("USER", "APOP", "AUTH"):
            return self._master == "AUTHORIZATION"
        if verb == "PASS":
            return self._master == "AUTHORIZATION" and self._state == "USER"
        if verb == "QUIT":
            return self._master in ("START", "AUTHORIZATION", "TRANSACTION")
        return self._master == "TRANSACTION" or verb not in _TRANSACTION

    def _refuse(self, verb: str) -> None:
        if (verb in _TRANSACTION and verb != "STAT") or verb == "QUIT":
            self._guessing = True
            self._last = "LAST" if verb == "QUIT" else verb
        where = "authorization" if verb in ("USER", "APOP", "PASS") else "transaction"
        wrong_pass = verb == "AUTH" or (verb == "PASS" and self._master == "AUTHORIZATION")
        text = (
            "pass must follow the command 'USER'"
            if wrong_pass
            else f"not allowed in other state than '{where}'"
        )
        self._emit("unexpected", verb, text.encode())

    def _auth(self, argument: bytes) -> None:
        if not argument:
            self._want_multi = True
            return
        for name in ("LOGIN", "PLAIN", "CRAM-MD5"):
            if name.encode() in argument:
                self._state = "AUTH_" + name.replace("-", "_")
                break
        else:
            self._emit("unexpected", "AUTH", b"unknown AUTH method " + argument)
        self._waiting, self._auth_lines = True, 0

    def _multi_line(self, line: bytes) -> None:
        if line == b".":
            self._multi = self._want_multi = False
            self.end()
            self._next()
            return
        if self._state in ("RETR", "TOP") and self._mail is not None:
            self._mail.line(line)
        self._emit("data", None, trimmed(line))

    def _ok(self, line: bytes, message: bytes) -> None:
        if self._guessing:
            self._master, self._state, self._guessing = "TRANSACTION", self._last, False
            self._emit("unexpected", "OK", b"no auth required -> state changed to 'transaction'")
        state = self._state
        if state == "START":
            self._master = "AUTHORIZATION"
        elif state == "USER":
            self._master = "AUTHORIZATION"
            self._confirmed()
        elif state in _SILENT_LOGIN:
            if self._master == "AUTHORIZATION":
                self._login("success")
            self._master = "TRANSACTION"
        elif state.startswith("AUTH"):
            self._multi = self._want_multi
            if self._waiting:
                self._master = "TRANSACTION"
            self._waiting = False
            self._login("success")
        elif state in ("TOP", "RETR"):
            if self._mail is None:
                self._mail = Entity(lambda name: self._emit("header", name.decode("latin-1"), b""))
            self._mail.line(line)
            self._multi = self._want_multi
        elif state in ("CAPA", "UIDL", "LIST"):
            if state == "CAPA":
                self._confirmed()
            self._multi = self._want_multi
        elif state == "STLS":
            self._confirmed()
            self.tls = True
            self._emit("starttls", None, b"")
            return
        elif state == "QUIT":
            self._master = "UPDATE" if self._master == "TRANSACTION" else "FINISHED"
        self._emit("reply", "OK", message)
        if not self._multi:
            self._next()

    def _err(self, message: bytes) -> None:
        self._multi = self._want_multi = self._guessing = self._waiting = False
        if self._state in _LOGIN_STATES:
            self._master, self._state = "AUTHORIZATION", "START"
            self._login("failure")
        elif self._state in _TRANSACTION:
            self._master = "TRANSACTION"
        elif self._state == "QUIT":
            self._master = "FINISHED"
        self._emit("reply", "ERR", message)
        self._next()

    def _login(self, result: str) -> None:
        if self._user:
            self._emit("login", result, self._user)

    def _next(self) -> None:
        if self._pending:
            self._pending.popleft()
            self._command()


def _words(line: bytes) -> tuple[str | None, bytes]:
    """The verb, if it is one, and the rest of a line."""
    word, _, rest = trimmed(line).partition(b" ")
    verb = word.lstrip(b"+-").upper().decode("latin-1")
    return (verb if verb in VERBS else None), rest

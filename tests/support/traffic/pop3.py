"""A mailbox behind a POP3 server that answers commands (RFC 1939, 2449, 5034), and clients that wait or
pipeline.

A `Flavour` decides what the server says, because servers differ in where they declare a mail's octets. A
dialogue is a list of `Turn`s; `steps` puts the two ends' bytes into the order in which a tap sees them.
"""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from support.traffic.tcp import Step

PASSWORD = "s3same-Offen!"


@dataclass(frozen=True)
class Flavour:
    """A server's way of talking. In texts, `{n}` is a message number, `{octets}` its size, `{count}` the
    mails."""

    greeting: str = "+OK Dovecot ready."
    capabilities: tuple[str, ...] = (
        "CAPA", "TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE", "USER", "SASL PLAIN LOGIN",
    )  # fmt: skip
    capa: str = "+OK"
    logged_in: str = "+OK Logged in."
    failed: str = "-ERR [AUTH] Authentication failed."
    scan: str = "+OK {count} messages:"
    uidl: str = "+OK"
    retr: str = "+OK {octets} octets"
    top: str = "+OK"
    deleted: str = "+OK Marked to be deleted."
    bye: str = "+OK Logging out."


DOVECOT = Flavour()
BARE = Flavour("+OK", retr="+OK", scan="+OK", logged_in="+OK", bye="+OK", deleted="+OK")
FOLLOWS = Flavour(
    "+OK POP3 server ready <1896.697170952@mail.example>",
    capabilities=("TOP", "UIDL", "USER", "STLS", "APOP"),
    capa="+OK Capability list follows",
    retr="+OK message follows",
    top="+OK top of message follows",
    scan="+OK scan listing follows",
    uidl="+OK unique-id listing follows",
    deleted="+OK message {n} deleted",
)
CURLY = Flavour(
    "+OK Hi", retr="+OK Message {n}: ({octets} octets)", scan="+OK {count} messages ({total} octets)"
)
FLAVOURS = {"dovecot": DOVECOT, "bare": BARE, "follows": FOLLOWS, "curly": CURLY}


@dataclass
class Mailbox:
    """Messages as the mailbox holds them (CRLF, the last line ended, too), with their unique ids."""

    messages: list[bytes]
    uids: list[str] = field(default_factory=list)
    user: str = "zhangsan"
    password: str = PASSWORD

    def __post_init__(self) -> None:
        self.messages = [m if m.endswith(b"\r\n") or not m else m + b"\r\n" for m in self.messages]
        if not self.uids:
            self.uids = [
                f"{number:08x}{hashlib.md5(m).hexdigest()[:8]}" for number, m in enumerate(self.messages, 1)
            ]


def crlf(text: bytes) -> bytes:
    """Any line ends to CRLF, with one at the end."""
    lines = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removesuffix(b"\n")
    return lines.replace(b"\n", b"\r\n") + b"\r\n"


def stuffed(message: bytes) -> bytes:
    """A message as it is sent (RFC 1939, section 3), without the terminator."""
    return (b"." if message.startswith(b".") else b"") + message.replace(b"\r\n.", b"\r\n..")


def top_of(message: bytes, lines: int) -> bytes:
    """The header, the empty line and the first lines of the body: what TOP sends."""
    if message.startswith(b"\r\n"):
        at = 2
    else:
        end = message.find(b"\r\n\r\n")
        if end < 0:
            return message
        at = end + 4
    for _ in range(lines):
        end = message.find(b"\r\n", at)
        if end < 0:
            return message
        at = end + 2
    return message[:at]


@dataclass(frozen=True, slots=True)
class Turn:
    """What the client sends in one go and what the server answers. For the greeting `request` is empty.

    `message` is the message that the response carries, for a RETR or TOP that was answered +OK.
    """

    request: bytes
    response: bytes
    command: str = ""
    number: int | None = None
    message: bytes | None = None
    octets: int | None = None
    uid: str | None = None


class Server:
    """Answers a client's lines from a mailbox."""

    def __init__(self, mailbox: Mailbox, flavour: Flavour = DOVECOT) -> None:
        self.mailbox, self.flavour = mailbox, flavour
        self.deleted: set[int] = set()
        self.user: str | None = None
        self.logged_in = False
        self._sasl: list[str] = []

    def greeting(self) -> Turn:
        return Turn(b"", self.flavour.greeting.encode() + b"\r\n")

    def answer(self, line: str | bytes) -> Turn:
        """The turn that starts with this line of the client (without CRLF)."""
        raw = line.encode() if isinstance(line, str) else line
        request = raw + b"\r\n"
        if self._sasl:
            return Turn(request, self._sasl_step(raw) + b"\r\n")
        verb, _, argument = raw.decode("latin-1").strip().partition(" ")
        verb = verb.upper()
        answer = getattr(self, f"_{verb.lower()}", None)
        if answer is None:
            return Turn(request, b"-ERR Unknown command.\r\n", verb)
        result = answer(argument.strip())
        if isinstance(result, Turn):
            return Turn(
                request, result.response, verb, result.number, result.message, result.octets, result.uid
            )
        return Turn(request, result.encode() + b"\r\n", verb)

    def _say(self, text: str, number: int = 0) -> str:
        held = [len(m) for n, m in enumerate(self.mailbox.messages, 1) if n not in self.deleted]
        octets = len(self.mailbox.messages[number - 1]) if number else 0
        return text.format(n=number, octets=octets, count=len(held), total=sum(held))

    def _check(self, argument: str) -> int | None:
        word = argument.split(" ")[0]
        number = int(word) if word.isdigit() else 0
        return number if 1 <= number <= len(self.mailbox.messages) and number not in self.deleted else None

    def _listing(self, argument: str, heading: str, values: list[str]) -> str:
        if argument:
            number = self._check(argument)
            return f"+OK {number} {values[number - 1]}" if number else "-ERR There's no message."
        rows = [f"{n} {value}" for n, value in enumerate(values, 1) if n not in self.deleted]
        return "\r\n".join([self._say(heading), *rows, "."])

    def _transfer(self, argument: str, status: str, lines: int | None) -> Turn | str:
        number = self._check(argument)
        if number is None:
            return "-ERR There's no message."
        message = self.mailbox.messages[number - 1]
        octets = len(message) if "{octets}" in status else None
        if lines is not None:
            message, octets = top_of(message, lines), None
        response = self._say(status, number).encode() + b"\r\n" + stuffed(message) + b".\r\n"
        return Turn(b"", response, "", number, message, octets, self.mailbox.uids[number - 1])

    def _login(self, user: str, password: str) -> str:
        self.logged_in = password == self.mailbox.password and user == self.mailbox.user
        return self.flavour.logged_in if self.logged_in else self.flavour.failed

    def _user(self, argument: str) -> str:
        self.user = argument
        return "+OK"

    def _pass(self, argument: str) -> str:
        return self._login(self.user or "", argument)

    def _apop(self, argument: str) -> str:
        user, _, digest = argument.partition(" ")
        stamp = self.flavour.greeting[self.flavour.greeting.find("<") :]
        right = hashlib.md5((stamp + self.mailbox.password).encode()).hexdigest()
        return self._login(user, self.mailbox.password if digest == right else "")

    def _auth(self, argument: str) -> str:
        mechanism, _, initial = argument.partition(" ")
        if not mechanism:
            return "+OK\r\nPLAIN\r\nLOGIN\r\n."
        if mechanism.upper() not in ("PLAIN", "LOGIN"):
            return "-ERR Unsupported authentication mechanism."
        self._sasl = [mechanism.upper()]
        if initial:
            return self._sasl_step(initial.encode()).decode()
        return "+ VXNlcm5hbWU6" if mechanism.upper() == "LOGIN" else "+ "

    def _sasl_step(self, line: bytes) -> bytes:
        if line == b"*":
            self._sasl = []
            return b"-ERR Authentication aborted."
        said = base64.b64decode(line).decode()
        if self._sasl[0] == "LOGIN" and len(self._sasl) == 1:
            self._sasl.append(said)
            return b"+ UGFzc3dvcmQ6"
        user, password = (self._sasl[1], said) if self._sasl[0] == "LOGIN" else said.split("\0")[1:3]
        self._sasl = []
        return self._login(user, password).encode()

    def _capa(self, argument: str) -> str:
        return "\r\n".join([self.flavour.capa, *self.flavour.capabilities, "."])

    def _stat(self, argument: str) -> str:
        return self._say("+OK {count} {total}")

    def _list(self, argument: str) -> str:
        return self._listing(argument, self.flavour.scan, [str(len(m)) for m in self.mailbox.messages])

    def _uidl(self, argument: str) -> str:
        return self._listing(argument, self.flavour.uidl, self.mailbox.uids)

    def _retr(self, argument: str) -> Turn | str:
        return self._transfer(argument, self.flavour.retr, None)

    def _top(self, argument: str) -> Turn | str:
        return self._transfer(argument, self.flavour.top, int(argument.split(" ")[1]))

    def _dele(self, argument: str) -> str:
        number = self._check(argument)
        if number is None:
            return "-ERR There's no message."
        text = self._say(self.flavour.deleted, number)
        self.deleted.add(number)
        return text

    def _noop(self, argument: str) -> str:
        return "+OK"

    def _last(self, argument: str) -> str:
        return "+OK 0"

    def _rset(self, argument: str) -> str:
        self.deleted.clear()
        return "+OK"

    def _quit(self, argument: str) -> str:
        return self.flavour.bye

    def _stls(self, argument: str) -> str:
        return "+OK Begin TLS negotiation now."


def dialogue(mailbox: Mailbox, lines: Iterable[str | bytes], flavour: Flavour = DOVECOT) -> list[Turn]:
    """The turns of a session in which the client says these lines, from the greeting on."""
    server = Server(mailbox, flavour)
    return [server.greeting(), *(server.answer(line) for line in lines)]


def login(mailbox: Mailbox, how: str = "USER") -> list[str]:
    """The lines by which a client logs in: USER, PLAIN (with initial response), PLAIN+ (on a challenge) or
    LOGIN."""
    plain = base64.b64encode(f"\0{mailbox.user}\0{mailbox.password}".encode()).decode()
    if how == "USER":
        return [f"USER {mailbox.user}", f"PASS {mailbox.password}"]
    if how == "PLAIN":
        return [f"AUTH PLAIN {plain}"]
    if how == "PLAIN+":
        return ["AUTH PLAIN", plain]
    words = (mailbox.user, mailbox.password)
    return ["AUTH LOGIN", *(base64.b64encode(word.encode()).decode() for word in words)]


def fetch_all(mailbox: Mailbox, how: str = "USER", *, capa: bool = True, delete: bool = False) -> list[str]:
    """A usual session: log in, STAT, LIST, UIDL, RETR of each mail, perhaps DELE, QUIT."""
    numbers = range(1, len(mailbox.messages) + 1)
    retrieve = [line for n in numbers for line in ([f"RETR {n}"] + ([f"DELE {n}"] if delete else []))]
    return [*(["CAPA"] if capa else []), *login(mailbox, how), "STAT", "LIST", "UIDL", *retrieve, "QUIT"]


def steps(
    turns: Iterable[Turn], *, batch: int = 1, window: int = 1, rng: random.Random | None = None
) -> Iterator[Step]:
    """The bytes of both ends in a tap's order.

    By default the client waits for each response. With `batch` it sends that many commands at once (from
    STAT on) and then waits for all the responses, which flow without a break. With `window` it keeps that
    many commands under way and sends the next one somewhere in the middle of a response that still flows.
    """
    head: list[Turn] = []
    rest: list[Turn] = []
    for turn in turns:
        (rest if rest or turn.command in ("STAT", "LIST", "UIDL", "RETR") else head).append(turn)
    for turn in head:
        if turn.request:
            yield True, turn.request
        yield False, turn.response
    if window > 1:
        yield from _windowed(rest, window, rng or random.Random(1))
        return
    for at in range(0, len(rest), batch):
        group = rest[at : at + batch]
        yield True, b"".join(turn.request for turn in group)
        yield False, b"".join(turn.response for turn in group)


def _windowed(turns: list[Turn], window: int, rng: random.Random) -> Iterator[Step]:
    yield True, b"".join(turn.request for turn in turns[:window])
    for at, turn in enumerate(turns):
        following = turns[at + window].request if at + window < len(turns) else b""
        if not following:
            yield False, turn.response
            continue
        cut = rng.randint(1, len(turn.response) - 1)
        yield False, turn.response[:cut]
        yield True, following
        yield False, turn.response[cut:]

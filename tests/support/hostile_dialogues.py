"""Dialogues by which a hostile client or server, or both, may deceive the package: what each side sends, and
what must come of it.

A case names the mails that the log must give: number, user and bytes; `marked` ones need not be right, but
then carry a defect or are not complete. No `secret` may be in a log, whatever happens.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from support.traffic import damage, tcp
from support.traffic.pcap import Flow, Packet

SECRET = "Sesam_41!x"
Talk = list[tuple[bool, bytes]]
M1 = b"Subject: one\r\n\r\nfirst\r\n"
M2 = b"Subject: two\r\n\r\nsecond\r\n..dot\r\n"
M3 = b"From: c@example.org\r\nSubject: three\r\n\r\nthird\r\n"


@dataclass(frozen=True)
class Mail:
    """A mail that the tables must hold."""

    number: int | None
    body: bytes
    user: str | None = "lisi"
    marked: bool = False


@dataclass(frozen=True)
class Case:
    """A dialogue. `other`: who logs in, if not the `user` whose mailbox is opened. `cut`: bytes per segment.
    `lost`: which packets with bytes the capture lacks."""

    name: str
    talk: Talk
    mails: Sequence[Mail] = ()
    user: str | None = "lisi"
    refused: Sequence[str] = ()
    mechanism: str | None = "USER"
    other: str | None = None
    secrets: Sequence[str] = (SECRET,)
    cut: int = 0
    lost: Sequence[int] = ()
    port: int = 110
    tls: bool = False
    options: dict[str, str] = field(default_factory=dict)


def c(*lines: str | bytes) -> Talk:
    """The client sends lines in one segment."""
    return [(True, _lines(lines))]


def s(*lines: str | bytes) -> Talk:
    """The server sends lines in one segment."""
    return [(False, _lines(lines))]


def raw(from_client: bool, data: bytes) -> Talk:
    """Bytes as they are."""
    return [(from_client, data)]


def _lines(lines: Iterable[str | bytes]) -> bytes:
    return b"".join((line if isinstance(line, bytes) else line.encode()) + b"\r\n" for line in lines)


def sent_form(mail: bytes) -> bytes:
    """A mail as a response carries it, with its end."""
    return mail.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def answer(mail: bytes, status: str = "+OK", end: bytes | None = None) -> Talk:
    """The response that carries a mail; with another end than CRLF, dot, CRLF."""
    body = sent_form(mail) if end is None else mail + end
    return raw(False, status.encode() + b"\r\n" + body)


def retr(number: int, mail: bytes, status: str = "+OK") -> Talk:
    """A mail is fetched."""
    return c(f"RETR {number}") + answer(mail, status)


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


HELLO = s("+OK ready <1.2@x>")
LOGIN = c("USER lisi") + s("+OK") + c(f"PASS {SECRET}") + s("+OK in")
BOTH = retr(1, M1) + retr(2, M2)
BYE = c("QUIT") + s("+OK bye")
BOTH_MAILS = (Mail(1, M1), Mail(2, M2))
TLS = b"\x16\x03\x01\x02\x00" + bytes(range(256)) * 2


def by(user: str | None, *mails: Mail) -> tuple[Mail, ...]:
    """The mails as another user's."""
    return tuple(Mail(mail.number, mail.body, user, mail.marked) for mail in mails or BOTH_MAILS)


def session(name: str, *middle: Talk, **how: object) -> Case:
    """Greeting, login, what is special, QUIT."""
    talk = [step for part in (HELLO, LOGIN, *middle, BYE) for step in part]
    return Case(name, talk, **how)  # type: ignore[arg-type]


def login(name: str, *middle: Talk, **how: object) -> Case:
    """Greeting, a login of its own kind, two mails, QUIT."""
    user = how.get("user", "lisi")
    how.setdefault("mails", by(user))  # type: ignore[arg-type]
    talk = [step for part in (HELLO, *middle, BOTH, BYE) for step in part]
    return Case(name, talk, **how)  # type: ignore[arg-type]


def packets_of(case: Case, number: int) -> list[Packet]:
    """The packets of a case; its client has the port 20000 + `number`."""
    flow = Flow("192.0.2.7", 20000 + number, "192.0.2.110", case.port)
    made = tcp.Connection(flow, start=tcp.START + number * 10_000_000)
    made.play(case.talk, tcp.by_size(case.cut) if case.cut else None)
    data = damage.data_indices(made.packets)
    return damage.drop(made.packets, [data[at] for at in case.lost])


def cut_up(cases: Iterable[Case]) -> Iterator[Case]:
    """The cases, and each again in segments of one and of seven bytes, if nothing is lost."""
    for case in cases:
        yield case
        if not case.lost:
            for size in (1, 7):
                yield Case(f"{case.name}, {size} at a time", **_without_name(case, size))


def _without_name(case: Case, size: int) -> dict[str, object]:
    return {name: getattr(case, name) for name in case.__dataclass_fields__ if name != "name"} | {"cut": size}


def losing(case: Case) -> Iterator[Case]:
    """The case with each of its packets lost in turn: the mails that are there are right, or marked."""
    for at in range(len(case.talk)):
        mails = tuple(Mail(mail.number, mail.body, mail.user, True) for mail in case.mails)
        yield Case(
            f"{case.name}, segment {at} lost", case.talk, mails, secrets=case.secrets, lost=(at,),
            user=case.user,
        )  # fmt: skip

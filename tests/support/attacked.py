"""Dialogues under attack: what the session machine makes of them, in short."""

from __future__ import annotations

import pytest

from support.dialogues import Outcome, fed
from support.hostile_dialogues import (
    M1,
    M2,
    Case,
    Talk,
    answer,
    c,
    packets_of,
    s,
)
from support.traffic import rows
from support.traffic.pcap import Packet
from zeekpop3.session import ConnId, Rows

LIST = c("LIST") + s("+OK", f"1 {len(M1)}", f"2 {len(M2)}", ".")
FORMS = pytest.mark.parametrize("exact", [True, False], ids=["exact", "plain"])


def seen(talk: Talk, *, lost: tuple[int, ...] = (), exact: bool = True) -> Outcome:
    """What comes of a dialogue of which the capture lacks some steps."""
    return of_packets(packets_of(Case("", talk, lost=lost), 0), exact=exact)


def of_packets(packets: list[Packet], *, exact: bool = True) -> Outcome:
    [made] = rows.of_packets(packets, exact=exact).values()
    return fed([made])


def brief(out: Outcome) -> list[tuple[int | None, bytes, bool, list[str]]]:
    return [(mail.msg_num, mail.raw, mail.complete, [*map(str, mail.defects)]) for mail in out.transfers]


def said(*lines: tuple[str | None, bytes, bytes]) -> Outcome:
    """(command, its data, what the server sends then) each, in the exact form."""
    kind, command, offset, data = ["contents"], [None], [0], [b"+OK ready\r\n"]
    at = len(data[0])
    for verb, argument, response in lines:
        kind.append("sent")
        command.append(verb)  # type: ignore[arg-type]
        offset.append(at)
        data.append(argument)
        if response:
            kind.append("contents")
            command.append(None)
            offset.append(at)
            data.append(response)
            at += len(response)
    count, length = list(range(len(kind))), [len(each) or -1 for each in data]
    return fed(
        [Rows(count, count, kind, command, offset, length, data, ConnId("192.0.2.7", 9, "192.0.2.1", 110))]
    )


ALICE = (("USER", b"alice", b"+OK\r\n"), ("PASS", b"", b"+OK in\r\n"))
ONE, TWO = answer(M1)[0][1], answer(M2)[0][1]


def who(out: Outcome) -> list[tuple[int | None, str | None, bool]]:
    return [(mail.msg_num, mail.user, "number_doubtful" in mail.defects) for mail in out.transfers]

"""A `sent` row that stands for several commands is read as one row each."""

from __future__ import annotations

from support.dialogues import Outcome, fed
from support.hostile_dialogues import BYE, HELLO, LOGIN, M1, M2, Case, Talk, answer, c, packets_of, s
from support.traffic import rows
from zeekpop3.session import Rows

COMMANDS = ["LIST", "RETR 2", "DELE 2", "TOP 1 0", "NOOP", "RETR 1"]
TALK: Talk = [
    step
    for part in (
        *(HELLO, LOGIN, c(*COMMANDS)),
        *(s("+OK", "1 20", "2 30", "."), answer(M2), s("+OK"), answer(M1[:16]), s("+OK"), answer(M1)),
        BYE,
    )
    for step in part
]


def _joined(apart: Rows) -> Rows:
    """The same with one row for the commands that were sent at once."""
    at = apart.command.index("LIST")
    data = "\n".join(COMMANDS).encode()
    lines = Rows(
        *([apart.ts[at]], [apart.seq[at]], ["sent"], ["lines"], [apart.offset[at]], [len(data)], [data]),
        conn_id=apart.conn_id,
    )
    rest = at + len(COMMANDS)
    columns = ([*old[:at], *new, *old[rest:]] for old, new in zip(apart[:7], lines[:7], strict=True))
    joined = Rows(*columns, conn_id=apart.conn_id)
    return joined._replace(seq=list(range(len(joined.ts))))


def _brief(out: Outcome) -> list[tuple[object, ...]]:
    return [
        *(
            (mail.command, mail.msg_num, mail.raw, mail.complete, mail.user, *mail.defects)
            for mail in out.transfers
        ),
        *((command.command, command.argument, command.status, command.ts) for command in out.commands),
    ]


def test_one_row_for_several_commands() -> None:
    """The same messages and commands come of it."""
    [apart] = rows.of_packets(packets_of(Case("", TALK), 0), exact=True).values()
    out = fed([apart])
    assert [(mail.command, mail.msg_num) for mail in out.transfers] == [("RETR", 2), ("TOP", 1), ("RETR", 1)]
    assert _brief(fed([_joined(apart)])) == _brief(out)

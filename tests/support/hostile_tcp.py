"""Packets by which somebody on the path of a connection, or one of its ends, may hide mails or put others in
their place; and what must come of them.

Each case is a session of `lisi` with two mails and packets that are added, changed or left out. What the
receiver does not accept (a low TTL, a wrong checksum, an old timestamp) looks to Zeek with -C like what it
accepts, so these need no cases of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from support.dialogues import Outcome
from support.hostile_dialogues import BOTH_MAILS, BYE, HELLO, LOGIN, M1, M2, SECRET, Mail, Talk, c, retr, s
from support.traffic import damage, tcp
from support.traffic.pcap import ACK, FIN, RST, SYN, Flow, Packet
from zeekpop3.defects import Defect

MINUTE = 60_000_000
FIRST_PORT = 30000
DECOY = b"Subject: bad\r\n\r\nfirsd\r\n"
assert len(DECOY) == len(M1)


@dataclass(frozen=True)
class TcpCase:
    """`found`: the mails that must be found, whole. `defects`: a session must have one of them."""

    name: str
    packets: list[Packet]
    found: tuple[Mail, ...] = BOTH_MAILS
    defects: frozenset[Defect] = frozenset()


def played(*middle: Talk) -> tcp.Connection:
    """A session: greeting, login, these parts, QUIT."""
    made = tcp.Connection(Flow("192.0.2.7", FIRST_PORT, "192.0.2.110", 110)).open()
    for part in (HELLO, LOGIN, *(middle or (retr(1, M1), retr(2, M2))), BYE):
        for from_client, data in part:
            made.send(from_client, data)
    return made.close()


def place_of(packets: list[Packet], payload: bytes) -> int:
    """Where the packet with these bytes is."""
    return next(at for at, packet in enumerate(packets) if packet.payload.startswith(payload))


def inserted(packets: list[Packet], at: int, *new: Packet) -> list[Packet]:
    """Further packets before the one at `at`, at its time."""
    return [*packets[:at], *(packet._replace(ts=packets[at].ts) for packet in new), *packets[at:]]


def paused(packets: list[Packet], at: int, pause: int) -> list[Packet]:
    """A pause before the packet at `at`."""
    return [*packets[:at], *(packet._replace(ts=packet.ts + pause) for packet in packets[at:])]


def twin(packets: list[Packet], payload: bytes, other: bytes, *, behind: bool = False) -> list[Packet]:
    """A packet exists in two versions, the `other` one first, or behind the true one."""
    at = place_of(packets, payload)
    return inserted(packets, at + behind, packets[at]._replace(payload=other))


def _raw(
    like: Packet, flags: int, seq: int, ack: int = 0, payload: bytes = b"", client: bool = True
) -> Packet:
    return Packet(like.ts, like.flow, client, flags, seq, ack, payload)


def _syn_in_middle(flags: int, client: bool, far: int = 0x20000000) -> list[Packet]:
    packets = played().packets
    at = place_of(packets, b"RETR 2")
    return inserted(packets, at, _raw(packets[at], flags, far, 5, client=client))


def _rst_then_syn() -> list[Packet]:
    packets = played().packets
    at = place_of(packets, b"RETR 2")
    here = packets[at]
    return inserted(packets, at, _raw(here, RST, here.seq), _raw(here, SYN, 0x20000000))


def _fin_both() -> list[Packet]:
    packets = played().packets
    at = place_of(packets, b"RETR 2")
    here = packets[at]
    fins = (
        _raw(here, FIN | ACK, here.seq, here.ack),
        _raw(here, FIN | ACK, here.ack, here.seq + 1, client=False),
        _raw(here, ACK, here.seq + 1, here.ack + 1),
    )
    return paused(inserted(packets, at, *fins), at + 3, 10_000_000)


def _synack_first(ack: int, seq: int) -> list[Packet]:
    packets = played().packets
    return inserted(packets, 1, _raw(packets[1], SYN | ACK, seq, ack, client=False))


def _split_handshake() -> list[Packet]:
    """The server answers SYN by SYN, the client that by SYN-ACK (RFC 793, simultaneous open)."""
    packets = played().packets
    syn, synack, ack = packets[:3]
    return [
        syn,
        synack._replace(flags=SYN, ack=0),
        ack._replace(flags=SYN | ACK, seq=0),
        ack._replace(from_client=False, seq=1, ack=1),
        *packets[3:],
    ]


def _ack_ahead(payload: bytes) -> list[Packet]:
    """The client acknowledges an answer before it comes, and again and again."""
    packets = played().packets
    at = place_of(packets, payload)
    here = packets[at]
    early = _raw(here, ACK, here.ack, here.seq + len(here.payload))
    return inserted(packets, at, early, early)


def _byte_by_byte(packets: list[Packet], true: bytes, other: bytes, behind: bool) -> list[Packet]:
    """A packet in segments of a byte, those that differ in two versions, the `other` one first or behind."""
    at = place_of(packets, true)
    here = packets[at]
    new = []
    for number, byte in enumerate(here.payload):
        one = here._replace(seq=here.seq + number, payload=bytes((byte,)))
        two = one._replace(payload=other[number : number + 1])
        new += [one] if one.payload == two.payload else [one, two] if behind else [two, one]
    return [*packets[:at], *new, *packets[at + 1 :]]


def _acknowledged(packets: list[Packet], true: bytes, other: bytes) -> list[Packet]:
    """A forged packet, a forged acknowledgement of it, the true packet."""
    at = place_of(packets, true)
    here = packets[at]
    ack = _raw(here, ACK, here.ack, here.seq + len(here.payload), client=not here.from_client)
    return inserted(packets, at, here._replace(payload=other), ack)


def _ack_far_ahead(ahead: int) -> list[Packet]:
    """The client acknowledges much more than there is: Zeek takes all that comes then for old bytes."""
    packets = played().packets
    at = place_of(packets, b"RETR 2")
    here = packets[at]
    return inserted(packets, at, _raw(here, ACK, here.seq, here.ack + ahead))


def _data_in_syn() -> list[Packet]:
    """A SYN with a login of another user, whose bytes the server does not take."""
    packets = played().packets
    decoy = b"USER vict\r\n"
    packets[0] = packets[0]._replace(payload=decoy)
    return packets


def _keep_alive() -> list[Packet]:
    packets = played().packets
    at = place_of(packets, b"RETR 2")
    here = packets[at]
    return inserted(packets, at, here._replace(seq=here.seq - 1, payload=b"\0"))


UNSEEN = frozenset({Defect.BEGIN_UNSEEN, Defect.END_UNSEEN, Defect.NOT_UNDERSTOOD})
AMBIGUOUS = frozenset({Defect.STREAM_AMBIGUOUS})
ONE = BOTH_MAILS[:1]


def without_user(*mails: Mail) -> tuple[Mail, ...]:
    return tuple(Mail(mail.number, mail.body, None, mail.marked) for mail in mails)


def _cases() -> Iterable[TcpCase]:
    whole = played().packets
    retr_2 = place_of(whole, b"RETR 2")
    yield TcpCase("no-handshake", whole[3:], BOTH_MAILS, UNSEEN)
    late = damage.start_late(whole, place_of(whole, b"RETR 1"))
    yield TcpCase("late", late, without_user(*BOTH_MAILS), UNSEEN)
    for minutes in (6, 9, 19):
        yield TcpCase(f"idle-{minutes}min", paused(whole, retr_2, minutes * MINUTE))
    answer = played(
        c("RETR 1"), s("+OK"), [(False, M1[:9])], [(False, M1[9:] + b".\r\n")], retr(2, M2)
    ).packets
    yield TcpCase("idle-in-mail", paused(answer, place_of(answer, M1[9:]), 9 * MINUTE))
    yield TcpCase("syn-in-middle", _syn_in_middle(SYN, True), ONE, UNSEEN)
    yield TcpCase("syn-in-middle-near", _syn_in_middle(SYN, True, 700), ONE, UNSEEN)
    yield TcpCase("syn-in-middle-server", _syn_in_middle(SYN, False), ONE, UNSEEN)
    # Zeek takes what follows for old bytes, in part or all of it, or for bytes behind a hole.
    yield TcpCase("synack-in-middle", _syn_in_middle(SYN | ACK, False), ONE, AMBIGUOUS)
    for far in (20, 700, 0xFFFFFFC0):
        yield TcpCase(f"synack-in-middle-{far:x}", _syn_in_middle(SYN | ACK, False, far), ONE, AMBIGUOUS)
    yield TcpCase("synack-in-middle-client", _syn_in_middle(SYN | ACK, True), ONE, AMBIGUOUS)
    yield TcpCase("synack-again", _syn_in_middle(SYN | ACK, False, 0))
    yield TcpCase("rst-then-syn", _rst_then_syn(), ONE, UNSEEN)
    yield TcpCase("fin-both", _fin_both(), ONE, UNSEEN)
    yield TcpCase("synack-wrong-ack-first", _synack_first(0x30000000, 0x20000000), (), UNSEEN)
    yield TcpCase("synack-spoofed-first", _synack_first(1, 0x20000000))
    yield TcpCase("split-handshake", _split_handshake(), (), UNSEEN)
    yield TcpCase("ack-ahead", _ack_ahead(b"+OK\r\nSubject: one"), BOTH_MAILS[1:], frozenset(Defect))
    for behind in (False, True):
        name = "rexmit-behind" if behind else "rexmit-first"
        body = b"+OK\r\n" + M1 + b".\r\n"
        twins: dict[str, tuple[bytes, bytes]] = {
            "mail": (body, b"+OK\r\n" + DECOY + b".\r\n"),
            "retr": (b"RETR 1", b"RETR 7\r\n"),
            "user": (b"USER lisi", b"USER vict\r\n"),
        }
        for what, (true, other) in twins.items():
            yield TcpCase(f"{name}-{what}", twin(whole, true, other, behind=behind), (), AMBIGUOUS)
    for behind in (False, True):
        for what, (true, other) in twins.items():
            name = f"one-byte-{'behind' if behind else 'first'}-{what}"
            yield TcpCase(name, _byte_by_byte(whole, true, other, behind), (), AMBIGUOUS)
    for what, (true, other) in twins.items():
        yield TcpCase(f"acknowledged-{what}", _acknowledged(whole, true, other), (), AMBIGUOUS)
    for ahead in (200, 0x70000000):
        yield TcpCase(
            f"ack-far-ahead-{ahead:x}", _ack_far_ahead(ahead), ONE, frozenset({Defect.ANSWER_MISSING})
        )
    yield TcpCase("syn-data-other-user", _data_in_syn(), (), AMBIGUOUS)
    yield TcpCase("keep-alive", _keep_alive())


def numbered(case: TcpCase, number: int) -> list[Packet]:
    """The case's packets from a client port of their own, at a time of their own."""
    flow = Flow("192.0.2.7", FIRST_PORT + number, "192.0.2.110", 110)
    later = number * 30 * MINUTE
    return [packet._replace(flow=flow, ts=packet.ts + later) for packet in case.packets]


CASES = list(_cases())


def faults(case: TcpCase, outcomes: list[Outcome]) -> list[str]:
    """What is wrong in what came of the connections that a case became."""
    transfers = [mail for outcome in outcomes for mail in outcome.transfers]
    defects = {defect for outcome in outcomes for session in outcome.sessions for defect in session.defects}
    defects |= {defect for mail in transfers for defect in mail.defects}
    found = [
        f"wrongly whole: {mail.msg_num}, {mail.user}, {mail.raw!r}"
        for mail in transfers
        if mail.complete
        and not mail.defects
        and not any(_is(mail.msg_num, mail.user, mail.raw, true) for true in BOTH_MAILS)
    ]
    found += [
        f"missing: {wanted}"
        for wanted in case.found
        if not any(
            mail.complete
            and (mail.msg_num, mail.raw) == (wanted.number, wanted.body)
            and mail.user == wanted.user
            for mail in transfers
        )
    ]
    if case.defects and not defects & case.defects:
        found.append(f"silent: {sorted(defects)}")
    if not case.defects and defects:
        found.append(f"defects: {sorted(defects)}")
    if any(SECRET.encode() in mail.raw for mail in transfers):
        found.append("secret")
    return found


def _is(number: int | None, user: str | None, raw: bytes, true: Mail) -> bool:
    return (number, raw) == (true.number, true.body) and user in (true.user, None)

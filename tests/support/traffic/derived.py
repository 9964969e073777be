"""The captures of fixtures/ that are made by code: recorded ones damaged, and sessions that no client at
hand holds.

    python tests/support/traffic/derived.py --out fixtures

The same recordings give the same files, byte for byte.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import random
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from support.traffic import boxes, damage, pcap, pop3, tcp, truth  # noqa: E402
from support.traffic.pcap import Flow, Packet  # noqa: E402

Made = tuple[list[Packet], list[truth.Truth]]
BOXES = boxes.boxes()


def flow(number: int, port: int = 110) -> Flow:
    return Flow(
        f"198.51.100.{number}", 40000 + number, "192.0.2.110", port, 1000 * number, 0xFFFFF000 + number
    )


def session(
    number: int,
    box: pop3.Mailbox,
    lines: list[str] | None = None,
    *,
    flavour: pop3.Flavour = pop3.DOVECOT,
    cut: tcp.Cut | None = None,
    start: int = tcp.START,
    window: int = 1,
    batch: int = 1,
    port: int = 110,
) -> tuple[tcp.Connection, list[truth.Truth]]:
    """A scripted session of one connection, and what is true of it."""
    turns = pop3.dialogue(box, lines or pop3.fetch_all(box), flavour)
    made = tcp.Connection(flow(number, port), start=start)
    made.play(pop3.steps(turns, window=window, batch=batch, rng=random.Random(number)), cut)
    return made, truth.of_turns(turns, made.flow)


def damaged(folder: Path, name: str, how: Callable[[list[Packet]], list[Packet]]) -> Made:
    """A recorded capture with something done to it."""
    whole = pcap.read(folder / f"{name}.pcap")
    found = how(whole)
    return found, truth.after(truth.of_packets(whole), whole, found)


def _server_data(packets: list[Packet]) -> list[int]:
    return damage.data_indices(packets, from_client=False)


def _inner(packets: list[Packet]) -> list[int]:
    """Where full segments stand that continue a mail."""
    large = (i for i in _server_data(packets) if len(packets[i].payload) > 1000)
    return [i for i in large if not packets[i].payload.startswith(b"+OK")]


def _with_gaps(packets: list[Packet]) -> list[Packet]:
    """Loses segments in the middle of mails, one with a status line, one with a terminator, and a command."""
    starts = [i for i in _server_data(packets) if b" octets\r\n" in packets[i].payload[:20]]
    ends = [i for i in _server_data(packets) if packets[i].payload.endswith(b"\r\n.\r\n")]
    inner = [i for i in _server_data(packets) if len(packets[i].payload) > 1000 and i not in {*starts, *ends}]
    command = next(
        i for i in damage.data_indices(packets, from_client=True) if packets[i].payload == b"RETR 9\r\n"
    )
    return damage.drop(packets, [inner[3], inner[9], inner[10], starts[3], ends[-5], command])


def _thinned(share: float) -> Callable[[list[Packet]], list[Packet]]:
    return lambda packets: damage.lose(packets, share, random.Random(5))


def _cut_in_a_mail(packets: list[Packet]) -> list[Packet]:
    inner = _inner(packets)
    return damage.truncate(packets, inner[len(inner) // 2])


def _shuffled(packets: list[Packet]) -> list[Packet]:
    rng = random.Random(8)
    packets = damage.retransmit(packets, rng.sample(damage.data_indices(packets), 25))
    return damage.delay(packets, rng.sample(_server_data(packets), 25), by=3)


def bytewise() -> Made:
    """Each byte of the server a segment of its own."""
    box = pop3.Mailbox([boxes.ARTICLE, boxes.odd()[5]], user="lisi", password=boxes.USERS["lisi"])
    made, truths = session(1, box, cut=tcp.by_size(1))
    return made.packets, truths


def cut_in_line_ends() -> Made:
    """Every segment ends with a CR, or between the dots and line ends of a terminator."""

    def cut(data: bytes) -> list[bytes]:
        marks = [i + 1 for i, byte in enumerate(data) if byte == 13 or data[i : i + 3] == b"\n.\r"]
        return list(tcp.at_positions(marks)(data))

    made, truths = session(2, BOXES["lisi"], cut=cut)
    return made.packets, truths


def flavours() -> Made:
    """Servers that declare octets in LIST only, in both, or between other words; one over IPv6."""
    six = Flow("2001:db8::10", 50001, "2001:db8::110", 110)
    connections, truths = [], []
    logins = ("USER", "PLAIN", "PLAIN+", "LOGIN")
    for number, (flavour, how) in enumerate(zip(pop3.FLAVOURS.values(), logins, strict=True)):
        some = boxes.odd()[number * 4 : number * 4 + 4]
        box = pop3.Mailbox(some, user="lisi", password=boxes.USERS["lisi"])
        turns = pop3.dialogue(box, pop3.fetch_all(box, how, capa=True), flavour)
        made = tcp.Connection(six if number == 1 else flow(10 + number), start=tcp.START + number * 300)
        connections.append(made.play(pop3.steps(turns)))
        truths += truth.of_turns(turns, made.flow)
    return tcp.interleave(*connections), truths


def interleaved() -> Made:
    """Six connections at once, waiting and pipelining clients mixed, sequence numbers that wrap."""
    made = [
        session(
            20 + n,
            BOXES["wangwu" if n % 4 == 3 else "lisi"],
            start=tcp.START + 700 * n,
            window=(1, 1, 4, 12)[n % 4],
            batch=(1, 50)[n == 5],
            flavour=list(pop3.FLAVOURS.values())[n % 4],
        )
        for n in range(6)
    ]
    return tcp.interleave(*(m for m, _ in made)), [t for _, found in made for t in found]


def apop() -> Made:
    """APOP: right, and wrong."""
    box, flavour = BOXES["zhangsan"], pop3.FOLLOWS
    right, wrong = _digests()
    rest = ["STAT", "RETR 1", "RETR 2", "QUIT"]
    made = [
        session(30, box, ["CAPA", f"APOP zhangsan {right}", *rest], flavour=flavour),
        session(31, box, ["CAPA", f"APOP zhangsan {wrong}", "QUIT"], flavour=flavour, start=tcp.START + 500),
        session(32, box, [f"APOP zhangsan {right}", *rest], flavour=flavour, start=tcp.START + 900),
    ]
    return tcp.interleave(*(m for m, _ in made)), [t for _, found in made for t in found]


def odd_logins() -> Made:
    """Secrets in places where they are easily logged: unknown mechanisms, aborted ones, a password alone on
    a line, one of digits only, one with a space in it."""
    token = _token()
    plain = base64.b64encode(f"\0lisi\0{boxes.USERS['lisi']}".encode()).decode()
    digits = BOXES["wangwu"]
    lisi = BOXES["lisi"]
    fetch = ["STAT", "RETR 1", "QUIT"]
    dialogues = [
        (
            lisi,
            [
                f"AUTH XOAUTH2 {token}",
                "AUTH",
                "AUTH PLAIN",
                "*",
                f"auth plain {plain}",
                "STAT",
                "RETR 1",
                "QUIT",
            ],
        ),
        (digits, ["USER wangwu", "82640193", "PASS 82640193", *fetch]),
        (lisi, ["CAPA", f"PASS {boxes.WRONG}", "USER lisi", f"PASS  {boxes.WRONG} {boxes.WRONG}", "QUIT"]),
        (
            lisi,
            [
                "CAPA",
                "USER lisi",
                f"pass {lisi.password}",
                "LAST",
                "RETR 2",
                "UTF8",
                "DELE 2",
                "RETR 2",
                "QUIT",
            ],
        ),
        (digits, ["CAPA", "AUTH LOGIN", *pop3.login(digits, "LOGIN")[1:], "RETR 2", "QUIT"]),
    ]
    made = [
        session(40 + n, box, lines, start=tcp.START + 400 * n) for n, (box, lines) in enumerate(dialogues)
    ]
    return tcp.interleave(*(m for m, _ in made)), [t for _, found in made for t in found]


def torn() -> Made:
    """Connections that end in the middle of a mail: by a reset, by a FIN, and by silence."""
    packets, truths = [], []
    for number in range(3):
        whole, found = session(50 + number, BOXES["wangwu"], start=tcp.START + 1000 * number)
        inner = _inner(whole.packets)
        torn = tcp.Connection(whole.flow)
        torn.packets = whole.packets[: inner[20 + number]]
        last = torn.packets[-1]
        torn.now = last.ts + 100
        server = next(p for p in reversed(torn.packets) if not p.from_client)
        client = next(p for p in reversed(torn.packets) if p.from_client)
        torn.sent = [client.seq + len(client.payload), server.seq + len(server.payload)]
        if number == 0:
            torn.reset()
        elif number == 1:
            torn.close()
        packets.append(torn)
        truths += truth.after(found, whole.packets, torn.packets)
    return tcp.interleave(*packets), truths


def decrypted() -> Made:
    """What a device that decrypts TLS sends to a sensor: clear text on 995/tcp, and on 110/tcp after STLS."""
    box = BOXES["lisi"]
    lines = pop3.fetch_all(box)
    made = [
        session(70, box, lines, port=995),
        session(71, box, ["CAPA", "STLS", *lines], start=tcp.START + 500),
    ]
    return tcp.interleave(*(m for m, _ in made)), [t for _, found in made for t in found]


SECRETS = "# Made up for the captures here: passwords, and what went over the wire in their place.\n"


def secrets() -> list[str]:
    """Every password of the fixtures, and the forms of it that clients send."""
    held = [*boxes.USERS.items(), *((user, boxes.WRONG) for user in (*boxes.USERS, "nobody"))]
    out = [*boxes.USERS.values(), boxes.WRONG, _token()]
    for user, word in held:
        out += [base64.b64encode(text.encode()).decode() for text in (word, f"\0{user}\0{word}")]
    return [*dict.fromkeys(out), *_digests()]


def _token() -> str:
    return base64.b64encode(b"user=lisi\1auth=Bearer " + boxes.WRONG.encode() + b"\1\1").decode()


def _digests() -> tuple[str, str]:
    """What APOP sends for the right and the wrong password (RFC 1939, section 7)."""
    greeting = pop3.FOLLOWS.greeting
    stamp = greeting[greeting.index("<") :]
    words = (boxes.USERS["zhangsan"], boxes.WRONG)
    right, wrong = (hashlib.md5((stamp + word).encode()).hexdigest() for word in words)
    return right, wrong


def rotated() -> Made:
    """Sessions over some ten minutes, one of them longer than the time after which logs are rotated."""
    slow = tcp.Connection(flow(60), start=tcp.START, cut=tcp.by_size(400)).open()
    slow.turn = 25_000_000  # only now: a handshake may not take longer than five seconds
    turns = pop3.dialogue(BOXES["zhangsan"], pop3.fetch_all(BOXES["zhangsan"]))
    for from_client, data in pop3.steps(turns):
        slow.send(from_client, data)
    slow.close()
    truths = truth.of_turns(turns, slow.flow)
    others = []
    for n in range(5):
        other, found = session(61 + n, BOXES["lisi"], start=tcp.START + n * 100_000_000)
        others.append(other)
        truths += found
    return tcp.interleave(slow, *others), truths


def made(folder: Path) -> dict[str, Callable[[], Made]]:
    """Name → what makes it, from the recorded captures in `folder`."""
    return {
        "gap": lambda: damaged(folder, "poplib-ethernet", _with_gaps),
        "gap-pipelined": lambda: damaged(folder, "mpop", _thinned(0.04)),
        "gap-many": lambda: damaged(folder, "mpop-many", _thinned(0.03)),
        "gap-parallel": lambda: damaged(folder, "parallel", _thinned(0.03)),
        "cut-off": lambda: damaged(folder, "poplib-ethernet", _cut_in_a_mail),
        "late": lambda: damaged(folder, "poplib-ethernet", lambda packets: damage.start_late(packets, 40)),
        "reordered": lambda: damaged(folder, "fetchmail", _shuffled),
        "bytewise": bytewise,
        "line-ends": cut_in_line_ends,
        "flavours": flavours,
        "interleaved": interleaved,
        "apop": apop,
        "odd-logins": odd_logins,
        "torn": torn,
        "decrypted": decrypted,
        "rotated": rotated,
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="the folder that holds the recorded captures")
    args = parser.parse_args(argv)
    (args.out / "secrets.txt").write_text(SECRETS + "".join(f"{word}\n" for word in secrets()))
    for name, make in made(args.out).items():
        packets, truths = make()
        size = pcap.write(args.out / f"{name}.pcap", packets)
        truth.save(args.out / f"{name}.truth.json", truths, capture=f"{name}.pcap")
        whole = sum(t.complete for t in truths)
        print(f"{name}: {size} bytes, {len(truths)} transfers, {whole} of them whole")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

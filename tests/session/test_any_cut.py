"""Properties of the machine: nothing depends on how bytes, rows and logs are cut; losses are said."""

from __future__ import annotations

import pickle
import random

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from support.dialogues import Outcome, capture, fed, only_rows
from support.traffic import damage, pop3, rows, tcp
from zeekpop3.session import Connection, Rows, Transfer

line = st.binary(max_size=60).map(lambda b: b.replace(b"\r", b"").replace(b"\n", b""))
mail = st.lists(line, max_size=12).map(lambda lines: b"".join(b + b"\r\n" for b in lines))
mails = st.lists(mail, min_size=1, max_size=6)
how = st.sampled_from([{}, {"batch": 3}, {"batch": 50}, {"window": 3}])
PROPERTY = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def split(made: Rows, seed: int) -> list[Rows]:
    rng, out, at = random.Random(seed), [], 0
    while at < len(made.ts):
        step = rng.randint(1, 9)
        out.append(rows.part(made, at, at + step))
        at += step
    return out


def facts(out: Outcome) -> list[object]:
    """All that does not depend on when a row was written."""
    return [
        [
            (t.command, t.msg_num, t.raw, t.complete, t.missing_bytes, t.uidl, t.defects)
            for t in out.transfers
        ],
        [(c.seq, c.command, c.argument, c.status, c.message, c.lines, c.octets) for c in out.commands],
        [(s.user, s.capabilities, s.listed, s.retrieved, s.errors, s.defects) for s in out.sessions],
    ]


@PROPERTY
@given(mails, how, st.integers(0, 10_000))
def test_any_mail_comes_back_byte_for_byte(box: list[bytes], kw: dict[str, int], seed: int) -> None:
    """Whatever the mails and the client, however segments are cut and rows gathered: all are there."""
    rng = random.Random(seed)
    turns = pop3.dialogue(pop3.Mailbox(box), pop3.fetch_all(pop3.Mailbox(box)))
    cut = rng.choice([None, tcp.by_size(rng.randint(1, 40))])
    connection = tcp.Connection().play(pop3.steps(turns, **kw), cut).close()
    packets = damage.retransmit(connection.packets, rng.sample(range(len(connection.packets)), 3))
    made = only_rows(packets, exact=True, seed=seed, flush_before_sent=seed % 2 == 0)
    out = fed(split(made, seed))
    assert [(t.msg_num, t.raw, t.complete) for t in out.transfers] == [
        (number, message, True) for number, message in enumerate(pop3.Mailbox(box).messages, 1)
    ]


@PROPERTY
@given(mails, how, st.integers(0, 10_000), st.booleans(), st.sampled_from([0.0, 0.05]))
def test_batches_make_no_difference(
    box: list[bytes], kw: dict[str, int], seed: int, exact: bool, loss: float
) -> None:
    """Rows fed whole, one by one, or in pieces give the same, in either form, with losses and without."""
    connection, _ = capture(box, **kw)
    packets = damage.lose(connection.packets, loss, random.Random(seed))
    made = only_rows(packets, exact=exact, seed=seed)
    whole = fed([made])
    assert facts(fed(split(made, seed))) == facts(whole)
    assert facts(fed(rows.part(made, n, n + 1) for n in range(len(made.ts)))) == facts(whole)


@PROPERTY
@given(mails, how, st.integers(0, 10_000), st.booleans(), st.sampled_from([0.0, 0.05]))
def test_handed_on_between_any_rows(
    box: list[bytes], kw: dict[str, int], seed: int, exact: bool, loss: float
) -> None:
    """Pickled and unpickled between any two pieces, a connection gives the same events, to the last field."""
    packets = damage.lose(capture(box, **kw)[0].packets, loss, random.Random(seed))
    made = only_rows(packets, exact=exact, seed=seed)
    stays, moves = Connection("C1", 400), Connection("C1", 400)
    for piece in split(made, seed):
        expected = stays.receive(piece)
        moves = pickle.loads(pickle.dumps(moves))
        assert pickle.loads(pickle.dumps(moves.receive(piece))) == expected
        assert (moves.last_ts, moves.next_seq, moves.held_bytes) == (
            stays.last_ts,
            stays.next_seq,
            stays.held_bytes,
        )
    expected = stays.finish("idle")
    assert pickle.loads(pickle.dumps(moves)).finish("idle") == expected


@PROPERTY
@given(st.lists(st.integers(0, 60), min_size=1, max_size=4), st.integers(0, 10_000))
def test_what_is_over_the_bound_is_counted(sizes: list[int], seed: int) -> None:
    """Whenever the bound is set, and however little is over it: what is there and what is not add up."""
    box = [b"".join(b"x" * (size % 23) + b"\r\n" for _ in range(size % 11)) for size in sizes]
    turns = pop3.dialogue(pop3.Mailbox(box), pop3.fetch_all(pop3.Mailbox(box)))
    connection = tcp.Connection().play(pop3.steps(turns), tcp.by_size(16)).close()
    made = only_rows(connection.packets, exact=True, seed=seed)
    machine, events = Connection("C1"), []
    at = random.Random(seed).randrange(len(made.ts))
    for n in range(len(made.ts)):
        events += machine.receive(rows.part(made, n, n + 1))
        if n == at:
            events += machine.bound(60 + seed % 70)
    transfers = [event for event in events if isinstance(event, Transfer)]
    messages = pop3.Mailbox(box).messages
    assert [len(t.raw) + (t.missing_bytes or 0) for t in transfers] == [len(each) for each in messages]


@PROPERTY
@given(mails, st.integers(0, 10_000))
def test_rows_given_twice_count_once(box: list[bytes], seed: int) -> None:
    """A log that is read twice (a rotated file and its copy) changes nothing."""
    made = only_rows(capture(box)[0].packets, exact=seed % 2 == 0, seed=seed)
    at = random.Random(seed).randrange(len(made.ts))
    pieces = [rows.part(made, 0, at), rows.part(made, max(0, at - 7), at), rows.part(made, at)]
    assert facts(fed(pieces)) == facts(fed([made]))


@PROPERTY
@given(mails, how, st.integers(0, 10_000), st.booleans())
@example([b"", b""], {"window": 3}, 97, False)  # UIDL's answer was taken for a message
def test_what_is_called_complete_is(
    box: list[bytes], kw: dict[str, int], seed: int, server_only: bool
) -> None:
    """After losses no mail is called complete that is not a mail of the mailbox, to the byte."""
    rng = random.Random(seed)
    connection, _ = capture(box, **kw)
    packets = damage.lose(connection.packets, 0.08, rng, server_only=server_only)
    made = rows.of_packets(packets, exact=True, rng=rng)
    messages = pop3.Mailbox(box).messages
    for each in made.values():
        for transfer in fed([each]).transfers:
            if transfer.complete and transfer.command == "RETR":
                assert transfer.raw in messages


@PROPERTY
@given(mails, st.integers(0, 10_000))
def test_a_lost_row_is_said(box: list[bytes], seed: int) -> None:
    """A row missing from the log (a hole in seq) shows in the session, and spares the other mails."""
    made = only_rows(capture(box)[0].packets, exact=True, seed=seed)
    at = random.Random(seed).randrange(1, len(made.ts) - 1)
    out = fed([rows.without(made, at)])
    assert "rows_missing" in out.session.defects
    messages = pop3.Mailbox(box).messages
    assert all(t.raw in messages for t in out.transfers if t.complete)


@PROPERTY
@given(st.lists(mails, min_size=2, max_size=4), st.integers(0, 10_000))
def test_connections_do_not_mix(boxes: list[list[bytes]], seed: int) -> None:
    """Each of several connections gives what it gives alone, however their rows interleave."""
    from zeekpop3.pipeline.connections import OpenConnections

    rng = random.Random(seed)
    queues = {}
    for number, box in enumerate(boxes):
        made = only_rows(capture(box)[0].packets, exact=number % 2 == 0, seed=seed)
        queues[f"C{number}"] = split(made, seed + number)
    alone = {uid: fed(list(queue)) for uid, queue in queues.items()}
    connections, found = OpenConnections(), []
    while queues:
        uid = rng.choice(sorted(queues))
        found += connections.feed(uid, queues[uid].pop(0))
        if not queues[uid]:
            del queues[uid]
    assert list(connections.open) == []
    transfers = [event.raw for event in found if hasattr(event, "raw")]
    assert sorted(transfers) == sorted(t.raw for out in alone.values() for t in out.transfers)

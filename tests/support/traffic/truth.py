"""Which mails a capture holds: number, hash, place in the server's stream, and what of each was lost.

The truth about a session comes from the dialogue, not from packets; `lost` then finds the bytes that a
damaged capture no longer has.
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from support.traffic.pcap import Flow, Packet
from support.traffic.pop3 import Turn
from support.traffic.zeek import trimmed_sha256

Span = tuple[int, int]


@dataclass
class Truth:
    """A RETR or TOP that the server answered +OK.

    Spans are positions in the server's stream, from 0. `response` covers status line, message and
    terminator, `body` the message as sent. `missing_bytes` counts lost bytes of the message itself (without
    stuffing dots), `missing_wire` those of `body`. `complete`: nothing of the response is missing.
    `body_whole`: nothing of the message is, though its status line or terminator may.
    """

    flow: tuple[str, int, str, int]
    trans_depth: int
    command: str
    msg_num: int
    size: int
    sha256: str
    octets_declared: int | None
    uidl: str | None
    response: Span
    body: Span
    complete: bool = True
    body_whole: bool = True
    seen: bool = True
    missing_bytes: int = 0
    missing_wire: int = 0
    message: bytes = field(default=b"", repr=False)
    wire: bytes = field(default=b"", repr=False)


def of_turns(turns: Iterable[Turn], flow: Flow) -> list[Truth]:
    """The transfers of a dialogue."""
    found: list[Truth] = []
    at = 0
    for turn in turns:
        end = at + len(turn.response)
        if turn.message is not None and turn.number is not None:
            start = at + turn.response.index(b"\r\n") + 2
            message, digest = turn.message, hashlib.sha256(turn.message).hexdigest()
            spans = ((at, end), (start, end - 3))
            what = (len(found) + 1, turn.command, turn.number, len(message), digest, turn.octets, turn.uid)
            wire = turn.response[start - at : -3]
            found.append(Truth(flow.key, *what, *spans, message=message, wire=wire))
        at = end
    return found


_MULTI = (b"RETR", b"TOP", b"CAPA")
_MULTI_BARE = (b"LIST", b"UIDL", b"AUTH")


def of_streams(client: bytes, server: bytes) -> list[Turn]:
    """The turns of a session without losses, read off the two streams; ends where TLS begins or bytes end.

    Used on captures of real servers. Takes a client line after `+ ` for a SASL response.
    """
    lines = iter(client.split(b"\r\n"))
    end = _line_end(server, 0)
    turns = [Turn(b"", server[:end])]
    sizes: dict[int, int] = {}
    uids: dict[int, str] = {}
    at, sasl = end, False
    for line in lines:
        if not line or at >= len(server):
            break
        words = line.split()
        verb = b"" if sasl else words[0].upper()
        end = _line_end(server, at)
        status = server[at:end]
        sasl = status.startswith(b"+ ") or status == b"+\r\n"
        multi = status.startswith(b"+OK") and (verb in _MULTI or (verb in _MULTI_BARE and len(words) == 1))
        wire = None
        if multi:
            stop = end - 2 if server.startswith(b".\r\n", end) else server.find(b"\r\n.\r\n", end)
            if stop < 0:
                turns.append(Turn(line + b"\r\n", server[at:], verb.decode()))
                break
            wire = server[end : stop + 2]
            end = stop + 5
        number = int(words[1]) if wire is not None and verb in (b"RETR", b"TOP") else None
        message = None
        if wire is not None and number is not None:
            message = re.sub(rb"(\A|\r\n)\.", rb"\1", wire)
        elif wire is not None and verb in (b"LIST", b"UIDL"):
            for row in wire.splitlines():
                n, value = row.split()[:2]
                if verb == b"LIST":
                    sizes[int(n)] = int(value)
                else:
                    uids[int(n)] = value.decode()
        octets = re.match(rb"\+OK (\d+) octets", status) if verb == b"RETR" else None
        turns.append(
            Turn(
                line + b"\r\n", server[at:end], verb.decode(), number, message,
                int(octets[1]) if octets else None, uids.get(number or 0),
            )
        )  # fmt: skip
        at = end
        if verb == b"STLS" and status.startswith(b"+OK") and server[at : at + 1] not in (b"+", b"-"):
            break
    return turns


def _line_end(stream: bytes, at: int) -> int:
    end = stream.find(b"\r\n", at)
    return len(stream) if end < 0 else end + 2


def streams(packets: Iterable[Packet]) -> dict[Flow, tuple[bytes, bytes]]:
    """What client and server sent on each connection of a capture without losses."""
    held: dict[Flow, tuple[bytearray, bytearray]] = {}
    for packet in packets:
        stream = held.setdefault(packet.flow, (bytearray(), bytearray()))[0 if packet.from_client else 1]
        if packet.payload:
            end = packet.offset + len(packet.payload)
            if len(stream) < end:
                stream.extend(bytes(end - len(stream)))
            stream[packet.offset : end] = packet.payload
    return {flow: (bytes(client), bytes(server)) for flow, (client, server) in held.items()}


def holes(
    packets: Iterable[Packet], ends: dict[Flow, tuple[int, int]]
) -> dict[Flow, tuple[list[Span], list[Span]]]:
    """The spans of each side's stream (client, server) that no packet carries; `ends` are the streams'
    lengths."""
    seen: dict[Flow, tuple[list[Span], list[Span]]] = {flow: ([], []) for flow in ends}
    for packet in packets:
        if packet.payload:
            span = (packet.offset, packet.offset + len(packet.payload))
            seen[packet.flow][0 if packet.from_client else 1].append(span)
    return {
        flow: (_complement(sides[0], ends[flow][0]), _complement(sides[1], ends[flow][1]))
        for flow, sides in seen.items()
    }


def _complement(spans: list[Span], end: int) -> list[Span]:
    at, out = 0, []
    for start, stop in sorted(spans):
        if start > at:
            out.append((at, start))
        at = max(at, stop)
    return [*out, (at, end)] if at < end else out


def lost(transfers: Iterable[Truth], gaps: list[Span]) -> list[Truth]:
    """Writes into the transfers of one connection what these holes of the server's stream cost them.

    A transfer whose response is missing altogether is still listed, with nothing of it there.
    """
    out = list(transfers)
    ends = [stop for _, stop in gaps]
    for truth in out:
        hit = []
        for start, stop in gaps[bisect_right(ends, truth.response[0]) :]:
            if start >= truth.response[1]:
                break
            hit.append((max(start, truth.response[0]), min(stop, truth.response[1])))
        truth.complete = not hit
        truth.seen = sum(b - a for a, b in hit) < truth.response[1] - truth.response[0]
        first, last = truth.body
        inside = [(max(a, first), min(b, last)) for a, b in hit if a < last and b > first]
        truth.missing_wire = sum(b - a for a, b in inside)
        dots = _stuffing(truth.wire) if inside else []
        stuffing = sum(1 for dot in dots if any(a <= dot + first < b for a, b in inside))
        truth.missing_bytes = truth.missing_wire - stuffing
        truth.body_whole = not inside
    return out


def _stuffing(wire: bytes) -> list[int]:
    return [match.end() - 1 for match in re.finditer(rb"(?:\A|\r\n)\.", wire)]


def of_packets(packets: Iterable[Packet]) -> list[Truth]:
    """The transfers of a capture without losses, connection after connection."""
    out = []
    for flow, (client, server) in streams(packets).items():
        out.extend(of_turns(of_streams(client, server), flow))
    return out


def after(truths: Iterable[Truth], whole: list[Packet], damaged: list[Packet]) -> list[Truth]:
    """The truth about a damaged capture, from that about the whole one and the packets of both."""
    ends = {flow: (len(client), len(server)) for flow, (client, server) in streams(whole).items()}
    gaps = {flow.key: sides[1] for flow, sides in holes(damaged, ends).items()}
    by_flow: dict[tuple[str, int, str, int], list[Truth]] = {}
    for truth in truths:
        by_flow.setdefault(truth.flow, []).append(truth)
    return [truth for key, group in by_flow.items() for truth in lost(group, gaps[key])]


def as_json(truth: Truth) -> dict[str, Any]:
    """A transfer's truth for a file: everything but the bytes, and `trimmed_sha256` to know it in the plain
    form."""
    row = asdict(truth)
    del row["message"], row["wire"]
    row["trimmed_sha256"] = trimmed_sha256(truth.message)
    keys = ("id_orig_h", "id_orig_p", "id_resp_h", "id_resp_p")
    return {**dict(zip(keys, row.pop("flow"), strict=True)), **row}


def save(path: Path | str, truths: Iterable[Truth | dict[str, Any]], **about: Any) -> None:
    """Write a truth file: what is said of the capture, and a line for each transfer."""
    told = (as_json(truth) if isinstance(truth, Truth) else truth for truth in truths)
    rows = ",\n  ".join(map(json.dumps, told))
    head = "".join(f"{json.dumps(key)}: {json.dumps(value)},\n " for key, value in about.items())
    Path(path).write_text(f'{{{head}"transfers": [\n  {rows}\n ]}}\n')

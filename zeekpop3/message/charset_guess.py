"""Guesses the charset of unlabelled 8-bit text: cheap signs first, a detector for the rest.

Western text has few high bytes, each among ASCII letters: it needs no detector. Text with many of them, or
with pairs of them, goes to charset-normalizer: a bounded sample, and only charsets that mail is written in.
"""

from __future__ import annotations

from functools import lru_cache

from zeekpop3.message.budget import DETECTION, current

_ASCII_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MARK_HIGH = b" " * 128 + b"x" * 128
_IN_1252 = bytes(set(range(256)) - {0x81, 0x8D, 0x8F, 0x90, 0x9D})
_LOOK_AT_BYTES = 32_768
_SAMPLE_BYTES = 2_048
CANDIDATES = [
    "cp1252", "cp1251", "koi8_r", "cp1250", "iso8859_2", "cp1253", "cp1254", "cp1255", "cp1256", "cp874",
    "gb18030", "big5", "shift_jis", "euc_jp", "cp949",
]  # fmt: skip


def guess(data: bytes) -> str:
    """Name of a codec for `data`, which is 8-bit and not UTF-8; "cp1252" if no other is more likely."""
    head = data[:_LOOK_AT_BYTES]
    if head.isascii():
        at = len(data) - len(data.lstrip(bytes(range(128))))
        head = data[at : at + _LOOK_AT_BYTES]
    runs = head.translate(_MARK_HIGH).split()
    high = sum(map(len, runs))
    in_runs = high - runs.count(b"x")
    if high < 4:
        return "cp1252"
    if in_runs * 2 <= high and not head.translate(None, _IN_1252):
        letters = len(head) - len(head.translate(None, _ASCII_LETTERS))
        if high * 20 < letters:
            return "cp1252"
    return _detected(_dense(head))


def _detected(sample: bytes) -> str:
    """What the detector finds; what it found last if the mail has had as many detections as it may."""
    limits = current()
    if limits.detections > 0:
        limits.detections -= 1
        limits.charge(DETECTION)
        limits.guess = detect(sample)
    return limits.guess


def _dense(head: bytes) -> bytes:
    """The lines with high bytes, up to a bound: the input of the detector."""
    if len(head) <= _SAMPLE_BYTES:
        return head
    lines: list[bytes] = []
    size = 0
    for line in head.split(b"\n"):
        if not line.isascii():
            lines.append(line)
            size += len(line) + 1
            if size >= _SAMPLE_BYTES:
                break
    return b"\n".join(lines)[: 2 * _SAMPLE_BYTES]


@lru_cache(maxsize=256)
def detect(sample: bytes) -> str:
    """The codec that charset-normalizer finds."""
    from charset_normalizer import from_bytes

    try:
        best = from_bytes(sample, cp_isolation=CANDIDATES, preemptive_behaviour=False).best()
    except Exception:  # a failure of the detector is not a failure of the mail
        best = None
    return "cp1252" if best is None or best.encoding not in CANDIDATES else best.encoding

"""The lines of one response in the plain form: collected as the rows have them, split when the response has
ended.

A row of the second edition of the log holds many lines joined by LF, with header marks (NUL and a field's
name) as lines of their own among them. A row of the first edition holds one line, and marks are rows: those
lines are used as they are, without a copy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Content(NamedTuple):
    """Lines without line ends; for each header mark the number of lines before it and the field's name; for
    each gap the number of lines before it and the bytes missing."""

    lines: list[bytes]
    marks: list[tuple[int, bytes]]
    gaps: list[tuple[int, int]]


@dataclass(slots=True)
class Lines:
    """`held` counts the bytes of the pieces, `over` the bytes dropped beyond the limit.

    `marks` and `gaps` are like those of `Content`, but count pieces.
    """

    pieces: list[bytes] = field(default_factory=list)
    marks: list[tuple[int, bytes]] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    held: int = 0
    over: int = 0

    def __bool__(self) -> bool:
        return bool(self.pieces)

    @property
    def held_bytes(self) -> int:
        """About how much memory is held, in bytes."""
        return self.held + 41 * len(self.pieces) + 100 * (len(self.marks) + len(self.gaps))

    @property
    def marked(self) -> bool:
        """True if there is a header mark."""
        return bool(self.marks) or any(b"\0" in piece for piece in self.pieces)

    def drop(self, piece: bytes) -> None:
        """A piece beyond the limit: only its bytes on the wire are counted."""
        self.over += len(piece) + piece.count(b"\n") + 2

    def bound(self, limit: int) -> None:
        """Drop the last pieces until at most `limit` bytes are held."""
        while self.pieces and self.held > limit:
            piece = self.pieces.pop()
            self.held -= len(piece) + 2
            self.drop(piece)

    def content(self) -> Content:
        """The lines, split."""
        text = b"".join(self.pieces)
        if b"\n" not in text and b"\0" not in text:
            return Content(self.pieces, self.marks, self.gaps)
        found = Content([], [], [])
        starts = [0]  # for each piece the number of lines before it
        for piece in self.pieces:
            _split(piece, found)
            starts.append(len(found.lines))
        found.gaps.extend((starts[before], missing) for before, missing in self.gaps)
        return found


def _split(piece: bytes, found: Content) -> None:
    """Add the lines of a piece, and its marks."""
    lines = piece.split(b"\n")
    if b"\0" not in piece:
        found.lines.extend(lines)
        return
    for line in lines:
        if line.startswith(b"\0"):
            found.marks.append((len(found.lines), line[1:]))
        else:
            found.lines.append(line)

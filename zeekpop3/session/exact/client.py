"""The client's side of the exact form: the lines that wait for an answer.

Every line of the client has a `sent` row; a row may stand for several equal lines.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice

from zeekpop3.session.exact.commands import Sent, lost_commands
from zeekpop3.session.exact.unmatched import LostRequests

NEVER = 1 << 62
_FEW = 32


@dataclass(slots=True)
class ClientLines:
    """A queue of lines. From `pipelined_from` on the client has been seen not to wait for answers."""

    requests: LostRequests
    pipelined_from: int = NEVER
    lines: list[Sent] | deque[Sent] = field(default_factory=list)
    _last: Sent | None = None
    _cut: Sent | None = None  # the first line after a loss: its beginning may be lost
    _last_offset: int = -1

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def first(self) -> Sent | None:
        """The line that is to be answered next."""
        return self.lines[0] if self.lines else None

    @property
    def second(self) -> Sent | None:
        """The line after it."""
        lines = self.lines
        if lines and lines[0].count > 1:
            return lines[0]
        return lines[1] if len(lines) > 1 else None

    @property
    def next_offset(self) -> int | None:
        """Where the server's stream stood when the client sent the second line."""
        second = self.second
        return second.offset if second is not None else None

    def offsets(self, start: int, stop: int) -> set[int]:
        """Where the server's stream stood at the next lines, between two offsets; of many lines the first."""
        return {sent.offset for sent in islice(self.lines, 1, _FEW) if start < sent.offset < stop}

    def add(self, sent: Sent) -> None:
        """The client has sent a line, or `sent.count` equal ones."""
        if sent.offset == self._last_offset or sent.count > 1:  # it did not wait
            self.pipelined_from = min(self.pipelined_from, sent.offset)
        self._last_offset = sent.offset
        cut = self._cut
        self._cut = None
        if self.requests.lost and cut is None and sent.command is None and sent.count == 1:
            self._cut = sent
        else:
            if self.requests.lost:
                self._infer(cut, sent)
            self._last = sent
        self.lines.append(sent)
        if len(self.lines) > _FEW and isinstance(self.lines, list):
            # Takes ten times the memory of a short list, but loses its front cheaply.
            self.lines = deque(self.lines)

    def _infer(self, cut: Sent | None, sent: Sent) -> None:
        """Add the lines that were lost before `sent`. The last of them may be `cut`: the log has no command
        for the line in which a loss ends."""
        in_queue = cut is not None and bool(self.lines) and self.lines[-1] is cut
        # In a batch the loss cuts lines at both its ends.
        slack = 32 if in_queue or self.pipelined_from <= sent.offset else 0
        inferred = lost_commands(self._last, sent, self.requests.lost, slack)
        self.requests.found(inferred)
        if in_queue and inferred and cut is not None:
            last = inferred.pop()
            cut.command, cut.argument, cut.inferred = last.command, last.argument, True
            self.lines.pop()
            inferred.append(cut)
        self.lines.extend(inferred)

    def pop(self) -> Sent:
        """Remove the first line."""
        first = self.lines[0]
        self._drop(0)
        return first

    def drop_second(self) -> None:
        """Remove the line after the first."""
        self._drop(0 if self.lines[0].count > 1 else 1)

    def _drop(self, index: int) -> None:
        """Remove one line of a row of lines."""
        if self.lines[index].count > 1:
            self.lines[index].count -= 1
        else:
            del self.lines[index]

    def move_back(self, position: int, kept: int, count: int) -> None:
        """`count` bytes of the stream between `position` and `kept` were dropped: lines sent there count as
        sent at `position`, while the response was under way."""
        for sent in reversed(self.lines):
            if sent.offset <= position:
                break
            sent.offset = max(sent.offset - count, position) if sent.offset >= kept else position

    def pop_all(self) -> list[Sent]:
        """Remove all lines; a `Sent` may stand for several."""
        lines = list(self.lines)
        self.lines.clear()
        return lines

    def ahead(self, limit: int) -> list[Sent]:
        """The first lines, at most `limit`."""
        found: list[Sent] = []
        for sent in self.lines:
            found.extend([sent] * min(sent.count, limit - len(found)))
            if len(found) >= limit:
                break
        return found

"""Lines in, a message out: by the evidence if there is any, by the looks of the lines else."""

from __future__ import annotations

from typing import Final

from zeekpop3.session.plain.looks import fold_by_looks
from zeekpop3.session.plain.marks import fold_by_marks

FOLD_GUESSED: Final = "header_fold_guessed"


def refold(lines: list[bytes], marks: list[tuple[int, bytes]] | None) -> tuple[bytes, list[str]]:
    """The message that `lines` are, and its defects (`header_fold_guessed`, if a fold was guessed).

    `lines` are the trimmed lines of one message, dots unstuffed, without line ends. `marks` are its
    `header` rows in order, each the number of lines seen before it and the field's name; None if the log
    has none. Continuation lines, in the headers of its parts as well, get one blank in front, each line CR
    LF at its end. Linear in time.
    """
    folded = list(lines)
    guessed = fold_by_looks(folded, 0) if marks is None else fold_by_marks(folded, marks)
    folded.append(b"")
    return b"\r\n".join(folded), [FOLD_GUESSED] if guessed else []

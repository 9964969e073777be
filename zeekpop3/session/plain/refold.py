"""Restores the header folds of the plain form's lines.

Zeek trims each line (`trim_whitespace`, src/analyzer/protocol/pop3/POP3.cc), and with the blanks at its start
a continuation line loses what makes it one (RFC 5322, section 2.2.3). Header marks say where each field
ended; without them the content of the lines decides, and a fold found so is a guess.
"""

from __future__ import annotations

from zeekpop3.defects import Defect
from zeekpop3.session.plain.guess import guess_folds
from zeekpop3.session.plain.header_marks import fold_by_marks


def refold(lines: list[bytes], marks: list[tuple[int, bytes]] | None) -> tuple[bytes, list[Defect]]:
    """The message of which `lines` are the lines, and its defects (`header_fold_guessed`, if a fold was
    guessed).

    `lines` are the trimmed lines of one message, dots unstuffed, without line ends. `marks` are its header
    marks in order, each the number of lines before it and the field's name; None if the log has none.
    Continuation lines get one blank in front, in the headers of the parts as well. Every line ends with CRLF.
    Linear time.
    """
    folded = list(lines)
    guessed = guess_folds(folded, 0) if marks is None else fold_by_marks(folded, marks)
    folded.append(b"")
    return b"\r\n".join(folded), [Defect.HEADER_FOLD_GUESSED] if guessed else []

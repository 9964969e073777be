"""The plain form's lines get their header folds back.

Zeek trims each line (`trim_whitespace`, src/analyzer/protocol/pop3/POP3.cc), and with the blanks in front
of it a continuation line loses what makes it one (RFC 5322, section 2.2.3). `header` rows say where each
field ended; where there are none, the looks of the lines must do, and a fold so found is a guess.
"""

from __future__ import annotations

from zeekpop3.session.plain.fold import FOLD_GUESSED, refold

__all__ = ["FOLD_GUESSED", "refold"]

"""No character that cannot be seen gets through to a terminal, and none that can is touched."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from zeekpop3.views.text import visible, visible_field, visible_lines

#: Variation selectors of emoji: they have no width, and hide nothing.
HARMLESS = {"\ufe0e", "\ufe0f"}


def test_every_character_by_its_category() -> None:
    """Controls, formats, surrogates and separators of lines are escaped, letters and symbols are not."""
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        category = unicodedata.category(character)
        shown = visible(character)
        if category in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            assert shown != character, hex(code)
        if category[0] in "PS" or category in ("Lu", "Ll", "Nd", "Zs"):
            assert shown == character, hex(code)
        assert shown == character or shown.isascii()


@pytest.mark.parametrize("text", ["\u200b", "\u2060", "\ufeff", "\u3164", "\u115f", "\U000e0101", "\u034f"])
def test_invisible_letters_and_marks_are_escaped(text: str) -> None:
    """Zero-width characters and fillers that Unicode files under letters or marks."""
    assert visible(text) == "\\" + ("U000e0101" if len(hex(ord(text))) > 6 else f"u{ord(text):04x}")


def test_what_an_analyst_reads() -> None:
    """The escapes are the usual ones; plain text, CJK and emoji stay."""
    assert visible("\x1b[31m\u202e\x9b\r\n\t\x00") == r"\x1b[31m\u202e\x9b\r\n\t\x00"
    assert visible("Grüße 你好 ❤️ [b] \\x") == "Grüße 你好 ❤️ [b] \\x"
    assert visible_lines("a\r\n\tb\rc\x1b") == ["a", "        b", "c\\x1b"]


def test_a_fold_is_a_blank() -> None:
    """In a header field the white space of a fold is one blank; other blanks stay, all else is escaped."""
    assert visible_field("one\ttwo \t \tthree  four\x1b\n") == r"one two three  four\x1b\n"
    assert visible_field(" " * 100_000) == " " * 100_000

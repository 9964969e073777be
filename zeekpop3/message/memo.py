"""What a function gives for short strings that many mails have, such as the names of header fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")
_MAX_ENTRIES = 4_096


class Memo(dict[str, _T], Generic[_T]):
    """The results of a function. Mails choose the strings, so their number is bounded, and strings of more
    than `longest` characters are not kept.
    """

    def __init__(self, function: Callable[[str], _T], longest: int) -> None:
        super().__init__()
        self._function = function
        self._longest = longest

    def __missing__(self, text: str) -> _T:
        result = self._function(text)
        if len(text) <= self._longest:
            if len(self) >= _MAX_ENTRIES:
                self.clear()  # otherwise one mail with many odd names would fill it forever
            self[text] = result
        return result

"""Messages inside a message: those of type message/rfc822 and its kin, at any depth within the limits of
`parts`.
"""

from __future__ import annotations

from collections.abc import Iterator

from zeekpop3.message.header import Header
from zeekpop3.message.parts import Part

MAX_ENCLOSED = 1_000
MAX_FOUND = 20_000  # addresses and links of a mail and of the messages in it


def messages(root: Part) -> Iterator[tuple[str, Header, Part]]:
    """Of each message inside, in the order of the parts: the section of its part, its header, its outermost
    entity.
    """
    stack = [root]
    while stack:
        part = stack.pop()
        if part.children:
            stack.extend(reversed(part.children))
            inner = part.children[0]
            if inner.header is not None:
                yield part.section, inner.header, inner

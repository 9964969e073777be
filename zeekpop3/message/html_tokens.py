"""HTML → text, tags and their attributes, as the HTML standard does it (section 13.2.5, tokenization).

No tree is built: building one takes time that grows with the square of the input on hostile mail. lexbor
takes more than a minute for 1.5 MB of `<div>`. One expression reads a token; what is not closed goes to the
end of the input, so time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

AT_ONCE = 1 << 16  # characters; the tokens of more are not held all at once
BLOCK = 1 << 12  # tokens
_MAX_ATTRIBUTES = 1 << 16  # characters; more attributes of one tag are not read

# Attributes up to the ">": quotes count after "=" only, and a name may begin with "=".
_VALUE = r"(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|[^\s>\"'][^\s>]*+)?+"
_ANY_ATTRIBUTES = rf"(?:[\s/]++|(?:=?+[^\s/>=]++|=)(?:\s*+=\s*+{_VALUE})?+)*+"
_ATTRIBUTES = r"[^>\"'=]*+(?:(?<![\s/\"'=])=(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'>=]++(?=[\s>]))[^>\"'=]*+)*+"
# Elements whose content is not markup: it ends at their own end tag only.
_RAW = "(?i:script|style|title|textarea|xmp|iframe|noembed|noframes)"
# Text, then a tag or comment. What is not closed goes to the end, so no character is looked at three times.
_TOKEN = re.compile(
    r"([^<]*+(?:<(?![a-zA-Z/!?])[^<]*+)*+)"
    rf"(?:<(?:(?:(?=[sStTxXiInN])(?=({_RAW})(?=[\s/>])))?+(/?[a-zA-Z][^\s/>]*+)"
    rf"(?:>|((?:{_ATTRIBUTES})(?=>)|{_ANY_ATTRIBUTES})(?:>|\Z))"
    r"(?(2)(?:[^<]++|<(?!/(?i:\2)(?![^\s/>])))*+)"
    r"|!--(?:-?>|(?:[^-]++|-(?!-!?>))*+(?:--!?>|\Z))"
    r"|[!?/][^>]*+(?:>|\Z))|\Z)",
    re.ASCII,  # "ı" must not match "i", nor a no-break space match white space
)
_ATTRIBUTE = re.compile(
    r"(=?+[^\s/>=]++|=)(?:\s*+=\s*+(?:\"([^\"]*+)(?:\"|\Z)|'([^']*+)(?:'|\Z)|([^\s>\"'][^\s>]*+))?+)?+",
    re.ASCII,
)

Token = tuple[str, ...]
"""Text, element without markup in it, tag as written (`/` in front of an end tag), attributes."""


def tokens(html: str) -> Iterator[list[Token]]:
    """The tokens of a body, in blocks."""
    if len(html) <= AT_ONCE:
        yield _TOKEN.findall(html)
        return
    matches = _TOKEN.finditer(html)
    while block := [match.groups("") for match in islice(matches, BLOCK)]:
        yield block


def attribute_values(attributes: str) -> dict[str, str]:
    """Raw values by lower-cased name; of two attributes of one name the first counts."""
    if len(attributes) > _MAX_ATTRIBUTES:
        return {}
    found = _ATTRIBUTE.findall(attributes)
    found.reverse()
    return {name.lower(): double or single or bare for name, double, single, bare in found}

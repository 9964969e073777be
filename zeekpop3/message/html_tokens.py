"""HTML → text, tags, attributes and characters, as the HTML standard does it (section 13.2.5, tokenization).

No tree is built: building one takes time that grows with the square of the input on hostile mail. lexbor
takes more than a minute for 1.5 MB of `<div>`. One expression reads a token; what is not closed goes to the
end of the input, so time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.entities import html5
from itertools import groupby, islice
from operator import itemgetter

from zeekpop3.message.budget import current

AT_ONCE = 1 << 16  # characters; the tokens of more are not held all at once
BLOCK = 1 << 12  # tokens
MAX_ATTRIBUTES = 1 << 16  # characters; more attributes of one tag are not read

_S = r" \t\n\r\f"  # white space of HTML; others, such as a vertical tab, are part of a name
# Attributes up to the ">": quotes count after "=" only, and a name may begin with "=".
_VALUE = rf"(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|[^{_S}>\"'][^{_S}>]*+)?+"
_ANY_ATTRIBUTES = rf"(?:[{_S}/]++|(?:=?+[^{_S}/>=]++|=)(?:[{_S}]*+=[{_S}]*+{_VALUE})?+)*+"
_ATTRIBUTES = (
    rf"[^>\"'=]*+(?:(?<![{_S}/\"'=])=(?:\"[^\"]*+\"|'[^']*+'|[^{_S}\"'>=]++(?=[{_S}>]))[^>\"'=]*+)*+"
)
# Elements whose content is not markup: it ends at their own end tag only.
_RAW = "(?i:script|style|title|textarea|xmp|iframe|noembed|noframes|plaintext)"
# Text, then a tag or comment. What is not closed goes to the end, so no character is looked at three times.
_TOKEN = re.compile(
    r"([^<]*+(?:<(?![a-zA-Z/!?])[^<]*+)*+)"
    rf"(?:<(?:(?:(?=[sStTxXiInNpP])(?=({_RAW})(?=[{_S}/>])))?+(/?[a-zA-Z][^{_S}/>]*+)"
    rf"(?:>|((?:{_ATTRIBUTES})(?=>)|{_ANY_ATTRIBUTES})(?:>|\Z))"
    rf"(?(2)((?:[^<]++|<(?!/(?i:\2)[{_S}/>]))*+))"
    r"|!--(?:-?>|(?:[^-]++|-(?!-!?>))*+(?:--!?>|\Z))"
    r"|[!?/][^>]*+(?:>|\Z))|\Z)",
    re.ASCII,  # "ı" must not match "i"
)
# The same where no element has raw content: in SVG and MathML.
_FOREIGN = re.compile(
    r"([^<]*+(?:<(?![a-zA-Z/!?])[^<]*+)*+)"
    rf"(?:<(?:()(/?[a-zA-Z][^{_S}/>]*+)"
    rf"(?:>|((?:{_ATTRIBUTES})(?=>)|{_ANY_ATTRIBUTES})(?:>|\Z))()"
    r"|!--(?:-?>|(?:[^-]++|-(?!-!?>))*+(?:--!?>|\Z))"
    r"|[!?/][^>]*+(?:>|\Z))|\Z)",
    re.ASCII,
)
_ATTRIBUTE = re.compile(
    rf"(=?+[^{_S}/>=]++|=)"
    rf"(?:[{_S}]*+=[{_S}]*+(?:\"([^\"]*+)(?:\"|\Z)|'([^']*+)(?:'|\Z)|([^{_S}>\"'][^{_S}>]*+))?+)?+",
    re.ASCII,
)

# A character reference (HTML standard, section 13.5): a number, a name, or one of the old names, which count
# without a semicolon, too.
_OLD_NAMES = sorted((name for name in html5 if name[-1] != ";"), key=lambda name: (name[0], -len(name)))
_OLD = "|".join(
    f"{letter}(?:{'|'.join(name[1:] for name in names)})"
    for letter, names in groupby(_OLD_NAMES, itemgetter(0))
)
_OLD_NAME = re.compile(_OLD)
_REFERENCE = re.compile(
    rf"&(?:#(?:[0-9]++|[xX][0-9a-fA-F]++);?+|(?=[a-zA-Z])(?:[a-zA-Z][a-zA-Z0-9]{{1,30}}+;|{_OLD}))"
)
_MAX_REFERENCE = 10  # characters; longer ones are not kept
_MAX_REFERENCES = 4_096
_MAX_DIGITS = 8  # a number of more is not a character

# Characters that take no room: they hide words from a search. Joiners have a meaning between letters.
_INVISIBLE = ("\u00ad", "\u034f", "\u200b", "\u2060", "\ufeff")
_JOINERS = re.compile("(?<![^\\s\u200c\u200d])[\u200c\u200d]+|[\u200c\u200d]+(?=\\s|\\Z)")

Token = tuple[str, ...]
"""Text, element whose content is raw, tag as written (`/` in front of an end tag), attributes, content."""


def tokens(html: str, *, foreign: bool = False) -> Iterator[list[Token]]:
    """The tokens of a body, in blocks. `foreign`: it is within SVG or MathML."""
    expression = _FOREIGN if foreign else _TOKEN
    if len(html) <= AT_ONCE:
        yield expression.findall(html)
        return
    matches = expression.finditer(html)
    while block := [match.groups("") for match in islice(matches, BLOCK)]:
        yield block


def attribute_values(attributes: str) -> dict[str, str]:
    """Raw values by lower-cased name; of two attributes of one name the first counts. Of very many only the
    first are read.
    """
    found = _ATTRIBUTE.findall(attributes, 0, MAX_ATTRIBUTES)
    found.reverse()
    return {name.lower(): double or single or bare for name, double, single, bare in found}


def closes_itself(attributes: str) -> bool:
    """Whether a tag ends with `/>`, which closes an element of SVG and MathML; not where the slash belongs to
    a value without quotes.
    """
    if not attributes.endswith("/"):
        return False
    word = attributes[:-1].split()[-1] if not attributes[:-1][-1:].isspace() and len(attributes) > 1 else ""
    return "=" not in word[max(word.rfind('"'), word.rfind("'")) + 1 :]


class _Characters(dict[str, str]):
    """What character references stand for. Mails choose them, so only so many short ones are kept."""

    def __missing__(self, reference: str) -> str:
        name = reference[1:]
        if name[0] == "#":
            base = "x" if name[1] in "xX" else ""
            digits = name[1 + len(base) :].rstrip(";").lstrip("0")
            found = unescape(f"&#{base}{digits or 0};") if len(digits) <= _MAX_DIGITS else "\ufffd"
        elif name in html5:
            found = html5[name]
        else:
            old = _OLD_NAME.match(name)
            found = reference if old is None else html5[old[0]] + name[old.end() :]
        if len(reference) <= _MAX_REFERENCE:
            if len(self) >= _MAX_REFERENCES:
                self.clear()
            self[reference] = found
        return found


_CHARACTERS = _Characters()


def with_characters(text: str) -> str:
    """Text with its character references decoded (HTML standard, section 13.5), so many of a mail."""
    limits = current()
    limits.references -= text.count("&")
    if limits.references < 0:
        return text
    return _REFERENCE.sub(lambda reference: _CHARACTERS[reference[0]], text)


def without_references(text: str) -> str:
    """Text with its character references decoded, and without characters that are never seen."""
    if "&" in text:
        text = with_characters(text.replace("&nbsp;", " "))
    if not text.isascii():
        for character in _INVISIBLE:
            if character in text:
                text = text.replace(character, "")
        if "\u200c" in text or "\u200d" in text:
            text = _JOINERS.sub("", text)
    return text

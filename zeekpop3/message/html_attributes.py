"""What attributes say of any element: that it is hidden, and what it loads or leads to beside its usual link.

Style sheets are not read for that: only the attributes of the element itself count, and in doubt it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from zeekpop3.message.html_space import with_characters
from zeekpop3.message.html_tokens import AT_ONCE, Token

_ONE_PIXEL = re.compile(r"\s*+(?:0*1|0++)(?:\.0*+)?\s*+(?:px)?\s*+", re.IGNORECASE | re.ASCII)

# Declarations of a style (CSS Syntax 3): without comments and strings, what stands between semicolons.
_NOT_CODE = re.compile(
    r"/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z)|\"(?:[^\"\\]++|\\.)*+(?:\"|\Z)|'(?:[^'\\]++|\\.)*+(?:'|\Z)", re.DOTALL
)
_BRACKETS = re.compile(r"[(){}\[\];]")
_IMPORTANT = re.compile(r"!\s*+important\Z")
_ZERO = re.compile(r"-[\d.]+%?|\+?(?:0++(?:\.0*+)?|\.0++)(?:e[+-]?\d++)?%?", re.ASCII)
_HIDING_PROPERTIES = ("display", "visibility", "opacity")

# Words without which no attribute hides an element, in lower case.
_HIDING_WORDS = (*_HIDING_PROPERTIES, "hidden")
# (What is written at more length than this is shown.)
_HIDING = re.compile(
    r"display[^;:]{0,30}+:[^;]{0,30}?none|visibility[^;:]{0,30}+:[^;]{0,30}?hidden|"
    r"opacity[^;:]{0,30}+:[^;]{0,30}?[0.&-]|(?<=[\s/\"'])hidden(?![^\s/=])"
)
# Attributes of any element that load something or lead somewhere, and how a style does it.
_LOADING = (
    "href", "xlink:href", "src", "background", "poster", "action", "formaction", "lowsrc", "dynsrc",
    "longdesc", "cite", "ping", "data",
)  # fmt: skip
_SETS = ("srcset", "imagesrcset")
_CANDIDATE = re.compile(r"(?:\A|[\s,])([^\s,/]*+(?://|\\\\|:/)\S*+)")
_STYLE_URL = re.compile(r"url\(\s*+[\"']?([^\"')\s]++)|@import\s*+[\"']([^\"']++)", re.IGNORECASE | re.ASCII)
_STYLE_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))", re.DOTALL | re.ASCII)
# Elements whose `href` and `src` are read anyway; their other attributes load less often.
_LEADING_TAGS = frozenset(
    name for tag in ("a", "area", "base", "link", "img", "script", "iframe", "input", "form", "meta")
    for name in (tag, tag.upper())
)  # fmt: skip
_WORDS_OF_ANY = ("href", "src", "action", "cite", "longdesc", "ping", "data")
_WORDS_OF_ALL = (
    "background",
    "poster",
    "srcset",
    "xlink:",
    "formaction",
    "lowsrc",
    "dynsrc",
    "longdesc",
    "ping",
)
_ASSIGNED = re.compile(r"[a-z:]{1,20}+(?:[ \t\n\r\f]{20}|[ \t\n\r\f]{0,19}+=)")
_LINK_LOADS = re.compile(r"(?:style|background|poster|ping)[ \t\n\r\f]*=")
# A URL that is written otherwise than with "//".
_ODD = re.compile(
    r"&(?:#|sol|bsol|colon|tab|newline)"
    r"|:(?!//)(?:(?<=http:)|(?<=https:)|(?<=ftp:)|(?<=ws:)|(?<=wss:)|(?<=file:))"
)

USUAL = 1  # the attributes of some tokens load something by a URL with "//"
ANY = 2  # or by any other


def survey(block: list[Token]) -> tuple[bool, int]:
    """Whether attributes of some tokens may hide an element, and whether they may have what `loaded` finds
    (0: no, `USUAL`, `ANY`).

    Many attributes are not searched for that.
    """
    # Tables repeat the same attributes in many tags; each is searched once.
    different = dict.fromkeys([token[3] for token in block if token[3]])
    all_of_them = " ".join(different)
    if len(all_of_them) > AT_ONCE:
        return True, ANY
    all_of_them = all_of_them.lower()
    tags = [token[3] for token in block if token[3] and token[2] not in _LEADING_TAGS]
    others = " ".join(dict.fromkeys(tags)).lower()
    loads = _has(others, _WORDS_OF_ANY, _ASSIGNED)
    if loads:
        return _has(all_of_them, _HIDING_WORDS, _HIDING), ANY
    loads = "url(" in all_of_them or _has(all_of_them, _WORDS_OF_ALL, _ASSIGNED) or "srcdoc" in all_of_them
    hides = _has(all_of_them, _HIDING_WORDS, _HIDING)
    if not loads:
        return hides, 0
    is_odd = "\\" in all_of_them or "srcdoc" in all_of_them or _ODD.search(all_of_them) is not None
    return hides, ANY if is_odd else USUAL


def _has(attributes: str, words: tuple[str, ...], expression: re.Pattern[str]) -> bool:
    """Whether the expression matches where one of the words is."""
    for word in words:
        at = attributes.find(word)
        while at >= 0:
            if expression.match(attributes, at):
                return True
            at = attributes.find(word, at + 1)
    return False


def hidden_by(values: dict[str, str]) -> str | None:
    """What hides an element with these attributes: `display` (or `opacity`), or `visibility`, which what is
    in it can undo; None if it is shown.
    """
    style = values.get("style")
    said = declared(with_characters(style) if "&" in style else style) if style else {}
    display = said.get("display")
    if display == "none" or (display is None and "hidden" in values):
        return "display"
    opacity = said.get("opacity")
    if opacity is not None and _ZERO.fullmatch(opacity):
        return "display"
    return "visibility" if said.get("visibility") == "hidden" else None


def declared(style: str) -> dict[str, str]:
    """The values of the properties that can hide an element: the last declaration counts, unless one before
    it is important.
    """
    style = _NOT_CODE.sub(" ", style).lower()
    values: dict[str, str] = {}
    important: set[str] = set()
    for declaration in _declarations(style):
        name, _, value = declaration.partition(":")
        name, value = name.strip(), value.strip()
        if name == "all":
            values = {other: values[other] for other in important} | {"display": value}
        if name not in _HIDING_PROPERTIES:
            continue
        strong = _IMPORTANT.search(value)
        if strong is not None:
            important.add(name)
            value = value[: strong.start()].rstrip()
        elif name in important:
            continue
        values[name] = value
    return values


def _declarations(style: str) -> Iterator[str]:
    """What stands between the semicolons that are in no brackets."""
    if _BRACKETS.search(style.replace(";", "")) is None:
        yield from style.split(";")
        return
    depth = start = 0
    for bracket in _BRACKETS.finditer(style):
        if bracket[0] == ";":
            if depth == 0:
                yield style[start : bracket.start()]
                start = bracket.end()
        elif bracket[0] in "({[":
            depth += 1
        else:
            depth = max(depth - 1, 0)
    if depth == 0:
        yield style[start:]


def closes_itself(attributes: str) -> bool:
    """Whether a tag ends with `/>`, which closes an element of SVG and MathML; not where the slash belongs to
    a value without quotes.
    """
    if not attributes.endswith("/"):
        return False
    word = attributes[:-1].split()[-1] if not attributes[:-1][-1:].isspace() and len(attributes) > 1 else ""
    return "=" not in word[max(word.rfind('"'), word.rfind("'")) + 1 :]


def is_pixel(values: dict[str, str]) -> bool:
    """Whether an image with these attributes is too small to be seen, as tracking images are."""
    return all(_ONE_PIXEL.fullmatch(values.get(side, "")) for side in ("width", "height"))


def link_may_load(attributes: str) -> bool:
    """Whether an element `a` may load something. Plain searches rule that out for nearly all links."""
    lowered = attributes.lower()
    return (
        "style" in lowered or "background" in lowered or "poster" in lowered or "ping" in lowered
    ) and _LINK_LOADS.search(lowered) is not None


def loaded(values: dict[str, str], known: str | None = None) -> list[str]:
    """The URLs, as written, that an element with these attributes loads or leads to, whatever it is, but for
    the attribute `known`. Relative ones may be missing.
    """
    found = [values[name] for name in _LOADING if name in values and name != known]
    for name in _SETS:
        if name in values:
            found += [candidate.rstrip(",") for candidate in _CANDIDATE.findall(values[name])]
    style = values.get("style", "")
    if style:
        found += style_urls(with_characters(style) if "&" in style else style)
    return found


def style_urls(style: str) -> list[str]:
    """The URLs that a style, or a style sheet, loads."""
    if "\\" in style:
        style = _STYLE_ESCAPE.sub(_escaped, style)
    if "(" not in style and "@" not in style:
        return []
    return [url or imported for url, imported in _STYLE_URL.findall(style)]


def _escaped(match: re.Match[str]) -> str:
    if match[2] is not None:
        return match[2]
    number = int(match[1], 16)
    return chr(number) if 0 < number < 0xD800 or 0xE000 <= number <= 0x10FFFF else "\ufffd"

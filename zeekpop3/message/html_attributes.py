"""What attributes say of any element: that it is hidden, and what it loads beside its usual link.

Style sheets are not read: only the attributes of the element itself count.
"""

from __future__ import annotations

import re

from zeekpop3.message.html_space import with_characters
from zeekpop3.message.html_tokens import AT_ONCE, Token

_STYLES = r"display\s*+:\s*+none|visibility\s*+:\s*+hidden|opacity\s*+:\s*+0(?![.\d]*[1-9])"
_HIDDEN_STYLE = re.compile(rf"(?<![\w-])(?:{_STYLES})", re.IGNORECASE | re.ASCII)
_ONE_PIXEL = re.compile(r"\s*+(?:0*1|0++)(?:\.0*+)?\s*+(?:px)?\s*+", re.IGNORECASE | re.ASCII)
_LOADING = ("background", "poster", "xlink:href")
_CANDIDATE = re.compile(r"(?:\A|[\s,])([^\s,/]*+//\S*+)")
_STYLE_URL = re.compile(r"url\(\s*+[\"']?([^\"')\s]++)", re.IGNORECASE | re.ASCII)

# Words without which no attribute does such a thing, in lower case.
_HIDING_WORDS = ("display", "visibility", "opacity", "hidden")
_HIDING = re.compile(rf"{_STYLES}|(?<=[\s/\"'])hidden(?![^\s/=])")
_LOADING_WORDS = ("background", "poster", "srcset", "xlink:")


def survey(block: list[Token]) -> tuple[bool, bool]:
    """Whether attributes of some tokens may hide an element, and whether they may have what `loaded` finds.

    Many attributes are not searched for that.
    """
    attributes = " ".join([attributes for _, _, _, attributes in block])
    if len(attributes) > AT_ONCE:
        return True, True
    attributes = attributes.lower()
    return _may_hide(attributes), any(word in attributes for word in _LOADING_WORDS)


def _may_hide(attributes: str) -> bool:
    for word in _HIDING_WORDS:
        at = attributes.find(word)
        while at >= 0:
            if _HIDING.match(attributes, at):
                return True
            at = attributes.find(word, at + 1)
    return False


def is_hidden(values: dict[str, str]) -> bool:
    """Whether an element with these attributes is not shown."""
    return "hidden" in values or _HIDDEN_STYLE.search(values.get("style", "")) is not None


def is_pixel(values: dict[str, str]) -> bool:
    """Whether an image with these attributes is too small to be seen, as tracking images are."""
    return all(_ONE_PIXEL.fullmatch(values.get(side, "")) for side in ("width", "height"))


def loaded(values: dict[str, str]) -> list[str]:
    """The URLs, as written, that an element with these attributes loads or leads to, whatever it is. Relative
    ones may be missing.
    """
    found = [values[name] for name in _LOADING if name in values]
    if "srcset" in values:
        found += [candidate.rstrip(",") for candidate in _CANDIDATE.findall(values["srcset"])]
    style = values.get("style", "")
    if "(" in style:
        found += _STYLE_URL.findall(with_characters(style) if "&" in style else style)
    return found

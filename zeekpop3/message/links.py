"""The links of a mail: URLs in its texts, then what its HTML leads to and shows, each different one once.

`url` is what is written. Where a mail gateway has rewritten it, `target` is the original, and scheme, host
and site are the target's: they say where the link leads. For that only the link itself is used; nothing is
fetched. Gateways whose links are opaque (Mimecast, McAfee) are not here: nothing in their links says where
they lead. A link may be rewritten several times.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple
from urllib.parse import unquote

from zeekpop3.defects import Defect, Defects
from zeekpop3.message import html_text, urls
from zeekpop3.message.html_page import Element
from zeekpop3.message.sites import listed_site, site_of

MAX_LINKS = 10_000

# A host in the text of a link: after a scheme, after "@" or "www.", or on its own between blanks.
_SHOWN_HOST = re.compile(
    r"(?:://(?:[^\s/?#@]*@)?|(?<![^\s(<\[\"'@]))((?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{1,62})(?![\w@.-]*@)"
)
# Suffixes that more often are those of files.
_OF_FILES = (".zip", ".mov", ".md", ".sh", ".py", ".pl", ".rs", ".ps", ".ai", ".app")

# Of links that a gateway has rewritten.
_MAX_REWRITES = 5
_MAX_REWRITTEN = 1 << 16  # characters
_ABSOLUTE = re.compile(r"(?:https?|ftp):/", re.IGNORECASE | re.ASCII)
_PARAMETER = re.compile(r"[?&;]([A-Za-z]{1,20})=([^&#]*)")
_GOOGLE_PAGE = re.compile(
    r"https?://www\.google\.[a-z.]{2,10}/amp/(?:(s)/)?+(?=[^/?#\s]{1,253}\.)(.+)", re.IGNORECASE | re.DOTALL
)
_ONE_SLASH = re.compile(r"(?<=:)/(?!/)")
_PROOFPOINT_V3 = "/v3/__"
_PROOFPOINT_V3_END = re.compile(r"__;([A-Za-z0-9_=-]*+)!")
_STARS = re.compile(r"\*(\*.)?", re.DOTALL)
_RUNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_V2 = str.maketrans("-_", "%/")
_CHECK_POINT = re.compile(r"/v[0-9]++/(?:[^/]++/)?+___")
_CHECK_POINT_END = re.compile(r"___(?:\.|$)")


class Link(NamedTuple):
    """One link.

    `position` counts in the message, from 1. `target`: the original of a URL that a gateway has rewritten,
    else None. `scheme`, `host`, `site`: those of `target`, or of `url`, or None. `text`: what is shown for
    it, None if nothing is. `origin`: `text`, `html`, `shown` (a URL or a host that is only text
    in the HTML), or `attachment`. `text_site`: the site that `text` shows, if that is the text of a link.
    `attachment`: the section of the attachment that it is in, else None.
    """

    position: int
    url: str
    target: str | None
    scheme: str | None
    host: str | None
    site: str | None
    text: str | None
    origin: str
    text_site: str | None
    attachment: str | None = None


# A link before it is taken apart: URL, origin, text, site that the text shows.
_Found = tuple[str, str, str | None, str | None]


def collect(
    texts: Iterable[str], htmls: Sequence[str], defects: Defects, bases: Sequence[str | None] = ()
) -> tuple[list[Link], list[str]]:
    """The links of a message's texts and HTML bodies, and the visible text of each HTML body.

    `bases`: for each HTML body the URL that header fields give for relative ones (Content-Base,
    Content-Location; RFC 2557), or None.
    """
    found: dict[_Found, None] = {}
    for text in texts:
        found |= dict.fromkeys([(url, "text", None, None) for url in urls.in_text(text, defects)])
    visible: list[str] = []
    for number, html in enumerate(htmls):
        visible.append(_read_html(html, bases[number] if bases else None, found, defects))
    if len(found) > MAX_LINKS:
        defects[Defect.URLS_CUT] = None
    return [_link(number, each) for number, each in enumerate(islice(found, MAX_LINKS), 1)], visible


def of_attachment(
    text: str, html: str, section: str, defects: Defects, named: Iterable[str] = ()
) -> list[Link]:
    """The links of the attachment `section`: those in its text and in its HTML, and `named`, URLs that were
    found otherwise. Their positions are 0.
    """
    found: dict[_Found, None] = {}
    if html:
        _read_html(html, None, found, defects)
    known = {url for url, *_ in found}
    more = chain(named, urls.in_text(text, defects))
    found |= {(url, "", None, None): None for url in more if url not in known}
    if len(found) > MAX_LINKS:
        defects[Defect.URLS_CUT] = None
    return [_link(0, each, section) for each in islice(found, MAX_LINKS)]


def _read_html(html: str, base: str | None, found: dict[_Found, None], defects: Defects) -> str:
    """Add the links of an HTML body to `found`; its visible text. The elements are not kept any longer."""
    visible, elements, seen = html_text.extract(html, defects, base)
    for each in _of_html(elements, seen):
        found[each] = None
    return visible


def _of_html(elements: list[Element], seen: list[str]) -> Iterator[_Found]:
    """The links of HTML: what its elements lead to, then URLs and hosts that are only text in it."""
    shown = dict.fromkeys(seen)
    for url, text, is_link_text in elements:
        site = None
        if text and is_link_text and "." in text:
            host, site = _shown_host(text)
            if host is not None:
                shown[host] = None
        yield url, "html", text, site
    only_shown: dict[str, str] = {}
    for url in shown:
        only_shown.setdefault(_bare(url), url)
    if only_shown:
        for url, _, _ in elements:
            only_shown.pop(_bare(url), None)
    for url in only_shown.values():
        yield url, "shown", None, None


def _bare(url: str) -> str:
    """A URL without what its text often lacks: scheme and last slash."""
    return (url.partition("://")[2] or url).rstrip("/")


def _link(position: int, found: _Found, attachment: str | None = None) -> Link:
    url, origin, text, text_site = found
    if attachment is not None:
        origin = "attachment"
    scheme, host, site = urls.split(url)
    if not host and scheme is None:
        scheme, host, site = urls.split("//" + url)  # a host alone
    target = original(url, host, site)
    if target is not None:
        scheme, host, site = urls.split(target)
    return Link(position, url, target, scheme, host or None, site, text, origin, text_site, attachment)


def _shown_host(text: str) -> tuple[str | None, str | None]:
    """The first host name that a text shows, and its site; without the name if it is that of a URL or of a
    mail address.
    """
    for match in _SHOWN_HOST.finditer(text):
        name = match[1]
        # "here.Now" is the end of one sentence and the beginning of another.
        is_host = name.rpartition(".")[2].islower() or len(name) == len(text)
        site = None
        before = text[: match.start(1)][-1:]
        if match[0].startswith("://"):
            site = site_of(name)  # with any suffix: after a scheme it is a host
        elif is_host and not name.endswith(_OF_FILES):
            site = listed_site(name)
        if site is not None:
            is_alone = before not in ("/", "@") and name[:4].lower() not in ("www.", "ftp.")
            return name if is_alone else None, site
    return None, None


def original(url: str, host: str, site: str | None) -> str | None:
    """Where `url` leads, if a gateway that is known has rewritten it. `host`, `site`: those of `url`."""
    found: str | None = None
    for _ in range(_MAX_REWRITES):
        target = _unwrapped(url, host, site) if site is not None else None
        if target is None or _ABSOLUTE.match(target) is None:
            break
        found = url = target
        _, host, site = urls.split(url)
    return found


def _unwrapped(url: str, host: str, site: str) -> str | None:
    if site.startswith("google."):
        # www.google.TLD/url and /amp/s/HOST/…, and no other page of Google's.
        if not host.startswith("www.google.") or len(url) > _MAX_REWRITTEN:
            return None
        page = _GOOGLE_PAGE.match(url)
        if page is not None:
            return f"http{page[1] or ''}://{unquote(page[2])}"
        return _parameter(url, "q", "url") if "/url?" in url else None
    suffix, read = _GATEWAYS.get(site, ("", ""))
    if not suffix or len(url) > _MAX_REWRITTEN or not (host == suffix or host.endswith("." + suffix)):
        return None
    return _parameter(url, read) if isinstance(read, str) else read(url)


def _parameter(url: str, *names: str) -> str | None:
    """The value of the first of these parameters, percent-decoded."""
    values = {name.lower(): value for name, value in reversed(_PARAMETER.findall(url))}
    return next((unquote(values[name]) for name in names if name in values), None)


def _from_base64(value: str) -> str | None:
    value = value.rstrip("=")
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode("utf-8")
    except ValueError:
        return None


def _proofpoint(url: str) -> str | None:
    """URL Defense. v1: a parameter; v2: with `-` for `%` and `_` for `/`; v3: characters replaced by `*`, in
    Base64 behind the URL, a run of 2 or more as `**` and a letter for its length.
    """
    start = url.find(_PROOFPOINT_V3) + len(_PROOFPOINT_V3)
    # From the first place where it may begin: an end that comes later would be found from there, too.
    end = _PROOFPOINT_V3_END.search(url, start + 1) if start >= len(_PROOFPOINT_V3) else None
    if end is None:
        return _parameter(url.translate(_V2) if "/v2/" in url else url, "u")
    characters = _from_base64(end[1])
    if characters is None:
        return None
    url = _ONE_SLASH.sub("//", url[start : end.start()], count=1)
    out: list[str] = []
    at = here = 0
    for stars in _STARS.finditer(url):
        length = 1 if stars[1] is None else _RUNS.find(stars[1][1]) + 2
        out += (url[at : stars.start()], characters[here : here + length])
        here += length
        at = stars.end()
    return "".join(out) + url[at:]


def _sophos(url: str) -> str | None:
    value = _parameter(url, "u")
    return None if value is None else _from_base64(value)


def _cisco(url: str) -> str:
    """A percent-encoded URL as the last part of the path."""
    return unquote(url.rstrip("/").rpartition("/")[2].partition("?")[0])


def _check_point(url: str) -> str | None:
    """Between three underscores; v2 has it as it is."""
    start = _CHECK_POINT.search(url)
    end = _CHECK_POINT_END.search(url, start.end() + 1) if start is not None else None
    return url[start.end() : end.start()] if start is not None and end is not None else None


def _bitdefender(url: str) -> str | None:
    """Base64 as the last part of the path."""
    return _from_base64(unquote(url.partition("?")[0].rpartition("/")[2]))


def _page(path: str, parameter: str) -> Callable[[str], str | None]:
    """Reads links to one page of a site that has others with the same parameter."""
    return lambda url: _parameter(url, parameter) if path in url else None


def _bing(url: str) -> str | None:
    """Base64 behind two characters."""
    value = _parameter(url, "u") if "/ck/a?" in url else None
    return None if value is None else _from_base64(value[2:])


# By the site of the gateway, or of a page that leads on: the suffix that its hosts have, and the parameter
# with the link, or its reader.
_GATEWAYS: dict[str, tuple[str, str | Callable[[str], str | None]]] = {
    "outlook.com": ("safelinks.protection.outlook.com", "url"),
    "office365.us": ("safelinks.protection.office365.us", "url"),
    "proofpoint.com": ("urldefense.proofpoint.com", _proofpoint),
    "urldefense.com": ("urldefense.com", _proofpoint),
    "urldefense.us": ("urldefense.us", _proofpoint),
    "cudasvc.com": ("linkprotect.cudasvc.com", "a"),
    "trendmicro.com": ("trendmicro.com", "url"),
    "sophos.com": ("protection.sophos.com", _sophos),
    "cisco.com": ("secure-web.cisco.com", _cisco),
    "fireeye.com": ("fireeye.com", "u"),
    "trellix.com": ("trellix.com", "u"),
    "symantec.com": ("clicktime.symantec.com", "u"),
    "trustwave.com": ("scanmail.trustwave.com", "u"),
    "vadesecure.com": ("vadesecure.com", "u"),
    "zixcentral.com": ("link.zixcentral.com", "u"),
    "avanan.click": ("url.avanan.click", _check_point),
    "checkpoint.com": ("protect.checkpoint.com", _check_point),
    "linkscan.io": ("linkscan.io", _bitdefender),
    "facebook.com": ("l.facebook.com", "u"),
    "instagram.com": ("l.instagram.com", "u"),
    "slack-redir.net": ("slack-redir.net", "url"),
    "youtube.com": ("www.youtube.com", _page("/redirect?", "q")),
    "linkedin.com": ("www.linkedin.com", _page("/redir", "url")),
    "bing.com": ("www.bing.com", _bing),
    "duckduckgo.com": ("duckduckgo.com", _page("/l/?", "uddg")),
    "doubleclick.net": ("doubleclick.net", "adurl"),
    "googleadservices.com": ("www.googleadservices.com", "adurl"),
    "vk.com": ("vk.com", _page("/away", "to")),
    "steamcommunity.com": ("steamcommunity.com", _page("/linkfilter/", "url")),
}

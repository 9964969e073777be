"""How far addresses, visible text, links and body hashes agree with other libraries.

python tests/bench/agreement_records.py [SAMPLE.tar.gz | FOLDER] [--show KIND] [--all-files]

Addresses: email.headerregistry, email.utils.getaddresses, flanker. Visible text and links of HTML: lexbor
(selectolax), html.parser, libxml2 (lxml). Body hashes: dkimpy. A library that is not installed is left out. A
field or body that a reference cannot read counts for neither side. White space and the case of addresses are
left out of the comparison. Kinds of difference go by what can be seen of them; `--show KIND` prints them.
"""

from __future__ import annotations

import argparse
import base64
import email.header
import email.headerregistry
import email.utils
import hashlib
import logging
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from bench.message import SAMPLE, mails  # noqa: E402
from zeekpop3.inside import parse  # noqa: E402
from zeekpop3.message import html_hidden, html_page, html_text, html_urls  # noqa: E402
from zeekpop3.message.html_hidden import hidden_by  # noqa: E402
from zeekpop3.message.html_tokens import tokens  # noqa: E402
from zeekpop3.message.mailboxes import FIELDS, collect  # noqa: E402
from zeekpop3.message.sites import normal_host  # noqa: E402

Pairs = list[tuple[str, str]]  # (name, address)
LIMIT_S = 5
_SKIPPED = ("script", "style", "title", "template", "iframe", "noembed", "noframes", "textarea", "xmp")
_SPACE = re.compile(r"\s+")


class Tally:
    """Agreements and kinds of difference with one reference."""

    def __init__(self, shown: str | None) -> None:
        self.kinds: Counter[str] = Counter()
        self.shown = shown

    def add(self, kind: str, ours: object, theirs: object, source: object) -> None:
        self.kinds[kind] += 1
        if kind == self.shown:
            print(f"{kind}: {str(source)[:300]!r}\n  ours   {str(ours)[:300]}\n  theirs {str(theirs)[:300]}")

    def line(self, title: str) -> str:
        total = sum(count for kind, count in self.kinds.items() if not kind.startswith("reference raises"))
        share = 100 * self.kinds["equal"] / max(total, 1)
        rest = ", ".join(f"{kind} {n}" for kind, n in self.kinds.most_common() if kind != "equal")
        return f"{title}: {self.kinds['equal']} of {total} equal ({share:.2f} %); {rest}"


# Addresses -------------------------------------------------------------------------------------------------


def by_registry(value: str) -> Pairs:
    header = email.headerregistry.HeaderRegistry()("to", value)
    return [(a.display_name, a.addr_spec) for a in header.addresses]  # type: ignore[attr-defined]


def _decoded(name: str) -> str:
    return str(email.header.make_header(email.header.decode_header(name)))


def by_utils(value: str) -> Pairs:
    found = email.utils.getaddresses([value])
    return [(_decoded(name), address) for name, address in found if name or address]


def by_flanker(value: str) -> Pairs:
    from flanker.addresslib import address

    found = address.parse_list(value)
    return [(a.display_name, a.address) for a in found]


def normal(pairs: Pairs) -> Pairs:
    out = []
    for name, address in pairs:
        local, at, domain = address.rpartition("@")
        local = local[1:-1] if re.fullmatch(r'"[\w.+-]+"', local) else local
        out.append(("".join(name.split()), f"{local}{at}{normal_host(domain)}".lower()))
    return out


def kind_of_addresses(value: str, ours: Pairs, theirs: Pairs, guessed: bool) -> str:
    if ours == theirs:
        return "equal"
    if [address for _, address in ours] == [address for _, address in theirs]:
        if any("\ufffd" in name or "=?" in name for name, _ in theirs):
            return "name: reference left it undecoded"
        return "name: comment" if "(" in value else "name: other"
    if guessed:
        return "malformed field"
    if len(theirs) < len(ours):
        return "reference found fewer"
    return "address: other"


def compare_addresses(raws: list[bytes], shown: str | None) -> dict[str, Tally]:
    references: dict[str, Callable[[str], Pairs]] = {"headerregistry": by_registry, "getaddresses": by_utils}
    try:
        by_flanker("a@b.example")
        references["flanker"] = by_flanker
    except ImportError:
        pass
    tallies = {name: Tally(shown) for name in references}
    for raw in raws:
        for low, value in raw_fields(raw):
            defects: dict[str, None] = {}
            found, _ = collect([low], [value], defects)
            ours = normal([(a.name or "", a.address or "") for a in found])
            for name, read in references.items():
                theirs = limited(read, value)
                if isinstance(theirs, str):
                    tallies[name].add(f"reference raises {theirs}", ours, theirs, value)
                    continue
                theirs = [pair for pair in normal(theirs) if pair[1] or pair[0]]
                kind = kind_of_addresses(value, ours, theirs, "address_malformed" in defects)
                tallies[name].add(kind, ours, theirs, value)
    return tallies


def raw_fields(raw: bytes) -> list[tuple[str, str]]:
    """The address fields of a mail, unfolded, not decoded."""
    head = raw.partition(b"\r\n\r\n")[0].decode("latin-1")
    out = []
    for match in re.finditer(r"(?m)^([\w-]+)[ \t]*:[ \t]*(.*(?:\r\n[ \t].*)*)", head):
        if match[1].lower() in FIELDS and match[2].isascii() and match[2].strip():
            out.append((match[1].lower(), match[2].replace("\r\n", "").strip()))
    return out


def limited(read: Callable[[Any], Any], value: object) -> Any:
    """What `read` gives, or the name of the error; five seconds at most."""
    signal.signal(signal.SIGALRM, _expired)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        return read(value)
    except Exception as error:
        return type(error).__name__
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _expired(*_: object) -> None:
    raise TimeoutError


# HTML ------------------------------------------------------------------------------------------------------


def by_lexbor(html: str) -> tuple[str, list[str]]:
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(html)
    links = [node.attributes["href"] or "" for node in tree.css("a[href], area[href]")]
    for node in tree.css(",".join(_SKIPPED)):
        node.decompose()
    for node in tree.css("[style], [hidden]"):
        attributes = {key: value or "" for key, value in node.attributes.items()}
        if node.tag not in html_hidden.VOID and hidden_by(attributes):
            node.decompose(recursive=True)
    return (tree.root.text(deep=True) if tree.root else ""), links


def by_lxml(html: str) -> tuple[str, list[str]]:
    import lxml.html

    tree = lxml.html.document_fromstring(html.encode(), parser=lxml.html.HTMLParser(encoding="utf-8"))
    links = [node.get("href") for node in tree.iter("a", "area") if node.get("href") is not None]
    for node in list(tree.iter()):
        if not isinstance(node.tag, str) or node.tag in _SKIPPED:
            node.drop_tree() if node.getparent() is not None else None
        elif node.tag not in html_hidden.VOID and hidden_by(dict(node.attrib)):
            node.drop_tree()
    return tree.text_content(), links


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.links: list[str] = []
        self.skipped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.skipped += tag in _SKIPPED
        if tag in ("a", "area"):
            self.links += [value or "" for name, value in attrs if name == "href"][:1]

    def handle_endtag(self, tag: str) -> None:
        self.skipped = max(0, self.skipped - (tag in _SKIPPED))

    def handle_data(self, data: str) -> None:
        if not self.skipped:
            self.text.append(data)


def by_html_parser(html: str) -> tuple[str, list[str]]:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return "".join(reader.text), reader.links


def squeezed(text: str) -> str:
    return _SPACE.sub("", html_text.without_references(text.replace("&", "\0"))).replace("\0", "&")


def absolute(links: list[str]) -> set[str]:
    urls = (re.sub(r"[\r\n\t]+", "", link.strip()) for link in links)
    return {
        url
        for url in urls
        if html_urls.ABSOLUTE.match(url) and not url[:11].lower().startswith(html_urls.NOT_LINKS)
    }


def links_of(html: str) -> set[str]:
    """What the elements `a` and `area` lead to, and nothing else."""
    lead = html_page.Page._lead

    def lead_of_area(page: html_page.Page, tag: str, attributes: str) -> None:
        if tag in ("area", "base"):
            lead(page, tag, attributes)

    with (
        patch.object(html_page.Page, "_lead", lead_of_area),
        patch.object(html_page.Page, "load", lambda page, values, known: None),
        patch.object(html_page.Page, "read_aside", lambda page, html, foreign=False: None),
        patch.object(html_text.urls, "in_text", lambda text, defects: []),
    ):
        return {url for url, _, _ in html_text.extract(html, {})[1]}


def compare_html(raws: list[bytes], shown: str | None) -> dict[str, Tally]:
    references = {"lexbor": by_lexbor, "html.parser": by_html_parser, "lxml": by_lxml}
    tallies = {f"{name} {what}": Tally(shown) for name in references for what in ("text", "links")}
    for html in filter(None, (parse(raw).html for raw in raws)):
        text = html_text.extract(html, {})[0]
        ours = links_of(html)
        hides = any(html_text.scan_attributes(block)[0] for block in tokens(html))
        for name, read in references.items():
            theirs = limited(read, html)
            if isinstance(theirs, str):
                tallies[f"{name} text"].add(f"reference raises {theirs}", text, theirs, html)
                continue
            kind = kind_of_text(squeezed(text or ""), squeezed(theirs[0]), hides and name == "html.parser")
            tallies[f"{name} text"].add(kind, text, theirs[0], html)
            links = absolute(theirs[1])
            kind = "equal" if ours == links else "ours has more" if ours > links else "reference has others"
            if "<base" in html.lower() and kind != "equal":
                kind = "base"
            tallies[f"{name} links"].add(kind, ours - links, links - ours, html)
    return tallies


def kind_of_text(ours: str, theirs: str, hides: bool) -> str:
    if ours == theirs:
        return "equal"
    if hides:
        return "hidden elements"
    if Counter(ours) == Counter(theirs):
        return "other order (tables)"
    if not theirs:
        return "reference has none"
    return "reference has more" if len(theirs) > len(ours) else "ours has more"


# Body hashes -----------------------------------------------------------------------------------------------


def by_dkimpy(raw: bytes) -> list[str]:
    import dkim
    from dkim.canonicalization import CanonicalizationPolicy
    from dkim.util import parse_tag_value

    fields, body = dkim.rfc822_parse(raw)
    out = []
    for name, value in fields:
        if name.lower() != b"dkim-signature":
            continue
        try:
            tags = parse_tag_value(value)
            policy = CanonicalizationPolicy.from_c_value(tags.get(b"c", b"simple/simple"))
            canonical = policy.canonicalize_body(body)
            if b"l" in tags:
                canonical = canonical[: int(tags[b"l"])]
            algorithm = tags[b"a"].rpartition(b"-")[2].decode()
            digest = base64.b64decode(re.sub(rb"\s+", b"", tags[b"bh"]))
            out.append("pass" if hashlib.new(algorithm, canonical).digest() == digest else "fail")
        except Exception as error:
            out.append(f"{type(error).__name__}")
    return out


def compare_bodies(raws: list[bytes], shown: str | None) -> Tally:
    tally = Tally(shown)
    for raw in raws:
        if b"dkim-signature" not in raw[: 1 << 16].lower():
            continue
        ours = [signature.body for signature in parse(raw).dkim]
        theirs = limited(by_dkimpy, raw)
        if isinstance(theirs, str):
            tally.add(f"reference raises {theirs}", ours, theirs, raw)
            continue
        for mine, other in zip(ours, theirs, strict=False):
            if other not in ("pass", "fail"):
                tally.add(f"reference raises {other}", mine, other, raw)
            else:
                tally.add("equal" if mine == other else "different", mine, other, raw)
                tally.kinds[f"({mine})"] += 0
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("source", nargs="?", type=Path, default=SAMPLE)
    parser.add_argument("--show", metavar="KIND")
    parser.add_argument("--all-files", action="store_true", help="not only *.eml")
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)  # flanker reports what it cannot read
    raws = mails(args.source, "*" if args.all_files else "*.eml")
    print(f"{len(raws)} mails")
    for name, tally in compare_addresses(raws, args.show).items():
        print(tally.line(f"addresses, {name}"))
    for name, tally in compare_html(raws, args.show).items():
        print(tally.line(name))
    print(compare_bodies(raws, args.show).line("body hashes, dkimpy"))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Agreement with test vectors of others: html5lib's tokenizer, web-platform-tests' URLs, the public suffix
list, Community ID. Fetches nothing: the folder, or file, is an argument; without it the vectors are left out.

    python tests/bench/vectors.py --tokenizer FOLDER --urls urltestdata.json --community-id baseline.json

Prints how many agree, and the differences by kind (`--show`: with examples). Tokens are compared as this
package uses them: visible text, names of tags, and attributes, not doctypes and comments.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from html import unescape
from pathlib import Path
from typing import Any

import publicsuffixlist

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))

from zeekpop3.message import urls  # noqa: E402
from zeekpop3.message.html_tokens import attribute_values, tokens  # noqa: E402
from zeekpop3.message.html_urls import cleaned  # noqa: E402
from zeekpop3.message.sites import normal_host, site_of  # noqa: E402
from zeekpop3.session.events import ConnId  # noqa: E402
from zeekpop3.tables.records import _community_id  # noqa: E402

_RAW = {
    "RCDATA state": "title",
    "RAWTEXT state": "style",
    "Script data state": "script",
    "PLAINTEXT state": "plaintext",
}
_VECTOR = re.compile(r"checkPublicSuffix\((null|'[^']*'), (null|'[^']*')\);")


class Tally:
    """How many agree, and the kinds of difference with examples."""

    def __init__(self, name: str) -> None:
        self.name, self.same, self.all = name, 0, 0
        self.kinds: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}

    def add(self, kind: str | None, example: str) -> None:
        self.all += 1
        if kind is None:
            self.same += 1
            return
        self.kinds[kind] += 1
        self.examples.setdefault(kind, []).append(example)

    def show(self, examples: int) -> None:
        print(f"{self.name}: {self.same} of {self.all}")
        for kind, count in self.kinds.most_common():
            print(f"  {count:5} {kind}")
            for example in self.examples[kind][:examples]:
                print(f"          {example[:160]}")


# Tokenizer --------------------------------------------------------------------------------------------------


def theirs(output: list[Any]) -> list[tuple[Any, ...]]:
    """Texts, start tags with attributes, end tags."""
    out: list[tuple[Any, ...]] = []
    for token in output:
        if token[0] == "Character":
            out.append(("text", token[1]))
        elif token[0] == "StartTag":
            out.append(("start", token[1], token[2]))
        elif token[0] == "EndTag":
            out.append(("end", token[1]))
    return joined(out)


def ours(html: str, raw: str) -> list[tuple[Any, ...]]:
    out: list[tuple[Any, ...]] = []
    for block in tokens(html):
        for text, _, tag, attributes, content in block:
            out.append(("text", unescape(text)))
            if tag[:1] == "/":
                out.append(("end", tag[1:].lower()))
            elif tag:
                values = attribute_values(attributes) if attributes else {}
                out.append(("start", tag.lower(), {name: value_of(value) for name, value in values.items()}))
            if content:
                out.append(("text", unescape(content) if tag.lower() in ("title", "textarea") else content))
    if raw:
        out = [token for token in out if token != ("start", raw, {})]
    return joined(out)


def value_of(value: str) -> str:
    return value if "&" not in value else cleaned("x" + value + "x")[1:-1]


def joined(found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Texts that follow each other as one."""
    out: list[tuple[Any, ...]] = []
    for token in found:
        if token[0] == "text":
            if not token[1]:
                continue
            if out and out[-1][0] == "text":
                out[-1] = ("text", out[-1][1] + token[1])
                continue
        out.append(token)
    return out


def decoded(text: str) -> str:
    """Vectors may be escaped twice."""
    return re.sub(r"\\u([0-9A-Fa-f]{4})", lambda code: chr(int(code[1], 16)), text)


def deep(value: Any) -> Any:
    if isinstance(value, str):
        return decoded(value)
    if isinstance(value, list):
        return [deep(item) for item in value]
    return {deep(key): deep(item) for key, item in value.items()} if isinstance(value, dict) else value


def kind_of_token(html: str, wanted: list[Any], found: list[Any]) -> str | None:
    if wanted == found:
        return None
    if "\0" in html:
        return "NUL, which browsers replace or drop"
    if "\r" in html:
        return "carriage returns, which are normalised before"
    if "<![CDATA[" in html:
        return "character data of XML"
    if [token for token in found if token in wanted] == wanted or len(found) > len(wanted):
        return "a tag that is not closed at the end counts"
    if any("&" in part for part in (html,)):
        return "character references"
    return "other"


def tokenizer(folder: Path) -> Tally:
    tally = Tally("html5lib tokenizer")
    for path in sorted(folder.rglob("*.test")):
        for test in json.loads(path.read_text("utf-8")).get("tests", []):
            twice = test.get("doubleEscaped", False)
            html = decoded(test["input"]) if twice else test["input"]
            output = deep(test["output"]) if twice else test["output"]
            for state in test.get("initialStates", ["Data state"]):
                if state == "CDATA section state":
                    tally.add("character data of XML", html)
                    continue
                raw = _RAW.get(state, "")
                if raw in ("title", "style", "script"):
                    raw = (
                        test.get("lastStartTag", raw)
                        if test.get("lastStartTag") in ("xmp", "textarea")
                        else raw
                    )
                start = f"<{raw}>" if raw else ""
                wanted, found = theirs(output), ours(start + html, raw)
                tally.add(kind_of_token(html, wanted, found), f"{state}: {html!r}: {wanted} {found}")
    return tally


# Others -----------------------------------------------------------------------------------------------------


def web_urls(path: Path) -> Tally:
    """Hosts of absolute URLs of http and https."""
    tally = Tally("URLs of web-platform-tests")
    for test in json.loads(path.read_text("utf-8")):
        if isinstance(test, str) or re.match(r"\s*https?:", test["input"], re.IGNORECASE) is None:
            continue
        scheme, host, _ = urls.split(cleaned(test["input"]))
        example = f"{test['input']!r}: {host!r}, {test.get('hostname', 'failure')!r}"
        if test.get("failure"):
            tally.add(None if not host or "%" in host or " " in host else "browsers refuse it", example)
        elif normal_host(test["hostname"]) == host and test["protocol"] == f"{scheme}:":
            tally.add(None, example)
        elif test.get("base") and re.match(r"https?:(?![/\\])", test["input"], re.IGNORECASE):
            tally.add("relative to a base of the same scheme", example)
        else:
            tally.add("other host", example)
    return tally


def suffixes() -> Tally:
    tally = Tally("public suffix list")
    text = (Path(publicsuffixlist.__file__).parent / "test_psl.txt").read_text("utf-8")
    for host, site in _VECTOR.findall(re.sub(r"(?m)^//.*", "", text)):
        wanted = None if site == "null" else normal_host(site.strip("'"))
        found = None if host == "null" else site_of(host.strip("'"))
        kind = "a name that begins with a dot" if host.startswith("'.") else "other"
        tally.add(None if wanted == found else kind, f"{host}: {found}, {wanted}")
    return tally


def community(path: Path) -> Tally:
    """Flows of TCP; others have no POP3."""
    tally = Tally("Community ID")
    for flow in json.loads(path.read_text("utf-8")):
        if flow["proto"] != 6:
            tally.add("not TCP", str(flow))
            continue
        found = _community_id(ConnId._make((flow["saddr"], flow["sport"], flow["daddr"], flow["dport"])))
        tally.add(None if found == flow["communityid"] else "other", str(flow))
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokenizer", type=Path, help="folder `tokenizer` of html5lib-tests")
    parser.add_argument("--urls", type=Path, help="urltestdata.json of web-platform-tests")
    parser.add_argument("--community-id", type=Path, help="a baseline of community-id-spec")
    parser.add_argument("--show", type=int, default=0, help="examples of each kind of difference")
    options = parser.parse_args()
    tallies = [suffixes()]
    for read, path in (
        (tokenizer, options.tokenizer),
        (web_urls, options.urls),
        (community, options.community_id),
    ):
        if path is not None:
            tallies.append(read(path))
    for tally in tallies:
        tally.show(options.show)


if __name__ == "__main__":
    main()

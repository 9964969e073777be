"""How much of what other mail parsers expect of their own test mails is in the record.

    python tests/bench/expectations.py FOLDER [--show]

FOLDER: `core/src/test/resources` of Apache james-mime4j, or `resources/eml` of Stalwart's mail-parser.
Nothing is fetched. A text counts if the mail's text or HTML, that of a message inside, or an attachment has
it, white space apart; other content if an attachment has it, byte for byte, line ends apart. `--show` prints
what is missing.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from zeekpop3.inside import parse  # noqa: E402
from zeekpop3.message import Mail  # noqa: E402

_BODY = re.compile(r"<(text|binary)-body name=\"([^\"]+)\"")
_SPACE = re.compile(r"[\s\0\ufeff]+")

Expected = tuple[str, bytes | str]
"""`text` or `binary`, and the content."""


def mime4j(folder: Path) -> Iterator[tuple[Path, list[Expected]]]:
    """Each message with the bodies that the parser decodes."""
    for xml in sorted(folder.rglob("*_decoded.xml")):
        message = xml.with_name(xml.name.removesuffix("_decoded.xml") + ".msg")
        found = _BODY.findall(xml.read_text("utf-8", "replace"))
        if found and message.exists():
            yield message, [(kind, xml.with_name(name).read_bytes()) for kind, name in found]


def stalwart(folder: Path) -> Iterator[tuple[Path, list[Expected]]]:
    """Each message with the parts that its JSON has, those of messages inside, too."""
    for message in sorted(folder.rglob("*.eml")):
        told = message.with_suffix(".json")
        if told.exists():
            yield message, list(_parts(json.loads(told.read_text("utf-8"))))


def _parts(message: dict[str, Any]) -> Iterator[Expected]:
    for part in message["parts"]:
        body = part["body"]
        for kind, value in body.items() if isinstance(body, dict) else ():
            if kind in ("Text", "Html"):
                yield "text", value
            elif kind in ("Binary", "InlineBinary"):
                yield "binary", bytes(value)
            elif kind == "Message":
                yield from _parts(value)


def _squeezed(text: str) -> str:
    return _SPACE.sub("", text)


def _texts(mail: Mail) -> Iterator[str]:
    for each in (mail, *mail.enclosed):
        yield from (each.text or "", each.html or "")
    for file in mail.attachments:
        content = file.content or b""
        for codec in ("utf-8", "latin-1", "cp1252"):
            yield content.decode(codec, "replace")


def _has(mail: Mail, texts: list[str], kind: str, content: bytes | str) -> bool:
    if kind == "binary":
        wanted = content.replace(b"\r\n", b"\n") if isinstance(content, bytes) else b""
        return any((file.content or b"").replace(b"\r\n", b"\n") == wanted for file in mail.attachments)
    if isinstance(content, bytes):
        wanted = [content.decode(codec, "replace") for codec in ("utf-8", "latin-1", "iso-8859-15")]
    else:
        wanted = [content]
    return any(_squeezed(each) in text for each in wanted for text in texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--show", action="store_true", help="print what is missing")
    options = parser.parse_args()
    is_mime4j = next(options.folder.rglob("*_decoded.xml"), None) is not None
    found: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for path, expected in (mime4j if is_mime4j else stalwart)(options.folder):
        mail = parse(path.read_bytes(), content=True)
        texts = [_squeezed(text) for text in _texts(mail)]
        for kind, content in expected:
            total[kind] += 1
            if _has(mail, texts, kind, content):
                found[kind] += 1
            elif options.show:
                print(f"{path.name}: {kind}: {content[:200]!r} {[str(each) for each in mail.defects]}")
    for kind in total:
        print(f"{kind}: {found[kind]} of {total[kind]}")


if __name__ == "__main__":
    main()

"""YARA rules over messages and their decoded attachments, by YARA-X (extra `yara`).

A scan has a limit of time, and data that is larger than a limit is scanned up to it; both are reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from zeekpop3.errors import IndicatorError, reason
from zeekpop3.inside import parse
from zeekpop3.store.filters import Filters
from zeekpop3.store.read import rows

_COLUMNS = ("ts", "uid", "trans_depth", "sha256", "raw")


class Scanner:
    """Compiled rules. `unscanned` has the reason for each mail that was not scanned, or only in part.

    `timeout_s` is the limit of one scan in seconds, `max_size` the bytes of a message or attachment that are
    scanned. Raises IndicatorError if YARA-X is not installed or the rules do not compile.
    """

    def __init__(self, rules: Iterable[str | Path], *, timeout_s: int = 10, max_size: int = 64 << 20) -> None:
        try:
            import yara_x
        except ImportError as error:
            raise IndicatorError("--yara", "YARA-X is not installed: pip install 'zeekpop3[yara]'") from error
        self._yara = yara_x
        compiler = yara_x.Compiler()
        for path in rules:
            _add(compiler, Path(path), yara_x.CompileError)
        self._scanner = yara_x.Scanner(compiler.build())
        self._scanner.set_timeout(timeout_s)
        self._timeout_s = timeout_s
        self._max_size = max_size
        self.unscanned: dict[tuple[str, int], str] = {}

    def hits(self, path: str | Path, filters: Filters | None = None) -> Iterator[dict[str, Any]]:
        """A row of the table `hits` for each match of a rule. Raises QueryError."""
        self.unscanned.clear()
        for mail in rows(path, "emails", _COLUMNS, filters):
            yield from self._of_mail(mail)

    def _of_mail(self, mail: dict[str, Any]) -> Iterator[dict[str, Any]]:
        raw, key = mail["raw"], (mail["uid"], mail["trans_depth"])
        if raw is None:
            self.unscanned[key] = "the tables do not hold the message (--no-raw)"
            return
        row = {name: mail[name] for name in ("ts", "uid", "trans_depth")}
        for rule in self._matches(raw, key):
            yield {**row, "part": "", "field": "emails.raw", "value": mail["sha256"], **rule}
        for part in parse(raw, content=True).attachments:
            if part.content is None:
                self.unscanned[key] = f"part {part.part} was not scanned: the contents exceed the limit"
                continue
            value = part.filename or part.sha256
            for rule in self._matches(part.content, key):
                yield {**row, "part": part.part, "field": "attachments.content", "value": value, **rule}

    def _matches(self, data: bytes, key: tuple[str, int]) -> Iterator[dict[str, Any]]:
        if len(data) > self._max_size:
            self.unscanned[key] = f"only the first {self._max_size >> 20} MiB were scanned"
            data = data[: self._max_size]
        try:
            found = self._scanner.scan(data).matching_rules
        except self._yara.TimeoutError:
            self.unscanned[key] = f"a scan took longer than {self._timeout_s} s"
            return
        for rule in found:
            described = dict(rule.metadata).get("description")
            yield {
                "indicator": rule.identifier,
                "type": "YARA",
                "source": rule.namespace,
                "description": described if isinstance(described, str) else None,
            }


def _add(compiler: Any, path: Path, compile_error: type[Exception]) -> None:
    try:
        source = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise IndicatorError(path, "not a text file") from error
    except OSError as error:
        raise IndicatorError(path, reason(error)) from error
    try:
        compiler.new_namespace(path.stem)
        compiler.add_source(source, origin=str(path))
    except compile_error as error:
        raise IndicatorError(path, f"cannot be compiled: {' '.join(str(error).split())[:300]}") from error

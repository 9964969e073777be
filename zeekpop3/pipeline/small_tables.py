"""Tables with few rows wait for others, so that several tasks share a part."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from zeekpop3.store.parts import PartWriter

PART_BYTES = 4 << 20


class SmallTables:
    """Small tables in the order in which they were added, until together they have `PART_BYTES`."""

    def __init__(self, writer: PartWriter) -> None:
        self._writer = writer
        self._tables: dict[str, list[pa.Table]] = {}
        self._numbers: dict[str, int] = {}

    def add(self, number: int, tables: list[tuple[str, pa.Table]]) -> int:
        """Add the tables that task `number` returned; returns how many parts were written."""
        parts = 0
        for name, table in tables:
            waiting = self._tables.setdefault(name, [])
            waiting.append(table)
            self._numbers[name] = number  # the task has no part of this table itself
            if sum(each.nbytes for each in waiting) >= PART_BYTES:
                parts += self._write(name)
        return parts

    def write(self) -> int:
        """Write the rest; returns the number of parts."""
        return sum(self._write(name) for name in list(self._tables))

    def _write(self, name: str) -> int:
        import pyarrow as pa

        table = pa.concat_tables(self._tables.pop(name))
        return len(self._writer.write(name, table, self._numbers[name]))

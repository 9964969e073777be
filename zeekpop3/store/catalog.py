"""The parts of finished days in an Iceberg catalog, each exactly once; needs pyiceberg (the extra `lake`).

The files stay where they are, and nothing is copied. One commit per table brings the catalog to what lies in
the folder: new parts are added, and those are taken out that `prune` removed or that were merged into others.
So a run that was interrupted is finished by the next one, and a run without news commits nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from zeekpop3.errors import OutputError, QueryError, ZeekPop3Error, first_line
from zeekpop3.store.dataset import reading, table_folder
from zeekpop3.store.files import exclusive
from zeekpop3.store.filters import Time, instant
from zeekpop3.store.parquet import check_version, part_names
from zeekpop3.tables.schema import TABLES, schema

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

_PROPERTIES = {
    # A manifest outlasts what `prune` removes, so it holds no smallest or largest user, address or text.
    "write.metadata.metrics.default": "none",
    "write.metadata.metrics.column.ts": "full",
}


class Registered(NamedTuple):
    """What `register` changed: the files that it added to the tables of the catalog, and that it took out."""

    added: list[str]
    removed: list[str]


def register(
    tables: str | Path,
    catalog: Catalog,
    *,
    namespace: str = "zeekpop3",
    until: Time = "2h",
    location: str | None = None,
) -> Registered:
    """Bring the tables `namespace.emails` and so on of a catalog to what lies in the folder `tables`.

    Registered are the days that were over at `until` (default: two hours ago, when a follower has written the
    last rows of a day and merged its parts). A day that changes later is right again after the next call.
    Several folders, each of a sensor, may share a namespace. `location`: where the catalog's readers find a
    copy of the folder ("s3://bucket/mail"); default: the folder itself. Tables that the catalog lacks are
    made, partitioned by the day of `ts`; columns that a table lacks are added.

    Raises QueryError if there are no tables or a newer version wrote them, OutputError if the catalog or a
    file cannot be used; what was committed before stays, and the next call goes on.
    """
    with reading(tables):
        root = table_folder(tables, "emails").parent.resolve()
    place = (location or f"file://{root}").rstrip("/")
    last_day = instant(until).date().isoformat()
    changed = Registered([], [])
    with exclusive(root):
        for name in TABLES:
            with _using(f"{namespace}.{name}"):
                table = _table(catalog, namespace, name)
                added, removed = _update(table, root / name, f"{place}/{name}", last_day)
            changed.added.extend(added)
            changed.removed.extend(removed)
    return changed


def _table(catalog: Catalog, namespace: str, name: str) -> Table:
    """The table of the catalog, with the present columns."""
    from pyiceberg.exceptions import NoSuchTableError
    from pyiceberg.transforms import DayTransform

    columns = pa.schema(
        [field.with_metadata({"doc": field.metadata[b"description"]}) for field in schema(name)]
    )
    try:
        table = catalog.load_table(f"{namespace}.{name}")
    except NoSuchTableError:
        catalog.create_namespace_if_not_exists(namespace)
        table = catalog.create_table_if_not_exists(f"{namespace}.{name}", columns, properties=_PROPERTIES)
    if lacking := {name: value for name, value in _PROPERTIES.items() if name not in table.properties}:
        with table.transaction() as change:
            change.set_properties(lacking)
    if not table.spec().fields and table.current_snapshot() is None:
        with table.update_spec() as spec:  # the day is in the names of the folders only: Iceberg derives it
            spec.add_field("ts", DayTransform(), "day")
    if not set(columns.names) <= set(table.schema().column_names):
        with table.update_schema() as update:
            update.union_by_name(columns)
    return table


def _update(table: Table, folder: Path, place: str, last_day: str) -> tuple[list[str], list[str]]:
    """One commit: the files below `place` that the table has become the parts that lie in `folder`."""
    known = {file.file_path: file for file in _files(table) if file.file_path.startswith(f"{place}/")}
    days = {path.removeprefix(f"{place}/").partition("/")[0] for path in known}
    there = {f"{place}/{day}/{Path(path).name}": (day, path) for day, path in part_names(folder)}
    gone = sorted(known.keys() - there.keys())
    # A day of which the catalog has a part stays whole, even if `until` was later in an earlier call.
    wanted = {
        name for name, (day, _) in there.items() if day < f"day={last_day}" or day in days
    } - known.keys()
    new = [name for name in sorted(wanted) if _has_rows(there[name][1])]
    if gone or new:
        with table.transaction() as change:
            if gone:
                with change.update_snapshot().overwrite() as overwrite:
                    for name in gone:
                        overwrite.delete_data_file(known[name])
            if new:
                change.add_files(new)
    return new, gone


def _files(table: Table) -> Iterator[DataFile]:
    return (task.file for task in table.scan().plan_files())


def _has_rows(path: str) -> bool:
    """Whether a part holds rows; the part of an empty table does not. Raises QueryError for its version."""
    with reading(path):
        found = pq.read_metadata(path)
    check_version(found.metadata, path, QueryError)
    return bool(found.num_rows)


@contextmanager
def _using(name: str) -> Iterator[None]:
    """Errors of the catalog become an OutputError of one line; its classes are those of many libraries."""
    try:
        yield
    except ZeekPop3Error:
        raise
    except Exception as error:
        raise OutputError(f"{name}: the catalog cannot be changed: {first_line(error)}") from error

"""Many small parts of a day → few large ones, with the same rows in the same order.

A day that is over is merged for good, today's when its small parts get too many. Here the merged parts are
only made; they take their place by way of the checkpoint (`Output.settle`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from zeekpop3.follow.parts import Output, make_folder
from zeekpop3.follow.state import Swap
from zeekpop3.store.parquet import publish, sync_folder, write_parquet
from zeekpop3.tables.schema import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

#: Bytes in memory of a merged part; one that has half of that is left alone.
PART_BYTES = 32 << 20
#: So many small parts of a day that is not over are merged.
MANY = 60


def merge(
    output: Output, today: str, stem: str, prefix: str, done: dict[Path, tuple[bool, int]]
) -> Iterator[Swap]:
    """Make the merged parts of each day of each table that needs it.

    `today` (YYYY-MM-DD, by log time) and later are not over. Only parts whose names begin with `prefix` are
    touched; the merged ones' names begin with `stem`, which must be new for each call. `done` remembers the
    folders in which there was nothing to do. Raises OutputError, OSError.
    """
    for name in TABLES:
        for folder in sorted((output.out / name).glob("day=*")):
            over = folder.name.removeprefix("day=") < today
            at = (over, folder.stat().st_mtime_ns)
            if done.get(folder) == at:
                continue
            parts = sorted(folder.glob(f"{prefix}*.parquet"))
            few = 2 if over else MANY
            small = [path for path in parts if _is_small(path)] if len(parts) >= few else []
            if len(small) >= few:
                yield _merge(output, folder, small, stem)
            else:
                done[folder] = at


def _is_small(path: Path) -> bool:
    if path.stat().st_size >= PART_BYTES // 2:
        return False
    import pyarrow.parquet as pq

    meta = pq.read_metadata(path)
    size = sum(meta.row_group(index).total_byte_size for index in range(meta.num_row_groups))
    return bool(size < PART_BYTES // 2)


def _merge(output: Output, folder: Path, small: list[Path], stem: str) -> Swap:
    import pyarrow as pa
    import pyarrow.parquet as pq

    where = str(folder.relative_to(output.out))
    target = output.merged / where
    shutil.rmtree(target, ignore_errors=True)
    make_folder(target)
    swap = Swap(where, [], [path.name for path in small])
    held: list[pa.Table] = []
    size = 0

    def write() -> None:
        nonlocal size
        if not held:
            return
        path = target / f"{stem}-{len(swap.parts):06d}.parquet"
        publish(write_parquet(pa.concat_tables(held), path), path)
        swap.parts.append(path.name)
        held.clear()
        size = 0

    for path in small:
        table = pq.ParquetFile(path).read()
        held.append(table)
        size += table.nbytes
        if size >= PART_BYTES:
            write()
    write()
    for path in folder.iterdir():
        if path.name not in swap.replaces and path.is_file():
            try:
                os.link(path, target / path.name)
            except OSError:
                continue  # gone, or no hard links here: `Output._swap` sees it
    sync_folder(target)
    return swap

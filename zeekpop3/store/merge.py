"""Many small parts of a day → few large ones, with the same rows in the same order.

The parts of a day that is over are merged; those of the present day only when there are many small ones.
Merged parts are only staged here; the caller replaces the others by them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zeekpop3.store.files import make_folder, publish, sync_folder
from zeekpop3.store.parquet import write_parquet
from zeekpop3.store.versions import upgraded
from zeekpop3.tables.schema import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

#: Bytes in memory of a merged part; a part with half of that is not merged.
PART_BYTES = 32 << 20
#: The number of small parts at which the present day is merged.
MANY = 60


@dataclass(slots=True)
class Swap:
    """A day's folder (relative to the tables) in which `parts` take the place of `replaces`."""

    folder: str
    parts: list[str]
    replaces: list[str]


def merge(
    out: Path,
    staging: Path,
    *,
    today: str,
    stem: str,
    prefix: str,
    done: dict[Path, tuple[bool, int]],
    part_bytes: int = PART_BYTES,
) -> Iterator[Swap]:
    """Stage the merged parts of each day of each table in `out` that needs it.

    Days before `today` (YYYY-MM-DD, log time) are over. Only parts whose names begin with `prefix` are
    merged; the merged parts' names begin with `stem`, which must be new for each call. `done` remembers the
    folders in which there was nothing to do. Raises OutputError, OSError.
    """
    for name in TABLES:
        for folder in sorted((out / name).glob("day=*")):
            over = folder.name.removeprefix("day=") < today
            at = (over, folder.stat().st_mtime_ns)
            if done.get(folder) == at:
                continue
            parts = sorted(folder.glob(f"{prefix}*.parquet"))
            few = 2 if over else MANY
            small = [path for path in parts if _is_small(path, part_bytes)] if len(parts) >= few else []
            if len(small) >= few:
                yield _merge(out, staging, folder, small, stem, part_bytes)
            else:
                done[folder] = at


def _is_small(path: Path, part_bytes: int) -> bool:
    if path.stat().st_size >= part_bytes // 2:
        return False
    import pyarrow.parquet as pq

    meta = pq.read_metadata(path)
    size = sum(meta.row_group(index).total_byte_size for index in range(meta.num_row_groups))
    return bool(size < part_bytes // 2)


def _merge(out: Path, staging: Path, folder: Path, small: list[Path], stem: str, part_bytes: int) -> Swap:
    import pyarrow as pa
    import pyarrow.parquet as pq

    where = str(folder.relative_to(out))
    target = staging / where
    shutil.rmtree(target, ignore_errors=True)
    make_folder(target)
    swap = Swap(where, [], [path.name for path in small])
    held: list[pa.Table] = []
    size = 0
    for path in small:
        held.append(upgraded(pq.ParquetFile(path).read(), folder.parent.name))
        size += held[-1].nbytes
        if size >= part_bytes or path == small[-1]:
            merged = target / f"{stem}-{len(swap.parts):06d}.parquet"
            publish(write_parquet(pa.concat_tables(held), merged), merged)
            swap.parts.append(merged.name)
            held, size = [], 0
    for path in folder.iterdir():
        if path.name not in swap.replaces and path.is_file():
            try:
                os.link(path, target / path.name)
            except OSError:
                continue  # gone, or no hard links here: the swap notices it
    sync_folder(target)
    return swap

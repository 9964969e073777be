"""Tables of very many days: the rows of a few mails on each of them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import zeekpop3
from zeekpop3.store.parquet import DAY_US, part_files
from zeekpop3.tables import TABLES

LOG = Path(__file__).resolve().parents[2] / "fixtures" / "logs" / "article.exact.log"
EPOCH = dt.date(1970, 1, 1)


def many_days(out: Path, days: int, first: dt.date = dt.date(2020, 1, 1)) -> list[dt.date]:
    """Write the mails of a log on each of so many days to `out`; returns the days."""
    source = out.with_name(out.name + "-one")
    zeekpop3.run([LOG], source, jobs=1)
    found = [first + dt.timedelta(days=number) for number in range(days)]
    for name in TABLES:
        table = pa.concat_tables(pq.ParquetFile(part).read() for part in part_files(source / name))
        of_day = pc.subtract(table.column("ts").cast(pa.int64()), _midnight(table))
        place = table.schema.get_field_index("ts")
        for day in found:
            ts = pc.add(of_day, (day - EPOCH).days * DAY_US).cast(table.schema.field("ts").type)
            part = out / name / f"day={day}" / "part-old-000000.parquet"
            part.parent.mkdir(parents=True)
            pq.write_table(table.set_column(place, table.schema.field("ts"), ts), part)
    return found


def _midnight(table: pa.Table) -> pa.Scalar:
    first = pc.min(table.column("ts").cast(pa.int64())).as_py() or 0
    return pa.scalar(first // DAY_US * DAY_US, pa.int64())

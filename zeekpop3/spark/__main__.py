"""Event logs to tables on Spark, as a program for spark-submit or for python itself.

spark-submit $(python -c 'import zeekpop3.spark.__main__ as m; print(m.__file__)') LOG... --out DIR
python -m zeekpop3.spark LOG... --out DIR [--master 'local[*]']
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Literal

from zeekpop3.errors import LogError, UsageError, ZeekPop3Error, first_line
from zeekpop3.pipeline.settings import Settings
from zeekpop3.session.machine import MAX_MESSAGE


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="zeekpop3.spark", description="Turn event logs into tables, partitioned by day, on Spark."
    )
    add = parser.add_argument
    add("logs", nargs="+", metavar="LOG", help="files, folders or globs that Spark can read")
    add("--out", "-o", required=True, metavar="DIR", help="output folder for the tables")
    add("--append", action="store_true", help="append to existing tables")
    add("--overwrite", action="store_true", help="replace existing tables")
    add("--attachment-content", action="store_true", help="keep the content of attachments")
    add("--no-raw", action="store_true", help="omit the raw bytes of messages")
    add("--no-body", action="store_true", help="omit text, html, urls and raw")
    add(
        "--max-message",
        type=int,
        default=MAX_MESSAGE >> 20,
        metavar="MIB",
        help="maximum size of one message, in MiB",
    )
    add("--sensor", metavar="NAME", help="name of the sensor, stored in each row")
    add("--master", help="Spark master, if spark-submit does not set it")
    args = parser.parse_args(argv)
    if args.append and args.overwrite:
        parser.error("--append and --overwrite are mutually exclusive")
    return args


def main(argv: list[str] | None = None) -> int:
    """Exit codes as of `zeekpop3 run`: 0 done, 1 some input could not be read, 2 wrong usage."""
    args = _arguments(argv)
    try:
        kept = Settings.of_options(
            no_raw=args.no_raw,
            no_body=args.no_body,
            attachment_content=args.attachment_content,
            max_message_mib=args.max_message,
            sensor=args.sensor,
        )
    except UsageError as error:
        print(f"zeekpop3: {error}", file=sys.stderr)
        return 2
    return _write(args, kept)


def _write(args: argparse.Namespace, kept: Settings) -> int:
    from pyspark.errors import AnalysisException
    from pyspark.sql import SparkSession

    from zeekpop3.spark.tables import UMASK, write_tables

    # The executors of a local Spark use this Python, unless the variable is set.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    errors: list[LogError] = []

    def tell(error: LogError) -> None:
        errors.append(error)
        print(f"zeekpop3: {error}", file=sys.stderr)

    builder = SparkSession.builder.appName("zeekpop3")
    if args.master:
        builder = builder.master(args.master)
    # A row has up to 60 kB, so Spark's default of 10,000 rows per batch is too much.
    builder = builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", "1000")
    spark = builder.config(f"spark.hadoop.{UMASK}", "077").getOrCreate()
    mode: Literal["new", "append", "overwrite"] = (
        "append" if args.append else "overwrite" if args.overwrite else "new"
    )
    try:
        counts = write_tables(spark, args.logs, args.out, mode=mode, settings=kept, on_error=tell)
    except ZeekPop3Error as error:
        print(f"zeekpop3: {error}", file=sys.stderr)
        return error.exit_code
    except AnalysisException as error:
        print(f"zeekpop3: {first_line(error)}", file=sys.stderr)
        return 2
    finally:
        spark.stop()
    print(", ".join(f"{count} {name}" for name, count in counts.items()), f"-> {args.out}", file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())

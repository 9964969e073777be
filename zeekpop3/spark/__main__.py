"""Event logs to tables on Spark, as a program for spark-submit or for python itself.

spark-submit $(python -c 'import zeekpop3.spark.__main__ as m; print(m.__file__)') LOG... --out DIR
python -m zeekpop3.spark LOG... --out DIR [--master 'local[*]']
"""

from __future__ import annotations

import argparse
import os
import sys

from zeekpop3.errors import LogError, UsageError, ZeekPop3Error
from zeekpop3.pipeline.settings import settings


def main(argv: list[str] | None = None) -> int:
    """Exit codes as of `zeekpop3 run`: 0 done, 1 some input could not be read, 2 bad usage."""
    parser = argparse.ArgumentParser(
        prog="zeekpop3.spark", description="Event logs to the four tables, partitioned by day, on Spark."
    )
    parser.add_argument("logs", nargs="+", metavar="LOG", help="files, folders or globs that Spark can read")
    parser.add_argument("--out", "-o", required=True, metavar="DIR", help="where the tables go")
    parser.add_argument("--append", action="store_true", help="add to the tables that are there")
    parser.add_argument("--overwrite", action="store_true", help="replace the tables that are there")
    parser.add_argument("--attachment-content", action="store_true", help="keep the attachments' bytes")
    parser.add_argument("--no-raw", action="store_true", help="leave out the messages' raw bytes")
    parser.add_argument("--no-body", action="store_true", help="leave out text, html, urls and raw")
    parser.add_argument("--max-message", type=int, default=64, metavar="MIB", help="of one message at most")
    parser.add_argument("--master", help="Spark's master, where spark-submit does not say it")
    args = parser.parse_args(argv)
    if args.append and args.overwrite:
        parser.error("--append and --overwrite exclude each other")
    try:
        kept = settings(
            no_raw=args.no_raw,
            no_body=args.no_body,
            attachment_content=args.attachment_content,
            max_message_mib=args.max_message,
        )
    except UsageError as error:
        print(f"zeekpop3: {error}", file=sys.stderr)
        return 2

    from pyspark.errors import AnalysisException
    from pyspark.sql import SparkSession

    from zeekpop3.spark import write_tables

    # Python on the executors of a local Spark is this one, unless somebody says otherwise.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    failed = False

    def tell(error: LogError) -> None:
        nonlocal failed
        failed = True
        print(f"zeekpop3: {error}", file=sys.stderr)

    builder = SparkSession.builder.appName("zeekpop3")
    if args.master:
        builder = builder.master(args.master)
    # A row holds up to some 60 kB: Spark's usual 10,000 of them at a time are too many.
    spark = builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", "1000").getOrCreate()
    try:
        counts = write_tables(
            spark,
            args.logs,
            args.out,
            mode="append" if args.append else "overwrite" if args.overwrite else "new",
            attachment_content=kept.attachment_content,
            privacy=kept.privacy,
            max_message=kept.max_message,
            on_error=tell,
        )
    except ZeekPop3Error as error:
        print(f"zeekpop3: {error}", file=sys.stderr)
        return 1
    except AnalysisException as error:
        print(f"zeekpop3: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    finally:
        spark.stop()
    print(", ".join(f"{count} {name}" for name, count in counts.items()), f"-> {args.out}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""The tables on Spark, for logs that lie in a data lake: the same session machine, the same rows as `run`.

    from zeekpop3.spark import read_emails, write_tables

    emails = read_emails(spark, "s3a://lake/zeek/2024-*/")     # a Spark DataFrame
    write_tables(spark, ["hdfs:///zeek/logs"], "hdfs:///mail")

Spark reads the logs (by zat), brings the rows of each connection together, sorts them, and streams them
through Python: of a connection no more is held than of its present response. As a program:

    spark-submit -m … or python -m zeekpop3.spark LOG... --out DIR

Needs the extra `spark`, and zeekpop3 where the executors run Python.
"""

from zeekpop3.spark.tables import (
    read_attachments,
    read_commands,
    read_emails,
    read_sessions,
    read_tables,
    write_tables,
)

__all__ = [
    "read_attachments",
    "read_commands",
    "read_emails",
    "read_sessions",
    "read_tables",
    "write_tables",
]

"""The tables on Spark, for logs in a data lake: the same session machine and the same rows as `run`.

    from zeekpop3.spark import read_emails, write_tables

    emails = read_emails(spark, "s3a://lake/zeek/2024-*/")     # a Spark DataFrame
    write_tables(spark, ["hdfs:///zeek/logs"], "hdfs:///mail")

Spark reads the logs, brings the rows of each connection together, sorts them, and streams them through
Python, which holds no more of a connection than its current response. As a program:

    spark-submit -m … or python -m zeekpop3.spark LOG... --out DIR

Needs the extra `spark`, and zeekpop3 on the executors.
"""

from zeekpop3.spark.tables import (
    read,
    read_attachments,
    read_commands,
    read_emails,
    read_sessions,
    read_tables,
    write_tables,
)

__all__ = [
    "read",
    "read_attachments",
    "read_commands",
    "read_emails",
    "read_sessions",
    "read_tables",
    "write_tables",
]

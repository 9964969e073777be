"""Rows → sessions by uid → messages → the four tables. Batch, live and Spark are made of the pieces here.

`Regrouper` keeps a state machine for each open connection, `Records` turns what they finish into tables,
`run` does it all for logs that are there.
"""

from zeekpop3.pipeline.batch import run
from zeekpop3.pipeline.records import Records
from zeekpop3.pipeline.regroup import Regrouper
from zeekpop3.pipeline.summary import Summary

__all__ = ["Records", "Regrouper", "Summary", "run"]

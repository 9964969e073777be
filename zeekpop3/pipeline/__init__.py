"""Event logs → sessions → mails → tables. Batch, follow and Spark use the modules here.

`run` does all of it for existing logs. `Records` turns finished sessions into rows, `OpenConnections` holds
the connections that are not finished, `Settings` says what is kept, `Counters` counts.
"""

from zeekpop3.pipeline.counters import Counters
from zeekpop3.pipeline.open_connections import OpenConnections
from zeekpop3.pipeline.records import Records
from zeekpop3.pipeline.run import run
from zeekpop3.pipeline.settings import Settings

__all__ = ["Counters", "OpenConnections", "Records", "Settings", "run"]

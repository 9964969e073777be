"""Event logs → sessions → mails → tables. Batch, follow and Spark use the modules here.

`run` does all of it for existing logs. `Records` turns finished sessions into rows, `OpenConnections` holds
the connections that are not finished, `Settings` says what is kept, `Counters` counts.
"""

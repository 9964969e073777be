"""Event logs: found, checked, cut into pieces, read as batches of rows, grouped by connection.

`find_logs` → paths; `chunks` → pieces of one log; `read_chunk` → a `Batch`; `group` → the rows of each
connection. Memory is bounded. zat and Arrow are imported with the first log that is read, not before.
"""

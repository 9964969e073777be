"""Event logs: found, checked, cut into pieces, read as batches of rows, grouped by connection.

`find_logs` → paths; `chunks` → pieces of one log; `read_chunk` → a `Batch`; `group` → the rows of each
connection. Memory is bounded. zat and Arrow are imported with the first log that is read, not before.
"""

from zeekpop3.log.batch import Batch, batch_of, read_chunk
from zeekpop3.log.chunks import Chunk, LogCutter, OnError, chunks
from zeekpop3.log.file import LogFile, open_log
from zeekpop3.log.find import find_logs, is_log_name
from zeekpop3.log.group import group
from zeekpop3.log.header import COLUMNS, Head, LogHeader, parse_head, parse_header, read_head, read_start

__all__ = [
    "COLUMNS",
    "Batch",
    "Chunk",
    "Head",
    "LogCutter",
    "LogFile",
    "LogHeader",
    "OnError",
    "batch_of",
    "chunks",
    "find_logs",
    "group",
    "is_log_name",
    "open_log",
    "parse_head",
    "parse_header",
    "read_chunk",
    "read_head",
    "read_start",
]

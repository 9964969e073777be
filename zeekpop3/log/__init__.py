"""Event logs: found, checked, handed to zat, and given on as batches of rows, in bounded memory.

`find_logs` → paths; `chunks` → pieces of one log; `read_chunk` → a `Batch`; `group` → the rows of each
connection. Importing this costs nothing: zat and Arrow are loaded with the first chunk that is read.
"""

from zeekpop3.log.chunk import Chunk, OnError, chunks
from zeekpop3.log.find import find_logs
from zeekpop3.log.group import group
from zeekpop3.log.header import COLUMNS, Header, read_header
from zeekpop3.log.rows import Batch, batch_of, read_chunk

__all__ = [
    "COLUMNS",
    "Batch",
    "Chunk",
    "Header",
    "OnError",
    "batch_of",
    "chunks",
    "find_logs",
    "group",
    "read_chunk",
    "read_header",
]

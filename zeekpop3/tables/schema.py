"""The tables: name, type and meaning of each column.

Names are those of Zeek's logs where they exist (smtp.log, files.log, conn.log), with `_` for `.`. Unknown is
null. The list of a header field is null if the mail does not have the field, and empty if the field is empty;
what `privacy` leaves out is null. The partition column `day` (UTC day of `ts`) is in the folder names, not in
the files.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from zeekpop3.tables.column import Table, arrow_field
from zeekpop3.tables.mail_tables import ADDRESSES, ATTACHMENTS, EMAILS, ENCLOSED, HITS, LINKS, MEMBERS
from zeekpop3.tables.session_tables import COMMANDS, INPUTS, LISTINGS, SESSIONS

if TYPE_CHECKING:
    import pyarrow as pa

#: Raised by one whenever columns or tables are added; every file has it in its metadata.
SCHEMA_VERSION = 3

VERSION_KEY = b"zeekpop3.schema_version"
TABLE_KEY = b"zeekpop3.table"

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        EMAILS,
        ADDRESSES,
        LINKS,
        ATTACHMENTS,
        MEMBERS,
        ENCLOSED,
        SESSIONS,
        LISTINGS,
        COMMANDS,
        HITS,
        INPUTS,
    )
}


@cache
def schema(name: str) -> pa.Schema:
    """The Arrow schema of a table, with the meanings of table and columns as `description` in the metadata.

    Raises KeyError if there is no such table.
    """
    import pyarrow as pa

    table = TABLES[name]
    return pa.schema(
        [arrow_field(column) for column in table.columns],
        metadata={
            b"description": table.meaning.encode(),
            TABLE_KEY: name.encode(),
            VERSION_KEY: str(SCHEMA_VERSION).encode(),
        },
    )

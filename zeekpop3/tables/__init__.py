"""The four tables: their schemas, and records turned into Arrow tables. No file is touched here.

`schema` says what the columns are, `privacy` what is left out of them, `columns` fills them, `arrays` makes
Arrow of a column. pyarrow is imported when a table is made, not before.
"""

from zeekpop3.tables.columns import AttachmentColumns, CommandColumns, EmailColumns, SessionColumns
from zeekpop3.tables.privacy import Privacy
from zeekpop3.tables.schema import SCHEMA_VERSION, TABLES, Column, Table, schema

__all__ = [
    "SCHEMA_VERSION",
    "TABLES",
    "AttachmentColumns",
    "Column",
    "CommandColumns",
    "EmailColumns",
    "Privacy",
    "SessionColumns",
    "Table",
    "schema",
]

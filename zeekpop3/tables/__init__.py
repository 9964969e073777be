"""The tables: what their columns are, and how records become Arrow tables. No file is read or written here.

`schema` and `mail_tables` define the tables, `records` what rows are made of, collects them, and converts
columns; `privacy` removes what must not be written. pyarrow is imported when a table is made, not before.
"""

from zeekpop3.tables.column import Column, Table
from zeekpop3.tables.privacy import Privacy
from zeekpop3.tables.records import InputRecord, ItemsRecord, MailRecord, SessionRecord, TableBuilder
from zeekpop3.tables.schema import SCHEMA_VERSION, TABLES, schema

__all__ = [
    "SCHEMA_VERSION",
    "TABLES",
    "Column",
    "InputRecord",
    "ItemsRecord",
    "MailRecord",
    "Privacy",
    "SessionRecord",
    "Table",
    "TableBuilder",
    "schema",
]

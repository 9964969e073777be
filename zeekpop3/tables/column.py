"""Columns and tables as plain data, and the Arrow schema that they stand for.

A column is written in one place: its name, type and meaning, the attribute it is filled from, what privacy
settings do to it, and how it is stored. pyarrow is imported when a schema is made, not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

ITEM = "item"


class Column(NamedTuple):
    """A column of a table, or a field of a struct.

    `type`: string, binary, bool, float64, int32, int64, port, time (microseconds, UTC) or struct (then
    `fields` are its fields). `repeated` makes it a list of these.
    `source`: where the value comes from: an attribute path of the record ("transfer.ts"; default: the name).
    A column of structs may have parallel lists as its value; then the index of the field's list.
    `personal`: what `privacy.rule` does to it; empty: always kept.
    `repeats`: values occur many times, so a dictionary makes the file smaller. `searched`: filters and joins
    use the column, so files keep its minimum and maximum. `looked_up`: these and a bloom filter, because
    queries ask for single values.
    """

    name: str
    meaning: str
    type: str = "string"
    source: str | int | None = None
    repeated: bool = False
    fields: tuple[Column, ...] = ()
    personal: str = ""
    repeats: bool = False
    searched: bool = False
    looked_up: bool = False


class Table(NamedTuple):
    """A table: its name, what a row is, its key, its columns in order."""

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]


def table(name: str, meaning: str, key: str, *columns: Column) -> Table:
    """A table; `key` has blanks between the names."""
    return Table(name, meaning, tuple(key.split()), columns)


def looked_up(name: str, meaning: str, personal: str) -> Column:
    """A text column in which people look up values that occur many times: domains, sites."""
    return Column(name, meaning, personal=personal, repeats=True, looked_up=True)


def structs(
    name: str, meaning: str, *fields: Column, source: str | None = None, personal: str = ""
) -> Column:
    """A column with a list of structs."""
    return Column(name, meaning, "struct", source, repeated=True, fields=fields, personal=personal)


def of(owner: str, *columns: Column) -> tuple[Column, ...]:
    """Columns that are filled from attributes of the record's attribute `owner`."""
    return tuple(column._replace(source=f"{owner}.{column.source or column.name}") for column in columns)


def of_item(*columns: Column) -> tuple[Column, ...]:
    """Columns that are the fields of an item, in the same order (see `records.ItemsRecord`)."""
    return tuple(column._replace(source=ITEM) for column in columns)


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type of a column's values; of one item, if the column is a list."""
    import pyarrow as pa

    if column.fields:
        return pa.struct([arrow_field(field) for field in column.fields])
    return {
        "string": pa.string(),
        "binary": pa.binary(),
        "bool": pa.bool_(),
        "float64": pa.float64(),
        "int32": pa.int32(),
        "int64": pa.int64(),
        "port": pa.uint16(),
        "time": pa.timestamp("us", tz="UTC"),
    }[column.type]


def arrow_field(column: Column) -> pa.Field:
    """The Arrow field of a column; its metadata holds the meaning as `description`."""
    import pyarrow as pa

    kind = arrow_type(column)
    if column.repeated:
        kind = pa.list_(kind)
    return pa.field(column.name, kind, metadata={"description": column.meaning})


# -- columns that several tables have ----------------------------------------------------------------


TS = Column("ts", "Time of the request; of the reply if the request was not captured.", "time", searched=True)
UID = Column("uid", "Zeek's identifier of the connection, as in conn.log.", repeats=True, looked_up=True)
DEPTH = Column("trans_depth", "Ordinal of the transfer in its connection, from 1.", "int32", searched=True)
USER = Column(
    "user",
    "User whose login the server accepted; null if none was seen.",
    personal="name",
    repeats=True,
    searched=True,
)
AUTHENTICATED_AS = Column(
    "authenticated_as",
    "Whose password opened the mailbox, if not `user`'s: a SASL login for another user.",
    personal="name",
    repeats=True,
)
CONNECTION = (
    Column(
        "id_orig_h",
        "Client address; null if the log does not contain it.",
        source="conn_id.orig_h",
        repeats=True,
    ),
    Column("id_orig_p", "Client port.", "port", source="conn_id.orig_p", repeats=True),
    Column("id_resp_h", "Server address.", source="conn_id.resp_h", repeats=True),
    Column("id_resp_p", "Server port.", "port", source="conn_id.resp_p", repeats=True),
    Column(
        "community_id", "Community ID of the connection, version 1, seed 0.", repeats=True, looked_up=True
    ),
    Column("sensor", "Name of the sensor, from --sensor.", repeats=True, searched=True),
)
DEFECTS = Column("defects", "Names of what is wrong or was guessed; empty if nothing.", repeated=True)
FIDELITY = Column(
    "fidelity", "exact: the bytes as sent; trimmed: lines as Zeek's pop3_data gives them.", repeats=True
)

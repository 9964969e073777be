"""What goes into the session machine: rows of the event log, as columns. Data only.

This module is never compiled: mypyc knows no class that is derived from a named tuple.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class ConnId(NamedTuple):
    """The four-tuple of a connection, as in Zeek's `conn_id`: the client is the originator."""

    orig_h: str
    orig_p: int
    resp_h: str
    resp_p: int


class Rows(NamedTuple):
    """Rows of the event log that belong to one connection, in order, as parallel columns.

    `data` is decoded and empty where it was unset; it is shorter than `length` says where the log lost a part
    of the field. Numbers that were unset are -1, strings that were unset are None.
    """

    ts: Sequence[int]
    seq: Sequence[int]
    kind: Sequence[str]
    command: Sequence[str | None]
    offset: Sequence[int]
    length: Sequence[int]
    data: Sequence[bytes]
    conn_id: ConnId | None = None


class WholeRows(Rows):
    """Rows of which it is known that no `data` is cut."""

    __slots__ = ()

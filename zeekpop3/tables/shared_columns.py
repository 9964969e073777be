"""Columns that several tables have."""

from __future__ import annotations

from zeekpop3.tables.column import Column

TS = Column("ts", "time", "Time of the request; of the reply if the request was not captured.", searched=True)
UID = Column(
    "uid",
    "string",
    "Zeek's identifier of the connection, as in conn.log.",
    repeats=True,
    searched=True,
    looked_up=True,
)
DEPTH = Column("trans_depth", "int32", "Ordinal of the transfer in its connection, from 1.", searched=True)
USER = Column(
    "user",
    "string",
    "User whose login the server accepted; null if none was seen.",
    personal="name",
    repeats=True,
    searched=True,
)
CONNECTION = (
    Column(
        "id_orig_h",
        "string",
        "Client address; null if the log does not tell.",
        "conn_id.orig_h",
        repeats=True,
    ),
    Column("id_orig_p", "port", "Client port.", "conn_id.orig_p", repeats=True),
    Column("id_resp_h", "string", "Server address.", "conn_id.resp_h", repeats=True),
    Column("id_resp_p", "port", "Server port.", "conn_id.resp_p", repeats=True),
    Column(
        "community_id",
        "string",
        "Community ID of the connection, version 1, seed 0.",
        repeats=True,
        searched=True,
        looked_up=True,
    ),
    Column("sensor", "string", "Name of the sensor, from --sensor.", repeats=True, searched=True),
)
DEFECTS = Column(
    "defects", "string", "Names of what is wrong or was guessed; empty if nothing.", repeated=True
)
FIDELITY = Column(
    "fidelity",
    "string",
    "exact: the bytes as sent; trimmed: lines as Zeek's pop3_data gives them.",
    repeats=True,
)

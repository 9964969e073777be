"""Columns that several tables have."""

from __future__ import annotations

from zeekpop3.tables.column import Column

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
        "id_orig_h", "Client address; null if the log does not tell.", source="conn_id.orig_h", repeats=True
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

"""One POP3 connection as a sans-IO state machine: rows of the event log in, finished transfers out.

    connection = Connection("CHhAvVGS1DHFjwGM9")
    for event in connection.receive(rows):      # Transfer | Command | Session
        ...
    connection.finish("open")                   # the log ended before the connection

It uses no file, clock or thread; batch, live and Spark feed the same machine.
"""

from __future__ import annotations

from zeekpop3.defects import DEFECTS
from zeekpop3.session.events import Command, ConnId, Rows, Session, Transfer
from zeekpop3.session.machine import Connection

__all__ = ["DEFECTS", "Command", "ConnId", "Connection", "Rows", "Session", "Transfer"]

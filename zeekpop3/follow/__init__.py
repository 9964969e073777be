"""Beside a running Zeek: logs are read as they grow, and each row is in the tables once, come what may.

    with Follower(["/opt/zeek/logs"], "tables") as follower:
        follower.once()

`files` knows which log is which, `tail` reads it, `connections` keeps the machines, `state` is the
checkpoint, `parts` takes what is written into the tables, `follower` is the loop over them.
"""

from zeekpop3.follow.follower import Follower
from zeekpop3.follow.options import Note, Options
from zeekpop3.follow.state import Totals

__all__ = ["Follower", "Note", "Options", "Totals"]

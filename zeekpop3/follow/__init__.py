"""Beside a running Zeek: logs are read as they grow, and each row is in the tables once, come what may.

    with Follower(["/opt/zeek/logs"], "tables") as follower:
        follower.once()

`files` knows which log is which, `tail` cuts it into lines, `connections` keeps the machines, `reading` is a
round over the logs; `state` is the checkpoint, `parts` takes what is written into the tables, `compact`
merges it, `rebuild` asks the tables when there is no checkpoint; `follower` is the loop.
"""

from zeekpop3.follow.follower import Follower, may_pass
from zeekpop3.follow.options import Note, Options
from zeekpop3.follow.state import Totals

__all__ = ["Follower", "Note", "Options", "Totals", "may_pass"]

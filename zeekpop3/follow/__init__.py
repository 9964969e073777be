"""Beside a running Zeek: logs are read as they grow, and each row is written once, whatever happens.

    with Follower(["/opt/zeek/logs"], "tables") as follower:
        follower.once()

`catalogue` knows which log is where, `connections` keeps the state machines, `reading` is a round over the
logs; `state` is the checkpoint, `output` publishes what is written, `rebuild` asks the tables if there is no
checkpoint; `follower` is the loop, and `reports` what it tells, to the standard logger "zeekpop3.follow".
"""

from zeekpop3.follow.follower import Follower, is_transient
from zeekpop3.follow.state import Options

__all__ = ["Follower", "Options", "is_transient"]

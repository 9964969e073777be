"""Follows the logs of a running Zeek as they grow: each row is written exactly once, whatever happens.

    with Follower(["/opt/zeek/logs"], "tables") as follower:
        follower.once()

`catalogue` knows which log is where, `connections` keeps the state machines, `reading` is a round over the
logs; `state` is the checkpoint, and asks the tables if there is none; `output` publishes what is written;
`follower` is the loop; `reports` writes the follower's own log (logger "zeekpop3.follow") and its metrics,
and gives hits to a command.
"""

from zeekpop3.follow.follower import Follower, is_transient
from zeekpop3.follow.state import Options

__all__ = ["Follower", "Options", "is_transient"]

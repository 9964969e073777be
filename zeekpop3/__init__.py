"""zeekpop3: the mail that users fetch over POP3, as Zeek saw it.

    import zeekpop3

    zeekpop3.run(["pop3_events.log"], "tables")
    emails = zeekpop3.read_emails("tables")      # a pandas.DataFrame

What is imported here is loaded when it is first used: pandas, Arrow and zat take a while.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from zeekpop3.message import parse
    from zeekpop3.pipeline import Summary, run
    from zeekpop3.session import Connection
    from zeekpop3.store.read import read_attachments, read_commands, read_emails, read_sessions

_ROOMS = {
    "Connection": "zeekpop3.session",
    "Summary": "zeekpop3.pipeline",
    "parse": "zeekpop3.message",
    "read_attachments": "zeekpop3.store.read",
    "read_commands": "zeekpop3.store.read",
    "read_emails": "zeekpop3.store.read",
    "read_sessions": "zeekpop3.store.read",
    "run": "zeekpop3.pipeline",
}

__all__ = [
    "Connection",
    "Summary",
    "__version__",
    "parse",
    "read_attachments",
    "read_commands",
    "read_emails",
    "read_sessions",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'zeekpop3' has no attribute {name!r}")
    return getattr(import_module(_ROOMS[name]), name)

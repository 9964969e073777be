"""zeekpop3: mail that users fetch over POP3, from Zeek logs to tables.

    import zeekpop3

    zeekpop3.run(["pop3_events.log"], "tables")
    emails = zeekpop3.read_emails("tables")      # a pandas.DataFrame

The names below are imported when they are first used, because pandas and Arrow load slowly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from zeekpop3.detect import hunt
    from zeekpop3.follow import Follower
    from zeekpop3.message import parse
    from zeekpop3.pipeline.mail_files import import_mails
    from zeekpop3.pipeline.run import run
    from zeekpop3.pipeline.settings import Counters, Settings
    from zeekpop3.session import Connection
    from zeekpop3.store.catalog import register
    from zeekpop3.store.read import read, read_attachments, read_commands, read_emails, read_sessions
    from zeekpop3.tables import Privacy
    from zeekpop3.views.api import (
        eml,
        export,
        export_security_lake,
        mails,
        prune,
        queries,
        query,
        report,
        share,
        sql,
        timeline,
        transcript,
        verify,
    )

_EXPORTS = {
    "Connection": "zeekpop3.session",
    "Counters": "zeekpop3.pipeline.settings",
    "Follower": "zeekpop3.follow",
    "Privacy": "zeekpop3.tables",
    "Settings": "zeekpop3.pipeline.settings",
    "eml": "zeekpop3.views.api",
    "export": "zeekpop3.views.api",
    "export_security_lake": "zeekpop3.views.api",
    "hunt": "zeekpop3.detect",
    "import_mails": "zeekpop3.pipeline.mail_files",
    "mails": "zeekpop3.views.api",
    "parse": "zeekpop3.message",
    "prune": "zeekpop3.views.api",
    "queries": "zeekpop3.views.api",
    "query": "zeekpop3.views.api",
    "read": "zeekpop3.store.read",
    "read_attachments": "zeekpop3.store.read",
    "read_commands": "zeekpop3.store.read",
    "read_emails": "zeekpop3.store.read",
    "read_sessions": "zeekpop3.store.read",
    "register": "zeekpop3.store.catalog",
    "report": "zeekpop3.views.api",
    "run": "zeekpop3.pipeline.run",
    "share": "zeekpop3.views.api",
    "sql": "zeekpop3.views.api",
    "timeline": "zeekpop3.views.api",
    "transcript": "zeekpop3.views.api",
    "verify": "zeekpop3.views.api",
}

__all__ = [
    "Connection",
    "Counters",
    "Follower",
    "Privacy",
    "Settings",
    "__version__",
    "eml",
    "export",
    "export_security_lake",
    "hunt",
    "import_mails",
    "mails",
    "parse",
    "prune",
    "queries",
    "query",
    "read",
    "read_attachments",
    "read_commands",
    "read_emails",
    "read_sessions",
    "register",
    "report",
    "run",
    "share",
    "sql",
    "timeline",
    "transcript",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'zeekpop3' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

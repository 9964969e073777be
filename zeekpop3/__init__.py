"""zeekpop3: mail that users fetch over POP3, from Zeek logs to tables.

    import zeekpop3

    zeekpop3.run(["pop3_events.log"], "tables")
    emails = zeekpop3.read_emails("tables")      # a pandas.DataFrame

The names below are imported when they are first used, because pandas and Arrow load slowly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from zeekpop3._version import __version__ as __version__

if TYPE_CHECKING:
    from zeekpop3 import errors as errors
    from zeekpop3.detect import hunt as hunt
    from zeekpop3.follow import (
        Follower as Follower,
    )
    from zeekpop3.follow import (
        Options as Options,
    )
    from zeekpop3.inside import parse as parse
    from zeekpop3.pipeline.mail_files import import_mails as import_mails
    from zeekpop3.pipeline.run import run as run
    from zeekpop3.pipeline.settings import (
        Counters as Counters,
    )
    from zeekpop3.pipeline.settings import (
        Settings as Settings,
    )
    from zeekpop3.session import Connection as Connection
    from zeekpop3.store.read import (
        read as read,
    )
    from zeekpop3.store.read import (
        read_attachments as read_attachments,
    )
    from zeekpop3.store.read import (
        read_commands as read_commands,
    )
    from zeekpop3.store.read import (
        read_emails as read_emails,
    )
    from zeekpop3.store.read import (
        read_sessions as read_sessions,
    )
    from zeekpop3.tables import Privacy as Privacy
    from zeekpop3.views.api import (
        eml as eml,
    )
    from zeekpop3.views.api import (
        export as export,
    )
    from zeekpop3.views.api import (
        mails as mails,
    )
    from zeekpop3.views.api import (
        prune as prune,
    )
    from zeekpop3.views.api import (
        queries as queries,
    )
    from zeekpop3.views.api import (
        query as query,
    )
    from zeekpop3.views.api import (
        report as report,
    )
    from zeekpop3.views.api import (
        share as share,
    )
    from zeekpop3.views.api import (
        sql as sql,
    )
    from zeekpop3.views.api import (
        timeline as timeline,
    )
    from zeekpop3.views.api import (
        transcript as transcript,
    )
    from zeekpop3.views.api import (
        verify as verify,
    )

_NAMES = {
    "zeekpop3.detect": "hunt",
    "zeekpop3.follow": "Follower Options",
    "zeekpop3.inside": "parse",
    "zeekpop3.pipeline.mail_files": "import_mails",
    "zeekpop3.pipeline.run": "run",
    "zeekpop3.pipeline.settings": "Counters Settings",
    "zeekpop3.session": "Connection",
    "zeekpop3.store.read": "read read_attachments read_commands read_emails read_sessions",
    "zeekpop3.tables": "Privacy",
    "zeekpop3.views.api": (
        "eml export mails prune queries query report share sql timeline transcript verify"
    ),
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = sorted(["__version__", "errors", *_MODULE_OF])


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("zeekpop3.errors")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'zeekpop3' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return __all__

"""The ready queries: `queries/NAME.sql`. Their first lines describe them and name the logs that they use:

    -- One sentence.
    -- log conn: uid, duration       conn.log must be given
    -- either http: host             of these, one must be given
    -- also http: ts time, fuids[]   it may be given

After a log stand the columns that the query uses: text, `name[]` a list of texts, `name time` a time. A
column that the log lacks is null; a log that may be left out is empty. `{name}` in a query stands for another
one.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib import resources
from typing import NamedTuple

from zeekpop3.detect import observables
from zeekpop3.errors import QueryError

EXPOSED = {
    **dict.fromkeys(("USER", "PLAIN", "LOGIN"), "password"),
    **dict.fromkeys(("XOAUTH2", "OAUTHBEARER"), "token"),
    **dict.fromkeys(("APOP", "CRAM-MD5", "DIGEST-MD5", "NTLM"), "digest"),
}
"""What a login mechanism shows to whoever reads the connection; other mechanisms show at most the name."""

_ORDER = (
    "suspicious", "reply-elsewhere", "names-borrowed", "look-alikes", "verdicts-failed", "senders-new",
    "clicks", "downloads", "same-mail", "attachment-hashes", "unfetched", "second-client", "starttls",
    "clear-text-logins", "conn", "smtp", "top-senders", "incomplete",
)  # fmt: skip
_USES = re.compile(r"-- (log|either|also) (\w+): (.*)")
_INCLUDED = re.compile(r"\{([a-z-]+)\}")
_COLUMN = re.compile(r"(\w+)(\[\]| time)?(?:, |$)")
_TYPES = {"": "varchar", "[]": "varchar[]", " time": "timestamptz"}


class Question(NamedTuple):
    """A ready query. `required`: logs that must be given; `either`: one of these must be given."""

    description: str
    sql: str
    required: tuple[str, ...]
    either: tuple[str, ...]

    @property
    def options(self) -> str:
        """The options for the logs that must be given; empty if none must."""
        return " ".join(map(_option, self.required)) or " or ".join(map(_option, self.either))


def _option(log: str) -> str:
    return f"--log {log}={log}.log"


def _text(name: str) -> str:
    """The SQL of a file, with what it includes."""
    if name == "exposed":
        return " ".join(f"when '{mechanism}' then '{what}'" for mechanism, what in EXPOSED.items())
    if name == "observables":
        return observables.query()
    text = resources.files(__package__).joinpath("queries", f"{name}.sql").read_text("utf-8")
    return _INCLUDED.sub(lambda match: _text(match[1]), text)


def _question(name: str) -> Question:
    text = _text(name)
    uses = _USES.findall(text)
    required, either = (tuple(log for kind, log, _ in uses if kind == wanted) for wanted in ("log", "either"))
    return Question(text.partition("\n")[0].removeprefix("-- "), text, required, either)


QUESTIONS = {name: _question(name) for name in _ORDER}
INCOMPLETE = _text("reasons-incomplete")
"""The key of each incomplete mail and the reason. The end of a log, or TLS, explains only a connection's
last mail; what is missing from an earlier one was lost in the capture."""


def question_sql(name: str, logs: Collection[str] = ()) -> str:
    """The SQL of a ready query, with an empty view for each log that it can do without.

    Raises QueryError for an unknown name, or if a log that it needs is not one of `logs`.
    """
    if name not in QUESTIONS:
        raise QueryError(f"unknown query {name!r}; available: {', '.join(QUESTIONS)}")
    question = QUESTIONS[name]
    either = not question.either or any(log in logs for log in question.either)
    if not either or any(log not in logs for log in question.required):
        raise QueryError(f"query {name} needs {question.options}")
    views = ""
    for _, log, _ in _USES.findall(question.sql):
        if log not in logs:
            nulls = ", ".join(f"null::{kind} as {column}" for column, kind in log_columns(log).items())
            views += f"{log} as (select {nulls} where false), "
    return question.sql.replace("\nwith ", f"\nwith {views}", 1)


def about_sql(value: str) -> str:
    """The SQL of what the tables hold about a value. Raises QueryError if it is empty."""
    value = value.strip(" <>").lower()
    if not value:
        raise QueryError("--about: empty value")
    literal = "'" + value.replace("'", "''") + "'"
    return _text("about").replace("$value", literal)


def log_columns(log: str) -> dict[str, str]:
    """The columns of a Zeek log that ready queries use, each with its SQL type."""
    columns: dict[str, str] = {}
    for question in QUESTIONS.values():
        for _, name, listed in _USES.findall(question.sql):
            if name == log:
                columns |= {column: _TYPES[kind] for column, kind in _COLUMN.findall(listed)}
    return columns

"""The ready queries: `queries/NAME.sql`. Their first lines describe them and name the logs that they use:

    -- One sentence.
    -- log conn: uid, duration       conn.log must be given
    -- either http: host             of these, one must be given
    -- also http: ts time, fuids[]   it may be given

After a log stand the columns that the query uses: text, `name[]` a list of texts, `name time` a time. A
column that the log lacks is null; a log that may be left out is empty. `{name}` in a query stands for another
one, `{own}` for the own sites. `mailbox_of(user, server)` and `mailboxes` are the answer to that query.

The rules of `suspicious` are `queries/rules/NAME.sql`, and those of a site's own folder:

    -- One sentence.
    -- weight 50                     what the rule adds to the score of a mail
    -- weight 5 beside others        the same, but only in mails for which another rule holds

A rule yields `mail` (UID/DEPTH), `reason` and `detail`. Beside the tables it can read own, dangerous,
look_alikes, names_borrowed, first_mails, verdicts_failed and reply_elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from zeekpop3.errors import QueryError

EXPOSED = {
    **dict.fromkeys(("USER", "PLAIN", "LOGIN"), "password"),
    **dict.fromkeys(("XOAUTH2", "OAUTHBEARER"), "token"),
    **dict.fromkeys(("APOP", "CRAM-MD5", "DIGEST-MD5", "NTLM"), "digest"),
}
"""What a login mechanism shows to whoever reads the connection; other mechanisms show at most the name."""

_ORDER = (
    "suspicious", "campaigns", "reply-elsewhere", "names-borrowed", "look-alikes", "verdicts-failed",
    "senders-new", "new-attachment-types", "clicks", "downloads", "same-mail", "attachment-hashes",
    "mailboxes",
    "logins", "second-client", "same-client", "unfetched", "deleted", "starttls", "clear-text-logins",
    "conn", "smtp", "top-senders", "incomplete",
)  # fmt: skip
_USES = re.compile(r"-- (log|either|also) (\w+): (.*)")
_INCLUDED = re.compile(r"\{([a-z-]+)\}")
_WEIGHT = re.compile(r"-- weight (\d{1,4})( beside others)?\s*$", re.MULTILINE)
_MAILBOXES = re.compile(r"\bmailbox_of\(|\b(from|join) mailboxes\b")
_COLUMN = re.compile(r"(\w+)(\[\]| time)?(?:, |$)")
_TYPES = {"": "varchar", "[]": "varchar[]", " time": "timestamptz"}


#: The tables that rules read, mail by mail.
_OF_MAILS = ("emails", "addresses", "links", "attachments", "members", "enclosed", "hits")
_QUERIES = resources.files(__package__).joinpath("queries")


class ReadyQuery(NamedTuple):
    """A ready query. `required`: logs that must be given; `either`: one of these must be given."""

    description: str
    sql: str
    required: tuple[str, ...]
    either: tuple[str, ...]

    @property
    def options(self) -> str:
        """The options for the logs that must be given; empty if none must."""
        return " ".join(map(_option, self.required)) or " or ".join(map(_option, self.either))

    @property
    def arguments(self) -> str:
        """The same as the parameter of a function."""
        return f"logs={ {log: f'{log}.log' for log in self.required or self.either[:1]} }"


def _option(log: str) -> str:
    return f"--log {log}={log}.log"


def _text(name: str) -> str:
    """The SQL of a file, with what it includes."""
    if name == "exposed":
        return " ".join(f"when '{mechanism}' then '{what}'" for mechanism, what in EXPOSED.items())
    if name == "observables":
        from zeekpop3.detect.matching import observables_sql  # loads Arrow

        return observables_sql()
    if name in ("own", "own-sites", "rules", "judged", "inner-urls", "mails", "sessions", "deletions"):
        return f"{{{name}}}"  # put in when the query is asked
    text = _QUERIES.joinpath(f"{name}.sql").read_text("utf-8")
    return _including(text)


def _including(text: str) -> str:
    return _INCLUDED.sub(lambda match: _text(match[1]), text)


def _ready_query(name: str) -> ReadyQuery:
    text = _text(name)
    uses = _USES.findall(text)
    required, either = (tuple(log for kind, log, _ in uses if kind == wanted) for wanted in ("log", "either"))
    return ReadyQuery(text.partition("\n")[0].removeprefix("-- "), text, required, either)


READY_QUERIES = {name: _ready_query(name) for name in _ORDER}
INCOMPLETE = _text("reasons-incomplete")
"""The key of each incomplete mail and the reason. The end of a log, or TLS, explains only a connection's
last mail; what is missing from an earlier one was lost in the capture."""


def file_sql(path: str | Path, *, own: Collection[str] = (), rules: str | Path | None = None) -> str:
    """The SQL of a site's own query, which may use `{own}` and, as our queries, other ones by name.

    Raises QueryError if the file cannot be read, or includes what does not exist.
    """
    try:
        return filled(_including(Path(path).read_text("utf-8")), own, rules)
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(f"{path}: cannot read the query: {error}") from error


class Rule(NamedTuple):
    """A rule of `suspicious`; `alone`: it is a reason even if no other rule holds."""

    name: str
    description: str
    sql: str
    weight: int
    alone: bool


def rules(folder: str | Path | None = None) -> list[Rule]:
    """The rules of the package, and those of a folder, `NAME.sql`; one of the same name replaces ours.

    Raises QueryError for a folder without rules, or a rule without a weight.
    """
    texts = {path.name: path.read_text("utf-8") for path in _QUERIES.joinpath("rules").iterdir()}
    if folder is not None:
        try:
            given = {path.name: path.read_text("utf-8") for path in sorted(Path(folder).glob("*.sql"))}
        except (OSError, UnicodeDecodeError) as error:
            raise QueryError(f"{folder}: cannot read the rules: {error}") from error
        if not given:
            raise QueryError(f"{folder}: no rules in this folder (NAME.sql expected)")
        texts |= given
    return [_rule(name.removesuffix(".sql"), text) for name, text in sorted(texts.items())]


def _rule(name: str, text: str) -> Rule:
    weight = _WEIGHT.search(text)
    if weight is None or not text.startswith("-- "):
        raise QueryError(f"rule {name}: expected '-- A sentence.' and '-- weight NUMBER' in its first lines")
    return Rule(name, text.partition("\n")[0].removeprefix("-- "), text, int(weight[1]), weight[2] is None)


def _rules_sql(folder: str | Path | None) -> str:
    """All rules in one statement: mail, rule, weight, alone, reason, detail."""
    return "\nunion all\n".join(
        f"select mail::varchar as mail, {literal(rule.name)} as rule, {rule.weight} as weight,\n"
        f"{rule.alone} as alone, reason::varchar as reason, detail::varchar as detail\n"
        f"from (\n{rule.sql.rstrip().rstrip(';')}\n)"
        for rule in rules(folder)
    )


def _judged_sql(keys: str | None) -> str:
    """Common table expressions that hide the tables behind their rows of some mails."""
    if keys is None:
        return ""
    rows = "".join(
        f"{table} as materialized (select t.* from {table} t semi join judged using (uid, trans_depth)),\n"
        for table in _OF_MAILS
    )
    return f"judged as materialized ({keys}),\n{rows}"


def _own_sql(own: Collection[str]) -> str:
    """The own sites: those given, else a guess."""
    if not own:
        return _QUERIES.joinpath("own.sql").read_text("utf-8")
    for site in own:
        if "." not in site.strip("."):
            raise QueryError(f"own site {site!r}: expected a domain, such as example.org")
    listed = ", ".join(literal(site.strip().lower()) for site in own)
    return f"select distinct coalesce(site_of(host), host) as site from (select unnest([{listed}]) as host)"


def mailboxes_sql() -> str:
    """The view `mailboxes`: `user` and `server` of each name, its `mailbox`, the `proof`."""
    return READY_QUERIES["mailboxes"].sql


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def filled(
    sql: str, own: Collection[str] = (), folder: str | Path | None = None, *, judged: str | None = None
) -> str:
    """A query with the own sites and the rules put in.

    `judged` is SQL for the keys (uid, trans_depth) of the mails that the rules look at; default: all. Raises
    QueryError for a rule that cannot be used.
    """
    if "{rules}" in sql:
        sql = sql.replace("{rules}", _rules_sql(folder)).replace("{judged} ", _judged_sql(judged))
    if "{inner-urls}" in sql:
        from zeekpop3.detect.matching import HAS_INNER_URL, INNER_URLS

        sql = sql.replace("{inner-urls}", f"if({HAS_INNER_URL}, {INNER_URLS}, [])")
    mailboxes = bool(_MAILBOXES.search(sql))
    if mailboxes:
        sql = _with(f"mailboxes as materialized ({mailboxes_sql()})", sql)
    if "{own}" in sql and (mailboxes or "{own-sites}" not in sql):
        sql = _with(f"own_sites as materialized ({_own_sql(own)})", sql)
    sql = sql.replace("{own-sites}", _own_sql(own))
    return sql.replace("{own}", "select site from own_sites")


def _with(view: str, sql: str) -> str:
    """A query with one more common table expression, which all its parts see."""
    lines = sql.splitlines(keepends=True)
    start = next((n for n, line in enumerate(lines) if not line.startswith("--") and line.strip()), 0)
    head, query = "".join(lines[:start]), "".join(lines[start:])
    found = re.match(r"\s*with\s+(recursive\s)?", query, flags=re.IGNORECASE)
    rest = query[found.end() :] if found else query
    return f"{head}with {(found and found[1]) or ''}{view}{',' if found else ''} {rest}"


def query_sql(
    name: str,
    logs: Collection[str] = (),
    *,
    own: Collection[str] = (),
    rules: str | Path | None = None,
    judged: str | None = None,
    suspicious: str | None = None,
) -> str:
    """The SQL of a ready query, with an empty view for each log that it can do without.

    `own` are the own sites (default: a guess), `rules` is a folder of further rules for `suspicious`,
    `judged` as in `filled`; `suspicious` is SQL for the answer to that query, if it is known. Raises
    QueryError for an unknown name, a rule that cannot be used, or if a log that the query needs is not one
    of `logs`.
    """
    if name not in READY_QUERIES:
        raise QueryError(f"unknown query {name!r}; available: {', '.join(READY_QUERIES)}")
    query = READY_QUERIES[name]
    either = not query.either or any(log in logs for log in query.either)
    if not either or any(log not in logs for log in query.required):
        raise QueryError(f"query {name} needs {query.options}; in Python: {query.arguments}")
    sql = query.sql
    if suspicious is not None:
        sql = sql.replace(READY_QUERIES["suspicious"].sql, suspicious)
    return filled(_with_logs(sql, logs), own, rules, judged=judged)


def _with_logs(sql: str, logs: Collection[str]) -> str:
    """A query, with an empty view for each log that it uses and that is not given."""
    for log in dict.fromkeys(log for _, log, _ in _USES.findall(sql)):
        if log not in logs:
            nulls = ", ".join(f"null::{kind} as {column}" for column, kind in log_columns(log).items())
            sql = _with(f"{log} as (select {nulls} where false)", sql)
    return sql


def timeline_sql(
    mails: str, sessions: str, deletions: str, logs: Collection[str] = (), own: Collection[str] = ()
) -> str:
    """The SQL of a timeline of the mails, sessions and deletions that meet these conditions."""
    sql = _with_logs(_text("timeline"), logs)
    conditions = {"{mails}": mails, "{sessions}": sessions, "{deletions}": deletions}
    for name, condition in conditions.items():
        sql = sql.replace(name, condition)
    return filled(sql, own, judged="select uid, trans_depth from chosen")


def about_sql(value: str) -> str:
    """The SQL of what the tables hold about a value. Raises QueryError if it is empty."""
    value = value.strip(" <>").lower()
    if not value:
        raise QueryError("--about: empty value")
    return _text("about").replace("$value", literal(value))


def log_columns(log: str) -> dict[str, str]:
    """The columns of a Zeek log that ready queries use, each with its SQL type."""
    columns: dict[str, str] = {}
    for query in READY_QUERIES.values():
        for _, name, listed in _USES.findall(query.sql):
            if name == log:
                columns |= {column: _TYPES[kind] for column, kind in _COLUMN.findall(listed)}
    return columns

"""The page put together: one file that needs no network, under a policy that lets nothing else run.

The Content-Security-Policy names this page's own style sheet and script by their hashes and forbids all
others, all connections, frames and forms, and (trusted types) every way of making markup out of text. Jinja
escapes what it fills in, after `visible` made it harmless to read.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import os
import tempfile
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeekpop3 import __version__
from zeekpop3.errors import OutputError, QueryError
from zeekpop3.store.parquet import publish
from zeekpop3.store.read import Filters, instant
from zeekpop3.views.report.charts import buckets, ranking, timeline
from zeekpop3.views.report.figures import Figures, Tally, gather
from zeekpop3.views.report.mails import Listing, cut, in_script, mails, stamp
from zeekpop3.views.visible import visible

if TYPE_CHECKING:
    import jinja2

MIB = 1 << 20
#: Most rows of each table but the mails', most bars of a ranking.
_ROWS, _BARS = 200, 10


def write_report(
    path: str | Path,
    out: str | Path,
    *,
    filters: Filters | None = None,
    limit: int = 10_000,
    body: bool = True,
    most_bytes: int = 25 * MIB,
    now: dt.datetime | None = None,
) -> Listing:
    """Write the page of an output folder's tables to the file `out`, replaced, and only for its owner's eyes.

    `filters` may name user, since and until. `limit` mails at most are listed; `body` False leaves out texts,
    HTML sources and URLs; `most_bytes` bounds what the mails take of the file. `now` (default: unknown, then
    not said) is when the page was made. Raises QueryError for the tables, or without the packages it needs;
    OutputError if the file cannot be written.
    """
    given = filters or Filters()
    since, until = (None if time is None else instant(time) for time in (given.since, given.until))
    filters = Filters(given.user, since=since, until=until)
    environment = _environment()
    figures = gather(path, filters)
    listing = mails(path, filters, figures, limit=limit, body=body, most_bytes=most_bytes)
    page = _render(environment, figures, listing, filters, body=body, now=now)
    _write(Path(out), page)
    return listing


def human(size: float | None) -> str:
    """Bytes for reading: 999 B, 1.2 kB, 34 MB."""
    amount = float(size or 0)
    units = ["TB", "GB", "MB", "kB", "B"]
    while amount >= 999.5 and len(units) > 1:
        amount, _ = amount / 1000, units.pop()
    return f"{amount:.0f} {units[-1]}" if units[-1] == "B" or amount >= 99.5 else f"{amount:.1f} {units[-1]}"


def count(number: float | None) -> str:
    """A whole number, its thousands set apart."""
    return "" if number is None else f"{round(number):,}".replace(",", "\u2009")


def policy(style: str, script: str) -> str:
    """The Content-Security-Policy for a page with this style sheet and this script."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _render(
    environment: jinja2.Environment,
    figures: Figures,
    listing: Listing,
    filters: Filters,
    *,
    body: bool,
    now: dt.datetime | None,
) -> str:
    from markupsafe import Markup

    style, script = (
        resources.files("zeekpop3.views.report").joinpath(name).read_text("utf-8")
        for name in ("page.css", "page.js")
    )
    step, bars = buckets(figures.minutes)
    charts = dict.fromkeys(("mails", "bytes", "users", "senders", "types"), "")
    if bars:
        labels = [bar.label for bar in bars]
        counts = [("whole", [bar.whole for bar in bars]), ("incomplete", [bar.incomplete for bar in bars])]
        charts["mails"] = timeline(labels, counts, count)
        charts["bytes"] = timeline(labels, [("bytes", [bar.size for bar in bars])], human)
    senders, users = _by_mails(figures.senders), _by_mails(figures.users)
    types = _by_mails(figures.types)
    for name, ranked, unknown in (
        ("senders", senders, "(no From)"),
        ("users", [entry for entry in users if entry[1].mails], "(user unknown)"),
        ("types", types, ""),
    ):
        if ranked:
            top = [(key or unknown, tally.mails) for key, tally in ranked[:_BARS]]
            charts[name] = ranking(top, count)
    contents = sorted(
        figures.contents.items(), key=lambda entry: (-len(entry[1].users), -entry[1].mails, entry[0])
    )
    return environment.get_template("page.html").render(
        policy=policy(style, script),
        style=Markup(style),
        script=Markup(script),
        data=Markup(listing.lines),
        packs=[Markup(pack) for pack in listing.packs],
        settings=Markup(in_script({"reasons": listing.reasons, "pack": listing.pack, "body": body})),
        charts={name: Markup(chart) for name, chart in charts.items()},
        figures=figures,
        listing=listing,
        filters=filters,
        body=body,
        now=now,
        version=__version__,
        step=step,
        bars=bars,
        busiest=max(bars, key=lambda bar: bar.whole + bar.incomplete, default=None),
        users=users,
        servers=_by_mails(figures.servers),
        senders=senders,
        types=types,
        contents=contents,
        passwords=len({login.user for login in figures.logins if login.exposed == "password"}),
        rows=_ROWS,
    )


def _environment() -> jinja2.Environment:
    try:
        import jinja2
    except ImportError as error:
        raise QueryError("report needs pygal and Jinja: install zeekpop3[report]") from error

    def finalize(value: Any) -> Any:
        # Markup is ours; every other text is made visible, wherever the template puts it.
        return visible(value) if type(value) is str else value

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("zeekpop3.views.report", "."),
        autoescape=True,
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"human": human, "count": count, "cut": cut, "stamp": stamp, "names": _names}
    return environment


def _by_mails(tallies: dict[Any, Tally]) -> list[tuple[Any, Tally]]:
    return sorted(tallies.items(), key=lambda entry: (-entry[1].mails, -entry[1].size, str(entry[0])))


def _names(names: Iterable[str], most: int = 6) -> str:
    """Some names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(cut(name, 60) for name in every[:most]) + more


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _write(out: Path, page: str) -> None:
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)  # is 0600
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror or error}") from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(page)
        publish(temporary, out)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)

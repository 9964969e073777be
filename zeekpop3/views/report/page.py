"""The page: one file that needs no network, under a policy that allows nothing but its own style and script.

The Content-Security-Policy names the page's style sheet and script by their hashes. It forbids everything
else: other scripts, connections, frames, forms, and (trusted types) making markup from text. Jinja escapes
what it fills in, after `visible` has made it safe to read.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Collection, Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from zeekpop3._version import __version__
from zeekpop3.store.files import new_file
from zeekpop3.store.filters import Filters
from zeekpop3.store.times import instant
from zeekpop3.views.report.charts import Bucket, Chart, ranking, stacked_bars
from zeekpop3.views.report.figures import Figures, Tally, gather
from zeekpop3.views.report.mails import PACK, Listing, cut, in_script, mails
from zeekpop3.views.report.summary import HIGH, MEDIUM, Answers, answers, sentences
from zeekpop3.views.sql import Logs
from zeekpop3.views.text import human_size, shorten, stamp, visible

#: Most rows of each table (except that of the mails), most bars of a ranking.
_ROWS, _BARS = 200, 10


def write_report(
    path: str | Path,
    out: str | Path,
    *,
    filters: Filters | None = None,
    limit: int = 10_000,
    body: bool = True,
    max_bytes: int = 25 << 20,
    now: dt.datetime | None = None,
    logs: Logs | None = None,
    own: Collection[str] = (),
    title: str | None = None,
) -> Listing:
    """Write the page of an output folder's tables to the file `out` (0600; replaced if it exists).

    `filters` may name user, sensor, since and until. `logs` (Zeek's http.log, ssl.log, dns.log) tell who
    opened a link; `own` are the own sites (default: a guess). At most `limit` mails are listed; `body=False`
    leaves out texts, HTML sources and URLs; `max_bytes` bounds the part of the file that the mails take.
    `now` is the time of writing (default: not mentioned). Raises QueryError for the tables, OutputError if
    the file cannot be written.
    """
    given = filters or Filters()
    since, until = (None if time is None else instant(time) for time in (given.since, given.until))
    filters = Filters(given.user, since=since, until=until, sensor=given.sensor, names=given.names)
    found = answers(path, filters, logs, own)
    figures = gather(path, filters, found)
    listing = mails(path, filters, figures, limit=limit, body=body, max_bytes=max_bytes)
    listing.logs_read = found.logs_read
    page = _render(figures, listing, found=found, filters=filters, body=body, now=now, title=title)
    with new_file(Path(out)) as file:
        file.write(page.encode("utf-8"))
    return listing


def count(number: int) -> str:
    """A number with narrow spaces between thousands, at which no line ends."""
    return f"{number:,}".replace(",", "\u202f")


def policy(style: str, script: str) -> str:
    """The Content-Security-Policy for a page with this style sheet and this script."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _render(figures: Figures, listing: Listing, *, found: Answers, body: bool, **more: Any) -> str:
    folder = resources.files("zeekpop3.views.report")
    style, script = ((folder / name).read_text("utf-8") for name in ("page.css", "page.js"))
    step, bars = figures.timeline.buckets()
    contents = sorted(  # empty attachments have one hash and tell nothing: they come last
        figures.contents.items(),
        key=lambda entry: (entry[1].size == 0, -len(entry[1].users), -entry[1].mails, entry[0]),
    )
    passwords = len(
        {login.user for login in figures.logins if login.exposed == "password" and login.tally.mails}
    )
    hits = sum(
        any(reason.startswith("hit: ") for reason in row["reasons"]) for row in found.suspicious.values()
    )
    template = page_environment().get_template("page.html")
    return template.render(
        policy=policy(style, script),
        style=Markup(style),
        script=Markup(script),
        data=Markup(listing.lines),
        packs=map(Markup, listing.packs),
        settings=Markup(in_script({"reasons": listing.reasons, "pack": PACK, "body": body})),
        charts=_charts(figures, bars),
        figures=figures,
        listing=listing,
        body=body,
        version=__version__,
        step=step,
        bars=bars,
        busiest=max(bars, key=lambda bar: bar.complete + bar.incomplete, default=None),
        users=_by_mails(figures.users),
        servers=_by_mails(figures.servers),
        senders=_by_mails(figures.senders),
        types=_by_mails(figures.types),
        contents=contents,
        passwords=passwords,
        found=found,
        sentences=list(
            sentences(found, passwords=passwords, hits=hits, incomplete=sum(figures.reasons.values()))
        ),
        rows=_ROWS,
        medium=MEDIUM,
        high=HIGH,
        **more,
    )


def _charts(figures: Figures, bars: list[Bucket]) -> dict[str, list[Chart]]:
    """The charts by name; empty where there is nothing to draw."""
    charts: dict[str, list[Chart]] = {"mails": [], "bytes": []}
    if bars:
        labels = [bar.label for bar in bars]
        mails = [[bar.complete for bar in bars], [bar.incomplete for bar in bars]]
        charts["mails"] = stacked_bars(labels, mails, count)
        charts["bytes"] = stacked_bars(labels, [[bar.size for bar in bars]], human_size)
    for name, tallies, unknown in (
        ("senders", figures.senders, "(no From)"),
        ("users", figures.users, "(user unknown)"),
        ("types", figures.types, ""),
    ):
        ranked = [(key, tally) for key, tally in _by_mails(tallies) if tally.mails]
        entries = [(cut(key or unknown), tally.mails) for key, tally in ranked[:_BARS]]
        charts[name] = ranking(entries, count) if entries else []
    return charts


def page_environment() -> jinja2.Environment:

    def finalize(value: Any) -> Any:
        # Markup is our own; any other text is made visible, wherever the template puts it.
        return visible(value) if type(value) is str else value

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("zeekpop3.views.report", "."),
        autoescape=True,
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "human": human_size,
        "count": count,
        "cut": cut,
        "stamp": stamp,
        "names": _names,
        "plural": _plural,
    }
    return environment


def _by_mails(tallies: dict[Any, Tally]) -> list[tuple[Any, Tally]]:
    return sorted(tallies.items(), key=lambda entry: (-entry[1].mails, -entry[1].size, str(entry[0])))


def _plural(number: int, noun: str) -> str:
    return f"{count(number)} {noun if number == 1 else noun + 's'}"


def _names(names: Iterable[str], limit: int) -> str:
    """The first names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - limit} more" if len(every) > limit else ""
    return ", ".join(shorten(name, 60) for name in every[:limit]) + more


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

"""Commands that compare the tables with other data: hunt (indicators) and verify (DKIM keys)."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import BadParameter, Exit, Option

from zeekpop3.cli.options import Directory, FormatOptions, command, exclusive, local_path
from zeekpop3.cli.output import Problems, print_table, say, write
from zeekpop3.errors import ZeekPop3Error
from zeekpop3.views.text import plural, row_lines
from zeekpop3.views.which import Span

if TYPE_CHECKING:
    from zeekpop3.detect.search import Hits

_SHOWN_PROBLEMS = 10
_VERDICT_COLUMNS = ("ts", "mail", "result", "domain", "selector", "aligned", "from_address", "reason")
_COMPARED_COLUMNS = ("ts", "mail", "result", "reason")
_UNDECIDED_COLUMNS = ("ts", "mail", "user", "subject", "missing_bytes", "reason")


@command(
    "zeekpop3 hunt tables --indicators feed.intel --indicators hashes.txt",
    "zeekpop3 hunt tables --indicators feed.intel --new --json",
)
def hunt(
    directory: Directory,
    *,
    indicators: Annotated[
        list[Path] | None,
        Option(
            "--indicators",
            "-i",
            metavar="FILE",
            help="List of indicators: a Zeek intel file, CSV with a header, a STIX bundle, or one per line. "
            "`-`: standard input. Repeatable.",
        ),
    ] = None,
    yara: Annotated[
        list[Path] | None,
        Option(metavar="RULES", help="File of YARA rules for messages and decoded attachments. Repeatable."),
    ] = None,
    output: FormatOptions,
    write_hits: Annotated[
        bool, Option("--write", help="Also add the hits to the table hits, each once.")
    ] = False,
    new: Annotated[
        bool, Option("--new", help="Show only hits that are not yet in the table hits, and add them to it.")
    ] = False,
    undecided: Annotated[
        bool, Option("--undecided", help="List the mails that cannot be ruled out, not the hits.")
    ] = False,
    select: Span,
) -> None:
    """Search the mails for indicators: addresses, domains, URLs, IP addresses, hashes, file names, users.

    A domain also matches the names below it, a network the addresses in it, a URL without a query the same
    with one. Messages inside messages, and files in archives, are searched too. The type of a value without
    one is recognised; defanged forms (hxxp, [.]) are understood. Types that mail cannot show (CERT_HASH,
    PUBKEY_HASH) are skipped.

    A mail without a hit is ruled out only if all of its bytes were captured, and all of it that may hold the
    indicator was opened. The summary on stderr counts the others; --undecided lists them with the reason.
    """
    from zeekpop3.detect.search import new_hits, search
    from zeekpop3.views.find import ABOUT_MAIL, hits_with_mails, span_filters
    from zeekpop3.views.show import hit_lines

    exclusive("--new", new, "--undecided", undecided)
    if not indicators and not yara:
        raise BadParameter("give a list: --indicators FILE or --yara RULES")
    skipped = Problems(most=_SHOWN_PROBLEMS)
    others = Counter[str]()
    filters = span_filters(directory, **select)
    found = search(
        directory, indicators or [], rules=yara or [], filters=filters, on_error=skipped, others=others
    )
    if skipped.count > _SHOWN_PROBLEMS:
        say(f"zeekpop3: {plural(skipped.count - _SHOWN_PROBLEMS, 'more line')} skipped")
    with new_hits(directory, found.table) if new or write_hits else nullcontext(found.table) as added:
        shown = found.undecided if undecided else added if new else found.table
        if undecided:
            _print_rows(shown.to_pylist(), shown.column_names, _UNDECIDED_COLUMNS, output)
        else:
            hits = hits_with_mails(directory, shown)
            columns = (*shown.column_names, *ABOUT_MAIL)
            write(
                row_lines(columns, (hit.values() for hit in hits), csv=output.csv)
                if output.json or output.csv
                else hit_lines(hits)
            )
        sys.stdout.flush()
    note = f"; {plural(added.num_rows, 'new hit')} added to the table hits" if new or write_hits else ""
    say(f"{_summary(found)}{note}")
    if others:
        listed = ", ".join(f"{count} {name}" for name, count in sorted(others.items()))
        say(f"Not searched, because mail does not show such values: {listed}.")
    if found.unseen.encrypted:
        encrypted = plural(found.unseen.encrypted, "session")
        say(f"{encrypted} switched to TLS (STLS): what was fetched then is encrypted, and was not searched.")
    if found.unseen.unread:
        unread = f"{plural(found.unseen.unread, 'session')} ({', '.join(found.unseen.defects)})"
        say(f"Not read completely: {unread}. They may have fetched mails that are in no table.")
    skipped.finish()


def _summary(found: Hits) -> str:
    """The numbers of a search, in a sentence."""
    others = f" and {plural(found.connections, 'connection')} without mails" if found.connections else ""
    where = f"{found.with_hits} of {plural(found.searched, 'mail')}{others}"
    undecided = f"{found.undecided.num_rows} cannot be ruled out"
    return f"{plural(found.table.num_rows, 'hit')} in {where}; {found.ruled_out} ruled out; {undecided}"


@command(
    "zeekpop3 verify tables --dns dns.log",
    "zeekpop3 verify tables --dns dns.log --keys dkim-keys.json --csv",
    "zeekpop3 verify tables --pcap traffic.pcap",
)
def verify(
    directory: Directory,
    *,
    dns: Annotated[
        list[str] | None,
        Option(metavar="LOG", help="Zeek's dns.log, or a folder or a glob of them. Repeatable."),
    ] = None,
    keys: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            help="File of keys: read if it exists; the keys found in --dns are added to it.",
            callback=local_path,
        ),
    ] = None,
    pcap: Annotated[
        list[Path] | None,
        Option(metavar="FILE", help="Compare the mails with this capture instead. Repeatable."),
    ] = None,
    zeek: Annotated[
        str | None, Option(metavar="PROGRAM", help="The zeek to run (default: the one on PATH).")
    ] = None,
    select: Span,
    output: FormatOptions,
) -> None:
    """Verify the DKIM signatures of the mails, with keys that Zeek saw in DNS answers; or the mails' bytes.

    One result for each signature: pass, partial (l= leaves out the end of the body, where anyone may add
    text), fail, no key, or unclear (the mail is not exact and whole, or mail programs read it differently).
    A pass proves that the holder of the domain's key signed the body and the listed header fields, and is
    about the author only if the domain is that of From (aligned). Who can forge DNS answers can forge a pass.

    --pcap: Zeek reads the captures again. Bytes, hash, size, connection, time, command, number and user are
    compared. Each mail that differs, is missing, or cannot be compared is listed; the exit code is then 1.
    """
    from zeekpop3.detect.keys import Keys, keys_of_dns_log, read_keys, write_keys
    from zeekpop3.detect.verify import RESULTS, Verdict
    from zeekpop3.detect.verify import verify as verdicts
    from zeekpop3.views.find import span_filters

    if pcap:
        exclusive("--pcap", pcap, "--dns or --keys", dns or keys)
        _compare(directory, pcap, zeek, select, output)
        return
    saved = keys is not None and keys.exists()
    if not dns and not saved:
        raise BadParameter("give Zeek's dns.log, keys, or a capture: --dns LOG, --keys FILE or --pcap FILE")
    problems = Problems()
    known = Keys(read_keys(keys) if keys is not None and saved else ())
    for log in dns or []:
        try:
            for key in keys_of_dns_log(log):
                known.add(key)
        except ZeekPop3Error as error:
            problems(error)
    if keys is not None and dns:
        write_keys(keys, known)
    found = verdicts(directory, known, span_filters(directory, **select))
    _print_rows([verdict._asdict() for verdict in found], Verdict._fields, _VERDICT_COLUMNS, output)
    counts = _counts([verdict.result for verdict in found], RESULTS, ("pass", "fail", "no key"))
    say(f"{plural(len(found), 'signature')}: {counts}; {plural(len(known), 'key')} known")
    problems.finish()


def _compare(
    directory: Path, captures: list[Path], zeek: str | None, select: Span, output: FormatOptions
) -> None:
    """Print the comparisons: all as JSON or CSV, for people those of mails that are not the same."""
    from zeekpop3.detect.compare import RESULTS, Comparison, compare
    from zeekpop3.views.find import span_filters

    problems = Problems()
    found, unknown = compare(
        directory, captures, span_filters(directory, **select), zeek=zeek, on_error=problems
    )
    bad = [one for one in found if one.result != "same"]
    shown = found if output.json or output.csv else bad
    _print_rows([one._asdict() for one in shown], Comparison._fields, _COMPARED_COLUMNS, output)
    more = f"; {unknown} in the captures and not among them" if unknown else ""
    counts = _counts([one.result for one in found], RESULTS, RESULTS[:3])
    say(f"{plural(len(found), 'mail')}: {counts}{more}")
    problems.finish()
    if bad:
        raise Exit(1)


def _counts(results: list[str], known: Sequence[str], always: Sequence[str]) -> str:
    """How often each of the `known` results occurs, in their order: those that do, and some `always`."""
    number = Counter(results)
    return ", ".join(f"{number[one]} {one}" for one in known if number[one] or one in always)


def _print_rows(
    rows: list[dict[str, Any]], columns: Sequence[str], shown: Sequence[str], output: FormatOptions
) -> None:
    """Rows with all columns as JSON or CSV, or the columns `shown` as a table; `mail` is UID/DEPTH."""
    if output.json or output.csv:
        write(row_lines(columns, (row.values() for row in rows), csv=output.csv))
    elif rows:
        named = [{**row, "mail": f"{row['uid']}/{row['trans_depth']}"} for row in rows]
        print_table(shown, [[row[name] for name in shown] for row in named])

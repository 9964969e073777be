"""All hostile dialogues, as one capture; and what is wrong with what came of one.

python tests/support/hostile.py      records fixtures/hostile/ with the Zeek on PATH
"""

from __future__ import annotations

import base64
import gzip
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from support import hostile_logins, hostile_tcp, hostile_transfers  # noqa: E402
from support.dialogues import Outcome, fed  # noqa: E402
from support.hostile_dialogues import Case, packets_of  # noqa: E402
from support.traffic import eventlog, pcap, record, tcp  # noqa: E402
from zeekpop3.session import Rows  # noqa: E402
from zeekpop3.zeek import program  # noqa: E402

CASES = [*hostile_logins.CASES, *hostile_transfers.CASES]
FORMS = ("plain", "exact")
OPTIONS = {"exact": ["Pop3Events::exact_ports+={995/tcp}"], "plain": []}
PLAIN_LIMITS = {
    "USER with a NUL",  # Zeek cuts it there
    *("noise instead of LIST", "+OKAY", "a plus alone", "no status at all"),  # Zeek is one response late
    *("a mail ends LF, dot, CRLF", "a mail ends text, dot, CRLF", "a mail of bare LF"),
    *("LF, dot, CRLF in the middle of a mail", "a mail breaks off within a line"),
    *("NOOP answered within a mail", "single dots"),
    "RETR 1 not answered, other sizes listed",  # trimmed lines have other sizes
    *("XOAUTH2, asked again", "SCRAM, initial, name asked again"),  # mechanisms that it does not know
    "an empty line before RETR, pipelined",  # it does not count empty lines
    *(f"one line for the server, {what}" for what in ("NOOP and RETR 7", "NOOP and TOP 7", "pipelined")),
    *(f"one line for the server, {what}" for what in ("many pipelined", "APOP")),  # LF ends its lines
    *("a long line is two for the server, pipelined", "a long line among many"),  # to it, all are one
}
"""Where Zeek's analyzer is deceived, and the plain form with it."""


def write_capture(path: Path) -> None:
    """All cases as one capture: case N comes from the client's port 20000 + N."""
    pcap.write(path, tcp.interleave(*(packets_of(case, number) for number, case in enumerate(CASES))))


def log_of_zeek(form: str) -> bytes:
    """The event log that Zeek writes of all cases."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_capture(folder / "hostile.pcap")
        record.zeek(folder / "hostile.pcap", form, folder, *OPTIONS[form])
        log = (folder / "pop3_events.log").read_bytes()
        return record.NOISE.sub(rb"#\1\t2024-01-01-00-00-00", log)


def tcp_log_of_zeek() -> bytes:
    """The event log (exact form) that Zeek writes of all cases of hostile_tcp."""
    cases = (hostile_tcp.numbered(case, number) for number, case in enumerate(hostile_tcp.CASES))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pcap.write(folder / "tcp.pcap", tcp.interleave(*cases))
        record.zeek(folder / "tcp.pcap", "exact", folder, program.COMPARED)
        log = (folder / "pop3_events.log").read_bytes()
        return record.NOISE.sub(rb"#\1\t2024-01-01-00-00-00", log)


def recorded(form: str) -> Path:
    return ROOT / "fixtures" / "hostile" / f"{form}.log.gz"


def rows_by_case(path: Path) -> dict[int, Rows]:
    """The rows of each case, by its number."""
    found = eventlog.read_log(path).values()
    return {rows.conn_id.orig_p - 20000: rows for rows in found if rows.conn_id is not None}


def rows_by_tcp_case(path: Path) -> dict[int, list[Rows]]:
    """The rows of the connections that each case of hostile_tcp became, by its number."""
    found: dict[int, list[Rows]] = {}
    for rows in eventlog.read_log(path).values():
        assert rows.conn_id is not None
        port = max(rows.conn_id.orig_p, rows.conn_id.resp_p)
        found.setdefault(port - hostile_tcp.FIRST_PORT, []).append(rows)
    return found


def leaks(case: Case, rows: Rows) -> list[str]:
    """Secrets in the log, apart from the server's own bytes: in clear, in base64 at any place of a group."""
    text = b"\n".join(data for kind, data in zip(rows.kind, rows.data, strict=True) if kind != "contents")
    text += "\n".join(filter(None, rows.command)).encode()
    wanted = [secret.encode() for secret in case.secrets]
    forms = [form for one in wanted for form in (one, *(_shifted(one, shift) for shift in range(3)))]
    return [f"secret in the log: {form!r}" for form in forms if form in text]


def _shifted(secret: bytes, shift: int) -> bytes:
    """The middle of the base64 of a secret with `shift` bytes before it."""
    return base64.b64encode(b"x" * shift + secret)[4 if shift else 0 : -4]


def faults(case: Case, rows: Rows | None, form: str) -> list[str]:
    """What is wrong in the log of a case, and with the mails and the session that come of it."""
    exact = form == "exact" and case.port != 1110
    if rows is None:
        return ["no rows"] if exact else []
    found = [] if _is_limit(case, exact) else leaks(case, rows)
    outcome = fed([rows])
    found += _mails(case, outcome, exact)
    session = outcome.session
    wanted = {
        "user": case.user, "users_refused": list(case.refused), "auth_mechanism": case.mechanism,
        "tls": case.tls, "authenticated_as": case.other,
    }  # fmt: skip
    if not exact or case.lost or (case.mails and all(mail.marked for mail in case.mails)):
        # What is unknown may be missing.
        if session.user not in (case.user, None) and not _is_limit(case, exact):
            found.append(f"user {session.user!r}, not {case.user!r}")
        return found
    return found + [
        f"{name} {getattr(session, name)!r}, not {value!r}"
        for name, value in wanted.items()
        if getattr(session, name) != value
    ]


def _is_limit(case: Case, exact: bool) -> bool:
    return not exact and re.sub(r", \d at a time$", "", case.name) in PLAIN_LIMITS


def _mails(case: Case, outcome: Outcome, exact: bool) -> list[str]:
    left, found = list(case.mails), []
    sure = [mail for mail in outcome.transfers if mail.complete and not mail.defects]
    certain = exact and not case.lost
    for mail in outcome.transfers:
        match = next(
            (
                one
                for one in left
                if one.body == mail.raw
                and (mail.msg_num == one.number or (mail.msg_num is None and not exact))
                and (mail.user == one.user or (mail.user is None and (one.marked or not certain)))
            ),
            None,
        )
        if match is None and mail not in sure:
            match = next((one for one in left if one.marked), None)
        if match is not None:
            left.remove(match)
        elif mail in sure and not _is_limit(case, exact):
            found.append(f"wrongly whole: number {mail.msg_num}, user {mail.user}, {mail.raw[:40]!r}")
    if certain:
        have = [
            (mail.msg_num, mail.user, mail.complete, mail.defects, mail.raw[:30])
            for mail in outcome.transfers
        ]
        found += [
            f"missing: {one} in {have}" for one in left if not one.marked or len(have) < len(case.mails)
        ]
    return found


def main() -> int:
    for form in FORMS:
        recorded(form).parent.mkdir(exist_ok=True)
        recorded(form).write_bytes(gzip.compress(log_of_zeek(form), mtime=0))
    recorded("tcp").write_bytes(gzip.compress(tcp_log_of_zeek(), mtime=0))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

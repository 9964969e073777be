# ruff: noqa: E501  # questions are data: one stands on few lines
"""What one asks about `support/traffic/firm.py`, question by question: the answers are what was planted."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from support.program import program
from support.traffic import firm
from support.traffic.firm import CLIENTS, CYRILLIC, HOSTER, LETTERS, NAMES, OWN, SERVER, SPRAY, THIEF
from zeekpop3.store.filters import Filters
from zeekpop3.views.queries import READY_QUERIES, query_sql
from zeekpop3.views.report.summary import answers, sentences
from zeekpop3.views.sql import Database

WAVE = ["anna", "cora", "finn", "hugo", "jana@kontor.example"]
USERS = sorted(f"{name}@{OWN}" if name in firm.AT_HOSTER else name for name in NAMES)
SPRAYERS = [f"{SPRAY}{10 + day}" for day in range(7)]
_READY = re.compile(r"\{([a-z-]+)\}")


class Asked(NamedTuple):
    """The tables, with Zeek's other logs beside them; `suspicious` is a table."""

    out: Path
    logs: dict[str, Path]
    database: Database


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("firm")
    out, logs = firm.make_tables(folder), firm.write_logs(folder)
    with Database(out, logs) as database:
        database.ask(f"create temp table suspicious as {query_sql('suspicious', own=[OWN])}")
        yield Asked(out, logs, database)


def answer(asked: Asked, statement: str) -> list[Any]:
    """The first column of an answer, or all columns as tuples; `{name}` in the statement is a ready query."""

    def ready(match: re.Match[str]) -> str:
        return f"({query_sql(match[1], asked.logs, own=[OWN], suspicious='from suspicious')})"

    rows = asked.database.ask(_READY.sub(ready, statement)).rows
    return [row[0] if len(row) == 1 else row for row in rows]


def why(subject: str) -> str:
    return f"select distinct split_part(unnest(reasons), ': ', 1) from suspicious where subject = '{subject}' order by 1"


#: What is asked, in SQL over tables and ready queries, and the answer.
QUESTIONS: dict[str, tuple[str, list[Any]]] = {
    # -- who, where, how many
    "how many mails were fetched": ("select count(*) from emails", [len(LETTERS) + 17 + 15 - 1]),
    "how many different ones": ("select count(distinct sha256) from emails", [len({x.raw for x in LETTERS})]),
    "is any incomplete": ("select count(*) from {incomplete}", [0]),
    "who logged in": ("select distinct lower(s.user) from sessions s where s.user is not null order by 1", USERS),
    "at which servers": ("select distinct id_resp_h from sessions order by 1", sorted((SERVER, HOSTER))),
    "who uses the hoster": (
        f"select distinct lower(s.user) from sessions s where id_resp_h = '{HOSTER}' and s.user is not null order by 1",
        [f"ivo@{OWN}", f"jana@{OWN}"],
    ),
    "how many sessions": ("select count(*) from sessions", [10 * 10 + 10 * 7 + 1 + 2]),
    "how many days": ("select count(distinct day) from emails", [10]),
    "whose password was readable": (
        '''select distinct "user" from {clear-text-logins} where logins > 0 order by 1''', USERS,
    ),
    "by which mechanism": ("select distinct mechanism from {clear-text-logins}", ["USER"]),
    "who writes most": ("select sender from {top-senders} limit 1", ["Wochenschau <news@wochenschau.example>"]),
    "how many newsletters": ("select count(*) from emails where from_site = 'wochenschau.example'", [58]),
    "what is listed and was not fetched": ("select * from {unfetched}", []),
    "who sends the newsletter": (
        "select distinct from_site from emails where subject = 'Week 44'", ["wochenschau.example"],
    ),
    # -- logins
    "who tried many users": ("select client from {same-client} where refusals > 2 order by 1", SPRAYERS),
    "how many users each day": ("select distinct len(refused_as) from {same-client} where refusals > 2", [10]),
    "how often in all": ("select sum(refusals)::int from {same-client}", [70]),
    "did the sprayers get in": ("select sum(users)::int from {same-client} where refusals > 2", [0]),
    "who shares a machine": (
        "select client, logged_in_as from {same-client} where refusals = 0 order by 1",
        [(CLIENTS["dirk"], ["dirk", "gina"]), (CLIENTS["finn"], ["finn", "hugo"])],
    ),
    "which mailboxes have a second client": (
        '''select distinct "user" from {second-client} order by 1''', ["gina", f"jana@{OWN}"],
    ),
    "from where is Jana's read": (
        '''select client, fetched from {second-client} where "user" like 'jana%' order by first''',
        [(CLIENTS["jana"], 20), (THIEF, 15)],
    ),
    "from where is Gina's read": (
        '''select client, fetched, deleted from {second-client} where "user" = 'gina' order by first''',
        [(CLIENTS["gina"], 20, 0), (CLIENTS["dirk"], 17, 1)],
    ),
    "who mistyped her password": (
        '''select "user" from {logins} where refused = 1 and accepted > 1''', ["elif"],
    ),
    "what did the insider delete": (
        "select client, subject, final from {deleted}", [(CLIENTS["dirk"], "Papers of the ship", True)],
    ),
    "had its owner read it": (
        f"select count(*) from emails where subject = 'Papers of the ship' and id_orig_h = '{CLIENTS['gina']}'", [0],
    ),
    "when did the thief come": (f"select count(*) from sessions where id_orig_h = '{THIEF}'", [1]),
    "what did the thief see of Gina": (f"select count(*) from emails e where id_orig_h = '{THIEF}' and e.user = 'gina'", [0]),
    "whom was the sprayer's last day for": (
        f'''select count(distinct "user") from {{logins}} where client = '{SPRAY}16' and refused = 1''', [10],
    ),
    "who deletes mails": ('''select distinct "user" from {deleted}''', ["gina"]),
    "who offers TLS and is not asked for it": ("select count(*) from {starttls}", [0]),
    # -- what costs money
    "what is worst": ("select severity from suspicious order by score desc limit 1", ["high"]),
    "which thread has a stranger": (
        "select subject from suspicious where list_contains(reasons, "
        "'stranger in a thread: stahlbau.test for stahlbau.example')",
        ["Re: Order 88: steel beams"],
    ),
    "how serious is it": ("select distinct severity from suspicious where subject like 'Re: Order 88%'", ["high"]),
    "whose account changed": (
        "select distinct sender from suspicious where array_to_string(reasons, ' ') like '%account changed%' order by 1",
        ["o.ott@stahlbau.example", "o.ott@stahlbau.test"],
    ),
    "to which account": (
        "select distinct regexp_extract(array_to_string(reasons, ' '), 'now (\\w+)', 1) from suspicious "
        "where array_to_string(reasons, ' ') like '%account changed%'",
        [firm.OTHER_IBAN.replace(" ", "")],
    ),
    "which partner is forged": (
        "select distinct sender from suspicious where array_to_string(reasons, ' ') like '%not confirmed, as before%' order by 1",
        ["gina@kontor.example", "o.ott@stahlbau.example", "service@hafenbank.example"],
    ),
    "who wrote as the chief": (
        "select sender from suspicious where array_to_string(reasons, ' ') like '%gina@kontor.example used by%' order by 1",
        ["gina.graf.ceo@webpost.test", "x@mailer7.test"],
    ),
    "which invitation has the firm's name": (
        "select subject from suspicious where array_to_string(reasons, ' ') like '%organizer with an own name%'", ["Salary review"] * 2,
    ),
    "what did it say": (
        "select distinct i.organizer, i.start, i.place from (select unnest(invitation) as i from emails where subject = 'Salary review')",
        [("hr@meet9.test", "2023-11-20T09:00:00Z", "https://meet9.test/join")],
    ),
    "who is invited by the partner": (
        "select distinct i.organizer_name from (select unnest(invitation) as i from emails where subject like 'Visit%')", ["Olga Ott"],
    ),
    "which number is to be called": (
        "select split_part(reasons[1], ': ', 2) from suspicious where subject = 'Order 5512'", ["+49 40 5550 1234"],
    ),
    "who answers in the tender's thread under a known name": (
        "select sender from suspicious where subject = 'Re: Tender for the pier'", ["pit.post@webpost.test"],
    ),
    "who is in that thread": (
        "select distinct from_address from emails where thread_id = '<tender-5@reederei.example>' order by 1",
        ["ida@neukunde.example", "pit.post@webpost.test", "pit@reederei.example"],
    ),
    "which of two accounts came first": (
        "select from_address from emails where contains(text, 'IBAN') order by ts limit 1", ["o.ott@stahlbau.example"],
    ),
    # -- reasons of single mails
    "why: chief": (why("Are you there?"), ["display name of somebody here"]),
    "why: look-alike": (why("Maintenance"), ["sender looks like an own site"]),
    "why: own host": (
        why("Sign the form"), ["first mail of this sender, with a link", "link looks like an own site"],
    ),
    "why: bare address": (why("Shared"), ["first mail of this sender, with a link", "link to a bare address"]),
    "why: coded address": (
        why("Shared too"),
        ["display name of another address", "first mail of this sender, with a link", "link to a coded address"][1:],
    ),
    "why: base": (why("Your form"), ["base of links elsewhere", "first mail of this sender, with a link"]),
    "why: share": (why("Minutes"), ["first mail of this sender, with a link", "link to a share"]),
    "why: search": (why("Papers"), ["first mail of this sender, with a link", "link to a share"]),
    "why: password": (
        why("Claim 8"), ["encrypted file", "first mail of this sender", "password beside an encrypted file", "script"],
    ),
    "why: invisible": (why("Your pass\u200bword"), ["invisible characters in words"]),
    "why: fax": (why("Fax"), ["first mail of this sender, with a link", "only a document with a link"]),
    "why: offer": (
        why("Offer"), ["first mail of this sender, with a link", "only a document with a link", "remote template"],
    ),
    "why: German phish": (why("Warnung"), ["first mail of this sender, with a link", "warning with a link elsewhere"]),
    "why: French phish": (why("Avis"), ["first mail of this sender, with a link", "warning with a link elsewhere"]),
    "why: portal": (
        why("Timesheet"), ["first mail of this sender, with a link", "link shows an own site", "link shows another site"],
    ),
    "why: false host": (why("Your parcel"), ["first mail of this sender, with a link", "link with a false host"]),
    "why: application": (
        why("Application"), ["first mail of this sender", "program", "program with another name"],
    ),
    "why: order": (why("Order"), ["double extension", "first mail of this sender", "program"]),
    "why: shortcut": (why("Papers of the ship"), ["first mail of this sender", "shortcut"]),
    "why: voice": (why("Voice message"), ["attached page", "first mail of this sender", "first mail of this sender, with a link"]),
    "why: form": (why("Survey"), ["first mail of this sender, with a link", "form that asks for a password"]),
    "why: macros": (why("Plan"), ["document with macros", "first mail of this sender"]),
    "why: message inside": (why("Fwd: look"), ["link shows another site", "message inside"]),
    # -- sites, waves, clicks
    "which sites look like others": (
        "select site, similar_to from {look-alikes} where reason <> 'contains the name' order by 1",
        [(CYRILLIC.encode().decode("idna"), "hafenbank.example"), ("k0ntor.example", OWN), ("login3.test", OWN),
         ("stahlbau.test", "stahlbau.example")],
    ),
    "how is the Cyrillic one written": ("select ascii from {look-alikes} where ascii is not null", [f"hafenb\u0430nk.example ({CYRILLIC})"]),
    "which relative has the firm's name": (
        "select site from {look-alikes} where reason = 'contains the name'", ["kontor-stiftung.example"],
    ),
    "whom did the wave reach": ("select reached from {campaigns} limit 1", [WAVE]),
    "who opened its link": ("select clicked from {campaigns} limit 1", [["anna"]]),
    "who visited its host": ("select visited_host from {campaigns} limit 1", [["cora"]]),
    "did Finn's machine": ("select count(*) from {clicks} where client = '" + CLIENTS["finn"] + "'", [0]),
    "how many senders had it": ("select senders, mails from {campaigns} limit 1", [(5, 5)]),
    "what do its mails share": ("select list_contains(shared, 'link template') from {campaigns} limit 1", [True]),
    "which waves are serious": ("select subject from {campaigns} where score >= 40 order by 1", ["Application", "Delivery 4400 for anna"]),
    "who went to the German phish": (
        '''select "user", match from {clicks} where subject = 'Warnung' ''', [("elif", "server name")],
    ),
    "is Anna's visit a click": ('''select match from {clicks} where "user" = 'anna' ''', ["URL"]),
    "which file came to two people": (
        "select reached from {campaigns} where list_contains(shared, 'attachment') and score >= 40", [["cora", "hugo"]],
    ),
    "by which hash": (
        "select distinct sha256 from attachments where filename in ('Lebenslauf.pdf', 'order.pdf.exe')",
        [hashlib.sha256(firm.PROGRAM).hexdigest()],
    ),
    "which types are new on the last day": (
        "select extension from {new-attachment-types} where days_before = 9 order by 1", ["(none)", "docm"],
    ),
    "who are the lists": (
        "select distinct from_address from emails where len(list_filter(headers, lambda h: h.name = 'List-Id')) > 0", ["hafen@lists.example"],
    ),
    "is a list accused": ("select count(*) from suspicious where sender = 'hafen@lists.example'", [0]),
    "is a newsletter accused": ("select count(*) from suspicious where sender = 'news@wochenschau.example'", [0]),
    "is Elif's private address": ("select count(*) from suspicious where sender = 'elif.erden@freemail.example'", [0]),
    "is the lawyer": ("select count(*) from suspicious where sender = 'recht@kanzlei.example'", [0]),
    "is the new member of a thread": ("select count(*) from suspicious where sender = 'ida@neukunde.example'", [0]),
    "is the bank's statement": ("select count(*) from suspicious where subject like 'Statement _'", [0]),
    "is the charity serious": ("select count(*) from suspicious where sender like '%stiftung%' and severity <> 'low'", [0]),
}  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS)
def test_questions(asked: Asked, question: str) -> None:
    statement, want = QUESTIONS[question]
    assert answer(asked, statement) == want


def test_there_are_enough_questions_mails_and_kinds() -> None:
    assert len(QUESTIONS) >= 80 and len(LETTERS) >= 300
    assert len({letter.attack for letter in LETTERS if letter.attack}) >= 30
    assert {name for statement, _ in QUESTIONS.values() for name in _READY.findall(statement)} <= set(
        READY_QUERIES
    )


def test_precision_and_recall(asked: Asked) -> None:
    """Of the mails that are called high, of those called high or medium, of all; over copies, as one reads them."""
    attacks = {hashlib.sha256(letter.raw).hexdigest() for letter in LETTERS if letter.attack}
    levels = "select e.sha256, s.severity from emails e left join suspicious s on s.mail = e.uid || '/' || e.trans_depth"
    found = Counter((severity, digest in attacks) for digest, severity in asked.database.ask(levels).rows)
    total = sum(count for (_, attack), count in found.items() if attack)
    told = [0, 0]
    for level, precision, recall in (("high", 0.95, 0), ("medium", 0.85, 0.80), ("low", 0.6, 0.93)):
        told = [told[0] + found[level, False], told[1] + found[level, True]]
        assert told[1] / sum(told) >= precision, (level, found)
        assert told[1] / total >= recall, (level, found)


# -- the page ------------------------------------------------------------------------------------------


def said(asked: Asked) -> list[str]:
    found = answers(asked.out, Filters(), asked.logs, (OWN,))
    return list(sentences(found, passwords=10, hits=0, incomplete=0))


@pytest.mark.slow
def test_the_page_says_what_happened_who_is_affected_what_to_do(asked: Asked) -> None:
    text = "\n".join(said(asked))
    for part in (
        "5 users received “Delivery 4400 for anna”",
        "1 user opened its link (anna); 1 user visited its host (cora).",
        "first look at “Re: Order 88: steel beams” to anna (stranger in a thread: stahlbau.test for stahlbau.example).",
        "To do: anna and ben should pay nothing",
        "change the passwords of anna, who opened a link of a wave",
    ):
        assert part in text, text


@pytest.mark.slow
def test_no_innocent_person_is_named_as_an_attacker(asked: Asked) -> None:
    """No sentence names a partner whose address was forged without saying so; none says that a mail is from one
    of the own people, unless the server confirmed it."""
    innocent = [f"{name}@{OWN}" for name in NAMES] + ["o.ott@stahlbau.example", "service@hafenbank.example"]
    for sentence in said(asked):
        for address in innocent:
            assert f"from {address}" not in sentence
            assert address not in sentence or "forged" in sentence or address.startswith("jana"), sentence


@pytest.mark.slow
def test_commands_answer_as_well(asked: Asked) -> None:
    """What one types: a mail in full with its invitation, the timeline of the thief, the page."""
    shown = program("show", asked.out, "--from", "meet9.test", "--csv").stdout
    assert shown.count("Salary review") == 2
    told = program("timeline", asked.out, "--ip", THIEF, "--own", OWN).stdout
    assert "logged in with USER, in clear text" in told and "jana@kontor.example" in told
    page = asked.out.parent / "page.html"
    done = program("report", asked.out, "-o", page, "--own", OWN)
    assert done.returncode == 0, done.stderr
    assert "high or medium" in page.read_text("utf-8")

"""No secret gets into the log, in clear or in base64, whatever the client's way of sending it."""

from __future__ import annotations

import base64

import pytest

from support.traffic import damage, tcp
from support.traffic.pcap import Packet
from support.zeek_runs import Result, Zeek

pytestmark = pytest.mark.zeek

SECRET = "Sesam_41!x"
FORMS = ["plain", "exact"]
SCRIPT = {"plain": ".", "exact": "exact.zeek"}


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def talk(*turns: tuple[str, str], greeting: str = "+OK ready <1.2@x>") -> list[Packet]:
    """A session: each client line with the server's answer; STAT and QUIT at the end."""
    steps = [(False, greeting.encode() + b"\r\n")]
    for line, answer in (*turns, ("STAT", "+OK 1 2"), ("QUIT", "+OK bye")):
        steps += [(True, line.encode() + b"\r\n"), (False, answer.encode() + b"\r\n")]
    return tcp.Connection().play(steps).packets


LOGINS = {
    "pass": [("USER lisi", "+OK"), (f"PASS {SECRET}", "+OK in")],
    "pass, lower case": [("user lisi", "+OK"), (f"pass  {SECRET}", "+OK in")],
    "pass, refused": [("USER lisi", "+OK"), (f"PASS {SECRET}", "-ERR no"), (f"PASS {SECRET}", "-ERR no")],
    "pass, unasked": [(f"PASS {SECRET}", "-ERR no"), ("USER lisi", "+OK"), (f"PASS {SECRET}", "+OK in")],
    "apop": [(f"APOP lisi {SECRET}", "+OK in")],
    "apop, no name": [(f"APOP {SECRET}", "-ERR no")],
    "plain": [("AUTH PLAIN", "+ "), (b64(f"\0lisi\0{SECRET}"), "+OK in")],
    "plain, initial": [(f"AUTH PLAIN {b64(chr(0) + 'lisi' + chr(0) + SECRET)}", "+OK in")],
    "plain, lower case": [(f"auth plain {b64(chr(0) + 'lisi' + chr(0) + SECRET)}", "+OK in")],
    "plain, empty initial": [("AUTH PLAIN =", "+ "), (b64(f"\0lisi\0{SECRET}"), "+OK in")],
    "plain, no base64": [(f"AUTH PLAIN {SECRET}", "-ERR no")],
    "plain, no name": [(f"AUTH PLAIN {b64(SECRET)}", "-ERR no")],
    "login": [("AUTH LOGIN", "+ VXNlcm5hbWU6"), (b64("lisi"), "+ UGFzc3dvcmQ6"), (b64(SECRET), "+OK in")],
    "login, initial": [(f"AUTH LOGIN {b64('lisi')}", "+ UGFzc3dvcmQ6"), (b64(SECRET), "+OK in")],
    "login, empty name": [("AUTH LOGIN", "+ VXNlcm5hbWU6"), ("", "+ UGFzc3dvcmQ6"), (b64(SECRET), "-ERR no")],
    "login, refused": [
        ("AUTH LOGIN", "+ VXNlcm5hbWU6"),
        (b64("lisi"), "+ UGFzc3dvcmQ6"),
        (b64(SECRET), "-ERR no"),
        (f"AUTH LOGIN {b64('lisi')}", "+ UGFzc3dvcmQ6"),
        (b64(SECRET), "-ERR no"),
    ],
    "xoauth2": [(f"AUTH XOAUTH2 {b64('user=lisi' + chr(1) + 'auth=Bearer ' + SECRET)}", "+OK in")],
    "xoauth2, login inside": [(f"AUTH XOAUTH2 LOGIN{b64(SECRET)}", "+OK in")],
    "login, secret asked first": [("AUTH LOGIN", f"+ {b64('PIN:')}"), (b64(SECRET), "+OK in")],
    "external, secret asked": [("AUTH EXTERNAL", f"+ {b64('PIN:')}"), (b64(SECRET), "+OK in")],
    "token after a refusal": [("AUTH PLAIN", "-ERR no"), (b64(f"\0lisi\0{SECRET}"), "-ERR what?")],
    "unknown mechanism": [(f"AUTH {SECRET}", "-ERR no")],
    "token as mechanism": [(f"AUTH PLAIN{SECRET} x", "-ERR no")],
    "line of its own": [("USER lisi", "+OK"), (SECRET, "-ERR what?"), (f"PASS {SECRET}", "+OK in")],
}


def assert_kept(result: Result, secret: str = SECRET) -> None:
    """The secret is in none of Zeek's logs: not in their text, not in data, not in any base64 of it."""
    logs = [path.read_bytes() for path in result.folder.glob("*.log")]
    data = b"\n".join([*logs, *(row.data for row in result.rows if row.data)])
    forms = [secret.encode(), b64(secret).encode().rstrip(b"=")]
    forms += [b64(shift + secret).encode()[4:-4] for shift in ("x", "xx")]
    assert [form for form in forms if form in data] == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("login", LOGINS)
def test_no_secret_in_the_log(pop3: Zeek, form: str, login: str) -> None:
    """However a client logs in, and whether it succeeds, the log has no trace of the secret."""
    result = pop3.run(talk(*LOGINS[login]), SCRIPT[form])
    assert result.rows
    assert_kept(result)


@pytest.mark.parametrize("form", FORMS)
def test_weird_log_names_the_weird_only(pop3: Zeek, form: str) -> None:
    """Zeek quotes a word that it does not know: the row stays, without it."""
    weird = (pop3.run(talk(*LOGINS["line of its own"]), SCRIPT[form]).folder / "weird.log").read_bytes()
    assert b"\tpop3_client_command_unknown\t-\t" in weird


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("login", "row"),
    [
        ("pass", ("USER", b"lisi")),
        ("apop", ("APOP", b"lisi")),
        ("plain", ("AUTH", b"PLAIN")),
        ("plain, initial", ("AUTH", b"PLAIN lisi")),
        ("plain, lower case", ("AUTH", b"PLAIN lisi")),
        ("login, initial", ("AUTH", b"LOGIN lisi")),
        ("xoauth2", ("AUTH", b"XOAUTH2")),
    ],
)
def test_the_name_is_kept(pop3: Zeek, form: str, login: str, row: tuple[str, bytes]) -> None:
    """The user's name and the mechanism are in the row of the command."""
    assert row in pop3.run(talk(*LOGINS[login]), SCRIPT[form]).brief("request", "sent")


@pytest.mark.parametrize(
    ("login", "user"),
    [("pass", b"lisi"), ("apop", b"lisi"), ("plain, initial", b"lisi"), ("plain", None), ("login", None)],
)
def test_the_name_in_the_login_row(pop3: Zeek, login: str, user: bytes | None) -> None:
    """Plain form: the name is there if a command said it; not what Zeek takes for it."""
    assert pop3.run(talk(*LOGINS[login]), ".").brief("login") == [("success", user)]


@pytest.mark.parametrize("form", FORMS)
def test_the_names_of_two_users(pop3: Zeek, form: str) -> None:
    """SASL PLAIN for somebody else's mailbox: that user, NUL, and who logs in."""
    line = f"AUTH PLAIN {b64(f'victim{chr(0)}master{chr(0)}{SECRET}')}"
    result = pop3.run(talk((line, "+OK in")), SCRIPT[form])
    assert ("AUTH", b"PLAIN victim\0master") in result.brief("request", "sent")
    assert result.brief("login") == ([] if form == "exact" else [("success", b"victim\0master")])
    assert_kept(result)


@pytest.mark.parametrize("login", ["plain", "login"])
def test_the_name_in_a_response(pop3: Zeek, login: str) -> None:
    """Exact form: the first response of a known mechanism says the name."""
    assert pop3.run(talk(*LOGINS[login]), "exact.zeek").brief("sent")[1] == (None, b"lisi")


def test_an_unexpected_token_is_not_quoted(pop3: Zeek) -> None:
    """Zeek quotes an AUTH that it does not know; the row keeps the mechanism."""
    rows = pop3.run(talk(*LOGINS["xoauth2"]), ".").brief("unexpected")
    assert rows == [("AUTH", b"unknown AUTH method XOAUTH2")]


@pytest.mark.parametrize("form", FORMS)
def test_a_loss_lets_no_secret_slip(pop3: Zeek, form: str) -> None:
    """Every way to log in, with any one packet of the login lost: still no secret."""
    sessions = []
    for turns in LOGINS.values():
        for place in range(1, 2 * len(turns) + 2):
            packets = talk(*turns)
            sessions.append(damage.drop(packets, [damage.data_indices(packets)[place]]))
    result = pop3.run(tcp.interleave(*sessions), SCRIPT[form])
    assert len({row.uid for row in result.rows}) > len(LOGINS)
    assert_kept(result)


@pytest.mark.parametrize("form", FORMS)
def test_a_spliced_line_lets_no_secret_slip(pop3: Zeek, form: str) -> None:
    """A loss inside a line makes Zeek join what stands before and after it."""
    connection = tcp.Connection().open().server(b"+OK ready\r\n")
    connection.client(b"CAPA\r\n").server(b"+OK\r\nUSER\r\n.\r\n")
    connection.client(b"USER li\r\nPASS " + SECRET.encode() + b"\r\n", tcp.by_size(8))
    connection.server(b"+OK\r\n+OK in\r\n").client(b"STAT\r\n").server(b"+OK 0 0\r\n").close()
    packets = connection.packets
    for index in damage.data_indices(packets, from_client=True)[1:5]:
        assert_kept(pop3.run(damage.drop(packets, [index]), SCRIPT[form]), SECRET[4:])


def test_a_line_that_is_not_a_command(pop3: Zeek) -> None:
    """In the exact form a line that is not a known command is a row without command and data."""
    sent = pop3.run(talk(*LOGINS["line of its own"]), "exact.zeek").brief("sent")
    assert sent == [("USER", b"lisi"), (None, None), ("PASS", None), ("STAT", None), ("QUIT", None)]


def test_numbers_only_in_sent_rows(pop3: Zeek) -> None:
    """An all-digit password is a password: sent rows keep message numbers, and the name after USER."""
    turns = [
        ("USER 4711", "+OK"),
        ("PASS 4712", "+OK in"),
        ("4712", "-ERR"),
        ("LIST 1", "+OK 1 5"),
        ("uidl 1", "+OK 1 x"),
        ("TOP 1 0", "-ERR"),
        ("DELE x1", "-ERR"),
        ("RETR 1 2", "-ERR"),
        ("DELE  2 ", "+OK"),
    ]
    sent = pop3.run(talk(*turns), "exact.zeek").brief("sent")
    assert sent == [
        ("USER", b"4711"),
        ("PASS", None),
        (None, None),
        ("LIST", b"1"),
        ("UIDL", b"1"),
        ("TOP", b"1 0"),
        ("DELE", None),
        ("RETR", None),
        ("DELE", b"2"),
        ("STAT", None),
        ("QUIT", None),
    ]


def test_an_answer_to_a_challenge_is_not_a_command(pop3: Zeek) -> None:
    """A SASL response that looks like a command is not taken for one; commands after it are."""
    turns = [("AUTH LOGIN", "+ VXNlcm5hbWU6"), ("QUIT", "+ UGFzc3dvcmQ6"), ("STAT", "+OK in")]
    sent = pop3.run(talk(*turns), "exact.zeek").brief("sent")
    assert sent == [("AUTH", b"LOGIN"), (None, None), (None, None), ("STAT", None), ("QUIT", None)]


@pytest.mark.parametrize("form", FORMS)
def test_secrets_on_demand(pop3: Zeek, form: str) -> None:
    """With log_secrets the arguments are there."""
    rows = pop3.run(talk(*LOGINS["pass"]), SCRIPT[form], more=["Pop3Events::log_secrets=T"])
    assert ("PASS", SECRET.encode()) in rows.brief("request", "sent")

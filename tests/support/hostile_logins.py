"""Hostile dialogues about who logs in: secrets where a name should be, logins refused, cut short, lost."""
# ruff: noqa: E501

from __future__ import annotations

import struct

from support.hostile_dialogues import (
    BYE,
    HELLO,
    LOGIN,
    M1,
    SECRET,
    Case,
    b64,
    by,
    c,
    cut_up,
    login,
    losing,
    retr,
    s,
)

REFUSED = c("USER bob") + s("+OK") + c(f"PASS {SECRET}") + s("-ERR no")
PROMPTS = ("+ VXNlcm5hbWU6", "+ UGFzc3dvcmQ6")
JOE, BOB = b64(f"\0joe\0{SECRET}"), b64(f"\0bob\0{SECRET}")
TOKEN = f"user=joe\1auth=Bearer {SECRET}\1\1"


def ntlm(user: str, domain: str, unicode: bool = True) -> bytes:
    """An AUTHENTICATE_MESSAGE ([MS-NLMP], section 2.2.1.3); the secret is where the responses are."""
    code = "utf-16-le" if unicode else "latin-1"
    parts = [SECRET.encode() * 2, SECRET.encode() * 3, domain.encode(code), user.encode(code), b"", b""]
    fields, at = b"", 64
    for part in parts:
        fields += struct.pack("<HHI", len(part), len(part), at)
        at += len(part)
    return b"NTLMSSP\0\3\0\0\0" + fields + struct.pack("<I", unicode) + b"".join(parts)


NTLM_1 = b64(b"NTLMSSP\0\1\0\0\0\7\2\0\0" + b"\0" * 16)
NTLM_2 = "+ " + b64(b"NTLMSSP\0\2\0\0\0" + b"\0" * 36)


def auth(
    name: str, mechanism: str, response: str | bytes, user: str | None, *, known: bool = True, **how: object
) -> list[Case]:
    """A mechanism with and without an initial response."""
    line = b64(response)
    how |= {"user": user, "mechanism": mechanism if known else None}
    return [
        login(f"{name}, initial", c(f"AUTH {mechanism} {line}"), s("+OK in"), **how),
        login(name, c(f"AUTH {mechanism}"), s("+ "), c(line), s("+OK in"), **how),
        login(f"{name}, not awaited", c(f"AUTH {mechanism}", line), s("+ ", "+OK in"), **how),
    ]


SECRET_PROMPTS = {
    "Spanish": b64("Contrase\u00f1a:"), "PIN": b64("PIN:"), "enter": b64("Enter Password:"),
    "blank": b64(" Password:"), "in clear": "Password:", "small": b64("password"), "user": b64("User password"),
    "login": b64("Login password:"), "token": b64("Username token"), "two lines": b64("Username:\r\nPassword:"),
    "not base64": "VXNlcm5hbWU", "nothing": b64(" "), "NUL": b64("\0Username:"), "long": b64("Username:" + " " * 60),
}  # fmt: skip
NAME_PROMPTS = ("", "VXNlcm5hbWU6", b64("User Name\0"), b64("login: "), b64("USERNAME"), b64("user name:"))


def prompts() -> list[Case]:
    """AUTH LOGIN in which the server's first prompt asks for a password, or for a name."""
    asked = [
        login(f"LOGIN, secret asked first, {name}", c("AUTH LOGIN"), s(f"+ {prompt}"), c(b64(SECRET)),
              s("+ VXNlcm5hbWU6"), c(b64("joe")), s("+OK"), user=None, mechanism="LOGIN")
        for name, prompt in SECRET_PROMPTS.items()
    ]  # fmt: skip
    asked += [
        login(f"LOGIN, name asked as {number}", c("AUTH LOGIN"), s(f"+ {prompt}"), c(b64("joe")),
              s(f"+ {b64('PIN')}"), c(b64(SECRET)), s("+OK"), user="joe", mechanism="LOGIN")
        for number, prompt in enumerate(NAME_PROMPTS)
    ]  # fmt: skip
    asked.append(
        login("EXTERNAL, secret asked", c("AUTH EXTERNAL"), s(f"+ {b64('PIN:')}"), c(b64(SECRET)), s("+OK"),
              user=None, mechanism="EXTERNAL")
    )  # fmt: skip
    return asked


MECHANISMS = [
    *auth("PLAIN", "PLAIN", f"\0joe\0{SECRET}", "joe"),
    *auth("PLAIN with authorization", "PLAIN", f"x\0joe\0{SECRET}", "x", other="joe"),
    *auth("PLAIN, authorization of oneself", "PLAIN", f"joe\0joe\0{SECRET}", "joe"),
    *auth("PLAIN, odd authorization", "PLAIN", f"a\tb\0joe\0{SECRET}", None),
    *auth("PLAIN without a password", "PLAIN", f"bob\0{SECRET}\0", None),
    *auth("PLAIN, name in the wrong place", "PLAIN", f"bob\0{SECRET}\0bob", None),
    *auth("PLAIN, one part", "PLAIN", SECRET, None),
    *auth("PLAIN, four parts", "PLAIN", f"\0joe\0x\0{SECRET}", None),
    *auth("PLAIN with control characters", "PLAIN", f"\0jo\re\0{SECRET}", None),
    *auth("PLAIN, not UTF-8", "PLAIN", b"\0\xff\xfe\0" + SECRET.encode(), None),
    *auth("CRAM-MD5", "CRAM-MD5", "joe " + "0123456789abcdef" * 2, "joe", secrets=["0123456789abcdef"]),
    *auth("CRAM-MD5, digest only", "CRAM-MD5", "0123456789abcdef" * 2, None, secrets=["0123456789abcdef"]),
    *auth("CRAM-MD5, password", "CRAM-MD5", f"joe {SECRET}", None),
    *auth("XOAUTH2", "XOAUTH2", TOKEN, "joe"),
    *auth("XOAUTH2 without a user", "XOAUTH2", f"auth=Bearer {SECRET}\1\1", None),
    *auth("XOAUTH2, token as user", "XOAUTH2", f"user={SECRET}", None),
    *auth("OAUTHBEARER", "OAUTHBEARER", f"n,a=joe,\1host=x\1port=110\1auth=Bearer {SECRET}\1\1", "joe"),
    *auth("OAUTHBEARER, token only", "OAUTHBEARER", f"n,,\1auth=Bearer {SECRET}\1\1", None),
    *auth("SCRAM", "SCRAM-SHA-256", "n,,n=joe,r=fyko+d2lbbFgONRv9qkxdawL", "joe"),
    *auth("SCRAM with authorization", "SCRAM-SHA-1", "n,a=x,n=joe,r=abc", "x", other="joe"),
    *auth("SCRAM, odd authorization", "SCRAM-SHA-1", "n,a=x=y,n=joe,r=abc", None),
    *auth("SCRAM, final message only", "SCRAM-SHA-1", f"c=biws,r=abc,p={b64(SECRET)}", None),
    *auth("EXTERNAL", "EXTERNAL", "joe", "joe"),
    *auth("DIGEST-MD5", "DIGEST-MD5", f'username="joe",response={SECRET}', None),
    *auth("GSSAPI", "GSSAPI", b"`\x82" + SECRET.encode(), None),
    *auth("XPLAIN", "XPLAIN", f"\0joe\0{SECRET}", None, known=False),
    *auth("XLOGIN", "XLOGIN", SECRET, None, known=False),
    *auth("almost SCRAM", "SCRAM-SHA", "n,,n=joe,r=abc", None, known=False),
    *auth("mechanism is the secret", SECRET, "x", None, known=False),
]
LOGINS = [
    login("LOGIN", c("AUTH LOGIN"), s(PROMPTS[0]), c(b64("joe")), s(PROMPTS[1]), c(b64(SECRET)), s("+OK"),
          user="joe", mechanism="LOGIN"),
    login("LOGIN, all at once", c("AUTH LOGIN", b64("joe"), b64(SECRET)), s(*PROMPTS, "+OK"),
          user="joe", mechanism="LOGIN"),
    login("LOGIN, initial", c(f"AUTH LOGIN {b64('joe')}"), s(PROMPTS[1]), c(b64(SECRET)), s("+OK"),
          user="joe", mechanism="LOGIN"),
    login("LOGIN, initial, name asked again", c(f"AUTH LOGIN {b64('joe')}"), s(PROMPTS[0]), c(b64("bob")),
          s(PROMPTS[1]), c(b64(SECRET)), s("+OK"), user=None, mechanism="LOGIN"),
    login("PLAIN, asked again", c(f"AUTH PLAIN {JOE}"), s("+ "), c(BOB),
          s("+OK"), user=None, mechanism="PLAIN"),
    login("PLAIN, asked twice", c("AUTH PLAIN"), s("+ "), c(JOE), s("+ "),
          c(BOB), s("+OK"), user=None, mechanism="PLAIN"),
    login("XOAUTH2, asked again", c(f"AUTH XOAUTH2 {b64(TOKEN)}"), s("+ "), c(b64(TOKEN.replace("joe", "bob"))),
          s("+OK"), user=None, mechanism="XOAUTH2"),
    login("XOAUTH2, refused with a reason", c(f"AUTH XOAUTH2 {b64(TOKEN)}"), s("+ eyJ9"), c(""), s("-ERR"), LOGIN,
          refused=["joe"]),
    login("CRAM-MD5, name first", c(f"AUTH CRAM-MD5 {b64('joe ' + '0123456789abcdef' * 2)}"), s("+ PDE+"),
          c(b64("bob " + "0123456789abcdef" * 2)), s("+OK"), user=None, mechanism="CRAM-MD5"),
    login("SCRAM, three responses", c(f"AUTH SCRAM-SHA-1 {b64('n,,n=joe,r=abc')}"), s(f"+ {b64('r=abcd,s=x,i=4096')}"),
          c(b64(f"c=biws,r=abcd,p={b64(SECRET)}")), s(f"+ {b64('v=x')}"), c(""), s("+OK"), user="joe",
          mechanism="SCRAM-SHA-1"),
    login("SCRAM, initial, name asked again", c(f"AUTH SCRAM-SHA-1 {b64('n,,n=joe,r=abc')}"), s("+ "),
          c(b64("n,,n=bob,r=abc")), s(f"+ {b64('r=abcd,s=x,i=4096')}"), c(b64(f"c=biws,r=abcd,p={b64(SECRET)}")),
          s(f"+ {b64('v=x')}"), c(""), s("+OK"), user=None, mechanism="SCRAM-SHA-1"),
    login("LOGIN, initial empty", c("AUTH LOGIN ="), s(PROMPTS[1]), c(b64(SECRET)), s("+OK"),
          user=None, mechanism="LOGIN"),
    login("LOGIN, empty name", REFUSED, c("AUTH LOGIN"), s(PROMPTS[0]), c(""), s(PROMPTS[1]), c(b64(SECRET)),
          s("+OK"), user=None, mechanism="LOGIN", refused=["bob"]),
    login("LOGIN, password asked first", c("AUTH LOGIN"), s(PROMPTS[1]), c(b64(SECRET)), s("+OK"),
          user=None, mechanism="LOGIN"),
    login("LOGIN, three lines", REFUSED, c("AUTH LOGIN"), s(PROMPTS[0]), c(b64("joe"), b64(SECRET), b64(SECRET)),
          s(PROMPTS[1], "+OK", "-ERR what"), user="joe", mechanism="LOGIN", refused=["bob"]),
    login("LOGIN with the commands before", c("USER bob", f"PASS {SECRET}", "AUTH LOGIN", b64("joe"), b64(SECRET)),
          s("+OK", "-ERR no", *PROMPTS, "+OK"), user="joe", mechanism="LOGIN", refused=["bob"]),
    login("LOGIN, refused, then again", c("AUTH LOGIN"), s(PROMPTS[0]), c(b64("bob")), s(PROMPTS[1]),
          c(b64(SECRET)), s("-ERR no"), c(f"AUTH LOGIN {b64('joe')}"), s(PROMPTS[1]), c(b64(SECRET)), s("+OK"),
          user="joe", mechanism="LOGIN", refused=["bob"]),
    login("LOGIN, cancelled", c("AUTH LOGIN"), s(PROMPTS[0]), c("*"), s("-ERR cancelled"), LOGIN),
    login("LOGIN, cancelled late", c("AUTH LOGIN"), s(PROMPTS[0]), c(b64("bob")), s(PROMPTS[1]), c("*"),
          s("-ERR cancelled"), LOGIN, refused=["bob"]),
    login("LOGIN, password in clear", c("AUTH LOGIN"), s(PROMPTS[0]), c(b64("joe")), s(PROMPTS[1]), c(SECRET),
          s("+OK"), user="joe", mechanism="LOGIN"),
    login("LOGIN, password like a command", c("AUTH LOGIN"), s(PROMPTS[0]), c(b64("joe")), s(PROMPTS[1]),
          c("LIST 123456789"), s("+OK"), user="joe", mechanism="LOGIN", secrets=["123456789"]),
    login("NTLM", c("AUTH NTLM"), s("+ "), c(NTLM_1), s(NTLM_2), c(b64(ntlm("joe", "DOM"))), s("+OK"),
          user="DOM\\joe", mechanism="NTLM"),
    login("NTLM, initial", c(f"AUTH NTLM {NTLM_1}"), s(NTLM_2), c(b64(ntlm("joe", "", False))), s("+OK"),
          user="joe", mechanism="NTLM"),
    login("NTLM, field outside", c(f"AUTH NTLM {NTLM_1}"), s(NTLM_2), c(b64(ntlm("joe", "DOM")[:-12])), s("+OK"),
          user=None, mechanism="NTLM"),
    login("APOP", c("APOP joe " + "0123456789abcdef" * 2), s("+OK"), user="joe", mechanism="APOP",
          secrets=["0123456789abcdef"]),
    login("APOP without a name", c(f"APOP {SECRET}"), s("+OK"), user=None, mechanism="APOP"),
    login("APOP, three words", c(f"APOP {SECRET} x y"), s("+OK"), user=None, mechanism="APOP"),
    login("AUTH lists mechanisms", c("USER victim"), s("+OK"), c("AUTH"), s("+OK", "PLAIN", "."),
          c("USER mallory"), s("+OK"), c(f"PASS {SECRET}"), s("+OK"), user="mallory"),
    login("refused, then XOAUTH2", c("USER victim"), s("+OK"), c(f"PASS {SECRET}"), s("-ERR"),
          c(f"AUTH XOAUTH2 {b64(TOKEN)}"), s("+OK"), user="joe", mechanism="XOAUTH2", refused=["victim"]),
    login("refused, then NTLM", c("USER victim"), s("+OK"), c(f"PASS {SECRET}"), s("-ERR"),
          c(f"AUTH NTLM {NTLM_1}"), s(NTLM_2), c(b64(ntlm("joe", "D"))), s("+OK"),
          user="D\\joe", mechanism="NTLM", refused=["victim"]),
    login("USER alone, then XOAUTH2", c("USER victim"), s("+OK"), c(f"AUTH XOAUTH2 {b64(TOKEN)}"), s("+OK"),
          user="joe", mechanism="XOAUTH2"),
    login("USER alone, then an unknown mechanism", c("USER victim"), s("+OK"), c(f"AUTH X-FOO {SECRET}"), s("+OK"),
          user=None, mechanism=None),
    login("USER with a tab", c("USER\tmallory"), s("+OK"), c(f"PASS {SECRET}"), s("+OK"), user="mallory"),
    login("USER in small letters", c("user mallory"), s("+OK"), c(f"pass {SECRET}"), s("+OK"), user="mallory"),
    login("USER with a NUL", c("USER joe\0victim"), s("+OK"), c(f"PASS {SECRET}"), s("+OK"), user=None),
    login("USER twice", c("USER victim"), s("+OK"), c("USER mallory"), s("+OK"), c(f"PASS {SECRET}"), s("+OK"),
          user="mallory"),
    login("USER refused", c("USER victim"), s("-ERR"), c(f"PASS {SECRET}"), s("+OK"), user=None,
          refused=["victim"]),
    login("USER refused after another", c("USER joe"), s("+OK"), c("USER victim"), s("-ERR"),
          c(f"PASS {SECRET}"), s("+OK"), user=None, refused=["victim"]),
    login("USER with two words", c(f"USER joe {SECRET}"), s("+OK"), c(f"PASS {SECRET}"), s("+OK"), user=None),
    login("all pipelined", c("USER joe", f"PASS {SECRET}"), s("+OK", "+OK"), user="joe"),
    Case("login before the greeting", c("USER joe", f"PASS {SECRET}") + HELLO + s("+OK", "+OK") + retr(1, M1) + BYE,
         [*by("joe")[:1]], user="joe"),
    login("PASS without USER", c(f"PASS {SECRET}"), s("+OK"), user=None),
    login("a secret alone on a line", c("USER joe"), s("+OK"), c(SECRET), s("-ERR"), c(f"PASS {SECRET}"), s("+OK"),
          user="joe"),
    login("secrets behind commands without arguments", c(f"CAPA {SECRET}"), s("-ERR"), c(f"STLS {SECRET}"),
          s("-ERR"), c(f"NOOP {SECRET}"), s("-ERR"), LOGIN, c(f"QUIT {SECRET}"), s("-ERR")),
    login("secrets behind numbers", LOGIN, c(f"LIST 1 {SECRET}"), s("-ERR"), c(f"DELE {SECRET}"), s("-ERR"),
          c(f"RETR 1{SECRET}"), s("-ERR"), c("TOP 1 2 3"), s("-ERR")),
    login("no login at all", user=None, mechanism=None),
    login("second login refused", LOGIN, c("USER bob"), s("-ERR"), refused=["bob"]),
    login("second login accepted", LOGIN, c("USER joe"), s("+OK"), c(f"PASS {SECRET}"), s("+OK"), user="joe"),
]  # fmt: skip
LOSSES = [
    case
    for name in ("LOGIN", "LOGIN, all at once", "refused, then NTLM", "PLAIN", "all pipelined")
    for each in [*MECHANISMS, *LOGINS]
    if each.name == name
    for case in losing(each)
]
PASSWORDS_LOST = [
    Case("PASS lost, the password is a command",
         HELLO + c("USER joe") + s("+OK") + [(True, b"PASS "), (True, b"LIST 123456789\r\n")] + s("+OK in")
         + retr(1, M1) + BYE, by(None, *by(None)[:1]), user=None, secrets=["123456789"], lost=[3]),
    Case("USER lost, the rest is a password",
         HELLO + LOGIN + [(True, b"USER "), (True, b"RETR 123456789\r\n")] + s("-ERR") + retr(1, M1) + BYE,
         by("lisi")[:1], secrets=[SECRET, "123456789"], lost=[5]),
    Case("a refused AUTH, then USER lost",
         HELLO + c(f"AUTH PLAIN {b64(SECRET)}") + s("-ERR") + [(True, b"USER "), (True, f"{SECRET}\r\n".encode())]
         + s("+OK") + retr(1, M1) + BYE, by(None)[:1], user=None, mechanism=None, lost=[3]),
]  # fmt: skip
CASES = [*cut_up(MECHANISMS), *cut_up(LOGINS), *LOSSES, *PASSWORDS_LOST, *cut_up(prompts())]

"""What the clients of the recorded sessions do: Python's poplib, curl, fetchmail, mpop and getmail.

The places they run in (network namespaces) and the server's addresses are those of `traffic.live`.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import os
import poplib
import ssl
import subprocess
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from support.traffic import boxes

SERVER_NS, CLIENT_NS = "z3pop-server", "z3pop-client"
SERVER, CLIENT, LOOP = "192.0.2.110", "192.0.2.10", "127.0.0.1"

poplib._MAXLINE = 100_000  # type: ignore[attr-defined]


def run(*command: str, check: bool = True, ns: str | None = None) -> str:
    """Runs a command, in the network namespace `ns` if there is one; returns what it printed."""
    line = ["ip", "netns", "exec", ns, *command] if ns else list(command)
    done = subprocess.run(line, capture_output=True, text=True, errors="replace", timeout=120)
    if check and done.returncode:
        raise SystemExit(f"{' '.join(line)}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def inside(ns: str, work: Callable[[], None]) -> None:
    """Runs Python in a namespace, in a thread that enters it."""
    failed: list[BaseException] = []

    def enter() -> None:
        try:
            handle = os.open(f"/run/netns/{ns}", os.O_RDONLY)
            if ctypes.CDLL(None, use_errno=True).setns(handle, 0x40000000):
                raise OSError(ctypes.get_errno(), "setns")
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def article() -> None:
    """The commands that Thunderbird sends, for the mailbox of the article."""
    client: Any = poplib.POP3(LOOP, timeout=20)
    client.capa()
    client._putcmd("AUTH PLAIN")
    client._getline()
    client._shortcmd(base64.b64encode(f"\0zhangsan\0{boxes.USERS['zhangsan']}".encode()).decode())
    client.stat()
    client.list()
    client.uidl()
    client.retr(2)
    client.quit()


def all_of_poplib(host: str, user: str, port: int = 110) -> None:
    """Every command of poplib, mistakes included."""
    client: Any = poplib.POP3(host, port, timeout=20)
    client.user(user)
    client.pass_(boxes.USERS[user])
    client.capa()
    count, _ = client.stat()
    client.list()
    client.uidl()
    client.list(2)
    client.uidl(2)
    client.noop()
    for number in range(1, count + 1):
        if number % 3 == 0:
            client.top(number, number % 4)
        client.retr(number)
        if number % 5 == 0:
            client.dele(number)
    for wrong in (f"RETR {count + 7}", "RETR 5", "TOP 999 1", "LIST 999", "XTND XMIT", "LANG en", "RETR"):
        with contextlib.suppress(poplib.error_proto):
            client._shortcmd(wrong)
    client.rset()
    client.retr(2)
    client.quit()


def failed_login() -> None:
    """USER and PASS, wrong first, then right; then one that gives up."""
    client = poplib.POP3(LOOP, timeout=20)
    client.user("wangwu")
    with contextlib.suppress(poplib.error_proto):
        client.pass_(boxes.WRONG)
    client.user("wangwu")
    client.pass_(boxes.USERS["wangwu"])
    client.stat()
    client.retr(1)
    client.quit()
    client = poplib.POP3(LOOP, timeout=20)
    client.user("nobody")
    with contextlib.suppress(poplib.error_proto):
        client.pass_(boxes.WRONG)
    client.quit()


def stls() -> None:
    """Upgrade to TLS, then a whole session inside."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = poplib.POP3(SERVER, timeout=20)
    client.capa()
    client.stls(context)
    client.user("lisi")
    client.pass_(boxes.USERS["lisi"])
    client.retr(1)
    client.quit()


def curl(mechanism: str, *options: str, host: str = LOOP) -> None:
    """A list and some mails: a connection for each, as curl does."""
    ns = CLIENT_NS if host == SERVER else SERVER_NS
    for user, what in (("wangwu", ""), ("wangwu", "3"), ("wangwu", "13"), ("lisi", "6"), ("lisi", "99")):
        who = ["-u", f"{user}:{boxes.USERS[user]}", "--login-options", f"AUTH={mechanism}"]
        run("curl", "-sS", "-m", "30", *who, *options, f"pop3://{host}/{what}", ns=ns, check=what != "99")


def fetchmail(home: Path) -> None:
    """fetchmail, keeping all on the server, delivering to a program that throws it away."""
    rc = home / "fetchmailrc"
    login = f'user wangwu password "{boxes.USERS["wangwu"]}"'
    how = "keep fetchall sslproto '' mda \"cat > /dev/null\""
    rc.write_text(f"poll {SERVER} protocol POP3 uidl {login} {how}\n")
    rc.chmod(0o600)
    os.environ["FETCHMAILHOME"] = str(home)
    run("fetchmail", "-f", str(rc), "--nodetach", ns=CLIENT_NS)


def mpop(home: Path, user: str) -> None:
    """mpop, which sends hundreds of commands at once."""
    for part in ("cur", "new", "tmp"):
        (home / "maildir" / part).mkdir(parents=True, exist_ok=True)
    line = ["mpop", f"--host={SERVER}", f"--user={user}", "--tls=off", "--auth=plain", "--pipelining=on"]
    where = ["--keep=on", f"--delivery=maildir,{home}/maildir", f"--uidls-file={home}/uidls-{user}"]
    run(*line, *where, f"--passwordeval=echo '{boxes.USERS[user]}'", ns=CLIENT_NS)


def getmail(home: Path) -> None:
    """getmail, deleting nothing."""
    folder = home / "getmail"
    folder.mkdir()
    (folder / "getmailrc").write_text(
        f"[retriever]\ntype = SimplePOP3Retriever\nserver = {SERVER}\nusername = wangwu\n"
        f"password = {boxes.USERS['wangwu']}\n[destination]\ntype = MDA_external\npath = /bin/true\n"
        "allow_root_commands = true\nuser = mail\n[options]\ndelete = false\nread_all = true\n"
    )
    run("getmail", f"--getmaildir={folder}", ns=CLIENT_NS)


def parallel() -> None:
    """Three clients at the same time."""
    work = [
        threading.Thread(target=inside, args=(CLIENT_NS, partial(all_of_poplib, SERVER, user)))
        for user in ("lisi", "zhangsan")
    ]
    work.append(threading.Thread(target=curl, args=("PLAIN",), kwargs={"host": SERVER}))
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()

"""Records real clients that talk to a real Dovecot: the captures of fixtures/ that no code of ours made up.

    python tests/support/traffic/live.py --out fixtures [NAME...]

Needs root, Dovecot 2.4, tcpdump, ip and the clients; server and clients live in two network namespaces
joined by a pair of virtual interfaces without offloading, so that segments are those of an Ethernet, or in
one namespace on its loopback, where segments are as large as they like. Each capture gets a truth file: the
mails' hashes are those of the files in the Maildir, and what was seen on the wire must agree with them.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from support.traffic import boxes, clients, pcap, truth  # noqa: E402
from support.traffic.clients import CLIENT, CLIENT_NS, LOOP, SERVER, SERVER_NS, run  # noqa: E402

CONFIG = """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
protocols = pop3
listen = *, ::
login_greeting = Dovecot ready.
hostname = mail.example
auth_mechanisms = plain login cram-md5
auth_allow_cleartext = yes
auth_failure_delay = 1 s
ssl = yes
ssl_server_cert_file = {base}/cert.pem
ssl_server_key_file = {base}/key.pem
mail_driver = maildir
mail_path = {base}/mail/%{{user}}
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
passdb passwd-file {{
  passwd_file_path = {base}/users
}}
userdb static {{
  fields {{
    uid = mail
    gid = mail
    home = {base}/home/%{{user}}
  }}
}}
service pop3-login {{
  inet_listener pop3s {{
    port = 0
  }}
  inet_listener pop3 {{
    port = 110
  }}
  inet_listener odd {{
    port = 1110
  }}
}}
"""


@contextlib.contextmanager
def network() -> Iterator[None]:
    """The two namespaces and what joins them, for one at a time: their names are taken meanwhile.

    What a run that was killed has left behind, processes in the namespaces too, is removed first.
    """
    lock = Path(tempfile.gettempdir()) / "zeekpop3-live.lock"
    with lock.open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        _remove_namespaces()
        try:
            for ns in (SERVER_NS, CLIENT_NS):
                run("ip", "netns", "add", ns)
                run("ip", "link", "set", "lo", "up", ns=ns)
            peer = ["peer", "name", "z3c", "netns", CLIENT_NS]
            run("ip", "link", "add", "z3s", "netns", SERVER_NS, "type", "veth", *peer)
            for ns, link, address in ((SERVER_NS, "z3s", SERVER), (CLIENT_NS, "z3c", CLIENT)):
                run("ip", "address", "add", f"{address}/24", "dev", link, ns=ns)
                run("ip", "link", "set", link, "up", ns=ns)
                run("ethtool", "-K", link, "tso", "off", "gso", "off", "gro", "off", "tx", "off", ns=ns)
            yield
        finally:
            _remove_namespaces()


def _remove_namespaces() -> None:
    for ns in (SERVER_NS, CLIENT_NS):
        inside = run("ip", "netns", "pids", ns, check=False).split()
        for pid in inside:
            # A thread of this program that has entered the namespace is not a leftover.
            if pid.isdigit() and int(pid) != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        run("ip", "netns", "del", ns, check=False)


@contextlib.contextmanager
def dovecot(base: Path) -> Iterator[None]:
    """A Dovecot of our own in the server's namespace, with the mailboxes of the fixtures."""
    base.chmod(0o755)
    for name in ("run", "state", "home", "mail"):
        (base / name).mkdir()
    for user, box in boxes.boxes().items():
        for part in ("cur", "new", "tmp"):
            (base / "mail" / user / part).mkdir(parents=True)
        for number, message in enumerate(box.messages):
            file = base / "mail" / user / "cur" / f"{1_600_000_000 + number}.M{number}.mail:2,"
            file.write_bytes(message.replace(b"\r\n", b"\n"))
    run("chown", "-R", "mail:mail", str(base / "mail"), str(base / "home"))
    (base / "users").write_text("".join(f"{user}:{{PLAIN}}{word}\n" for user, word in boxes.USERS.items()))
    subject = ["-subj", "/CN=mail.example", "-days", "9999"]
    files = ["-keyout", str(base / "key.pem"), "-out", str(base / "cert.pem")]
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files)
    (base / "dovecot.conf").write_text(CONFIG.format(base=base))
    command = ["ip", "netns", "exec", SERVER_NS, "dovecot", "-F", "-c", str(base / "dovecot.conf")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(1.5)
    if server.poll() is not None:
        raise SystemExit(f"dovecot: {server.communicate()[0]}")
    try:
        yield
    finally:
        server.terminate()
        server.wait(20)


@contextlib.contextmanager
def tap(path: Path, link: str) -> Iterator[None]:
    """A capture of the POP3 ports while the block runs."""
    command = ["ip", "netns", "exec", SERVER_NS, "tcpdump", "--immediate-mode", "-U", "-n", "-i", link]
    command += ["-s", "0", "-Z", "root", "-w", str(path), "port 110 or port 1110"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    process.stderr.readline()
    try:
        yield
        time.sleep(0.7)
    finally:
        process.terminate()
        process.wait(20)


def recordings(home: Path) -> dict[str, tuple[str, Callable[[], None]]]:
    """Name → interface and what happens on it."""

    def here(work: Callable[..., None], *args: object) -> tuple[str, Callable[[], None]]:
        return "lo", lambda: clients.inside(SERVER_NS, lambda: work(*args))

    def there(work: Callable[..., None], *args: object) -> tuple[str, Callable[[], None]]:
        return "z3s", lambda: clients.inside(CLIENT_NS, lambda: work(*args))

    return {
        "article": here(clients.article),
        "poplib": here(clients.all_of_poplib, LOOP, "lisi"),
        "poplib-ethernet": there(clients.all_of_poplib, SERVER, "wangwu"),
        "ipv6": here(clients.all_of_poplib, "::1", "zhangsan"),
        "port-1110": here(clients.all_of_poplib, LOOP, "lisi", 1110),
        "curl-plain": ("z3s", lambda: clients.curl("PLAIN", host=SERVER)),
        "curl-plain-ir": ("lo", lambda: clients.curl("PLAIN", "--sasl-ir")),
        "curl-login": ("z3s", lambda: clients.curl("LOGIN", host=SERVER)),
        "curl-cram-md5": ("lo", lambda: clients.curl("CRAM-MD5")),
        "fetchmail": ("z3s", lambda: clients.fetchmail(home)),
        "mpop": ("z3s", lambda: clients.mpop(home, "wangwu")),
        "mpop-many": ("z3s", lambda: clients.mpop(home, "zhaoliu")),
        "getmail": ("z3s", lambda: clients.getmail(home)),
        "failed-login": here(clients.failed_login),
        "stls": there(clients.stls),
        "parallel": ("z3s", clients.parallel),
    }


def check(path: Path) -> list[truth.Truth]:
    """The transfers of a recording; each must be a mail of the mailbox (or its top)."""
    held = {message: user for user, box in boxes.boxes().items() for message in box.messages}
    found = truth.of_packets(pcap.read(path))
    for transfer in found:
        whole = transfer.message in held or (
            transfer.command == "TOP" and any(message.startswith(transfer.message) for message in held)
        )
        if not whole:
            raise SystemExit(f"{path}: mail {transfer.msg_num} ({transfer.size} bytes) is not in the mailbox")
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("names", nargs="*", help="recordings to make (default: all)")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, network(), dovecot(Path(folder) / "."):
        home = Path(folder) / "client"
        home.mkdir()
        for name, (link, work) in recordings(home).items():
            if args.names and name not in args.names:
                continue
            path = args.out.resolve() / f"{name}.pcap"
            with tap(path, link):
                work()
            found = check(path)
            truth.save(path.with_suffix(".truth.json"), found, capture=path.name)
            print(f"{name}: {path.stat().st_size} bytes, {len(found)} transfers")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

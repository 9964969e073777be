"""A real Zeek captures real clients at a real Dovecot, and rotates its log every few seconds meanwhile."""

from __future__ import annotations

import os
import poplib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import zeekpop3
from support.growing import assert_same, tables
from support.traffic import boxes, clients, live
from support.traffic.clients import CLIENT_NS, SERVER, SERVER_NS

PROGRAMS = ("dovecot", "ip", "ethtool", "openssl", "curl")
ROUNDS = 2


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that Dovecot's users may enter."""
    with tempfile.TemporaryDirectory(prefix="zeekpop3-live-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def _fetch(user: str) -> None:
    client: Any = poplib.POP3(SERVER, timeout=30)
    client.user(user)
    client.pass_(boxes.USERS[user])
    count, _ = client.stat()
    client.uidl()
    for number in range(1, count + 1):
        client.retr(number)
        time.sleep(0.01)  # so that some rotations come in the middle
    client.quit()


def _clients_at_once() -> None:
    jobs = [partial(clients.inside, CLIENT_NS, partial(_fetch, user)) for user in boxes.USERS]
    jobs.append(partial(clients.inside, CLIENT_NS, partial(clients.all_of_poplib, SERVER, "lisi")))
    jobs.append(partial(clients.curl, "PLAIN", host=SERVER))
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.zeek
@pytest.mark.slow
def test_live(zeek: str, scripts: Path, root: Path, place: Path) -> None:
    """The tables equal the mailboxes, byte for byte, and those of a batch run over all the logs."""
    if os.geteuid() != 0 or not all(map(shutil.which, PROGRAMS)):
        pytest.skip(f"needs root and {', '.join(PROGRAMS)}")
    logs, out = place / "logs", place / "out"
    logs.mkdir()
    (place / "dovecot").mkdir()
    options = [str(scripts / "exact.zeek"), "Log::default_rotation_interval=3sec"]
    sensor = ["ip", "netns", "exec", SERVER_NS, zeek, "-C", "-i", "z3s", *options]
    command = [sys.executable, "-m", "zeekpop3", "follow", str(logs), "--out", str(out), "--flush", "1"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with live.network(), live.dovecot(place / "dovecot"):
        watching = subprocess.Popen(sensor, cwd=logs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        follower = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        try:
            assert watching.stdout is not None
            said_by_zeek = b""
            for line in watching.stdout:
                said_by_zeek += line
                if b"listening on" in line:
                    break
            assert watching.poll() is None, said_by_zeek
            time.sleep(1)
            for turn in range(ROUNDS):
                _clients_at_once()
                if turn == 0:  # the follower is killed in the middle, too
                    follower.kill()
                    follower.wait()
                    follower = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        finally:
            time.sleep(2)
            watching.send_signal(signal.SIGTERM)
            watching.wait(30)
            time.sleep(3)
            follower.send_signal(signal.SIGTERM)
            _, said = follower.communicate(timeout=30)
    assert follower.returncode == 0, said
    rotated = list(logs.rglob("pop3_events*.log"))
    assert len(rotated) >= 3
    held = {user: box.messages for user, box in boxes.boxes().items()}
    found = tables(out)
    retrieved = [mail for mail in found["emails"] if mail["command"] == "RETR"]
    for mail in retrieved:
        about = {name: mail[name] for name in ("uid", "msg_num", "complete", "missing_bytes", "defects")}
        assert mail["complete"] and mail["fidelity"] == "exact" and mail["msg_num"], about
        assert mail["raw"] == held[mail["user"]][mail["msg_num"] - 1]
    for user, messages in held.items():
        seen = [mail["msg_num"] for mail in retrieved if mail["user"] == user]
        for number in range(1, len(messages) + 1):
            assert seen.count(number) >= ROUNDS, (user, number)
    assert sum(mail["user"] == "zhaoliu" for mail in retrieved) == ROUNDS * len(held["zhaoliu"])
    zeekpop3.run([logs], place / "batch", jobs=1)
    assert_same(out, tables(place / "batch"))

"""The page on shippers: its configurations ship Zeek's logs, and leave the event log at the sensor."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")

PAGE = Path(__file__).resolve().parents[2] / "zeekpop3" / "follow" / "SHIPPERS.md"
CONFIGS = [
    yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
]
FILEBEAT, MALCOLM = CONFIGS

#: Names of the event log: live, rotated, archived, compressed, of a second filter, in Malcolm's uploads.
EVENT_LOGS = (
    "pop3_events.log",
    "pop3_events-26-11-29_08.00.00.log",
    "pop3_events.08:00:00-09:00:00.log",
    "pop3_events.08:00:00-09:00:00.log.gz",
    "pop3_events_json.log",
    "pop3_events(case7,1795476054).log",
)
OTHERS = (
    "conn.log",
    "http.08:00:00-09:00:00.log",
    "pop3_mails.log",
    "smtp.log",
    "files(case7,1795476054).log",
)


def shipped(config: dict[str, Any], path: str) -> bool:
    """Whether an input of Filebeat reads a file: * stops at a slash, expressions are on the path."""
    excluded = config.get("exclude_files", []) + config.get("prospector.scanner.exclude_files", [])
    globs = [re.sub(r"\$\{[A-Z_]+:([^}]*)\}", r"\1", glob) for glob in config["paths"]]
    found = any(fnmatchcase(path, glob) and path.count("/") == glob.count("/") for glob in globs)
    return found and not any(re.search(one, path) for one in excluded)


def folders(config: dict[str, Any]) -> list[str]:
    """A folder for each glob of an input."""
    globs = [re.sub(r"\$\{[A-Z_]+:([^}]*)\}", r"\1", glob) for glob in config["paths"]]
    return [glob.rpartition("/")[0].replace("*", "2026-11-29") for glob in globs]


@pytest.mark.parametrize("config", [FILEBEAT["filebeat.inputs"][0], MALCOLM[0]], ids=["filebeat", "malcolm"])
def test_the_event_log_stays_and_the_others_go(config: dict[str, Any]) -> None:
    """Under each of its names, in each folder of the configuration."""
    for folder in folders(config):
        for name in EVENT_LOGS:
            assert not shipped(config, f"{folder}/{name}"), name
            without = {**config, "exclude_files": [], "prospector.scanner.exclude_files": []}
            assert shipped(without, f"{folder}/{name}") == name.endswith(".log")
        for name in OTHERS:
            assert shipped(config, f"{folder}/{name}"), name


def test_the_documents_are_shipped() -> None:
    """By the second input, as they are: their own @timestamp counts."""
    documents = FILEBEAT["filebeat.inputs"][1]
    assert shipped(documents, "/var/log/zeekpop3/mails.json")
    (parser,) = documents["parsers"]
    assert parser == {"ndjson": {"target": "", "overwrite_keys": True, "add_error_key": True}}
    assert len({each["id"] for each in FILEBEAT["filebeat.inputs"]}) == 2


def test_security_onions_list() -> None:
    """Its agent makes one expression of the names (salt/elasticfleet/…/zeek-logs.json)."""
    assert "`elasticfleet.logging.zeek.excluded`" in PAGE.read_text("utf-8")
    names = ["broker", "stats", "pop3_events"]
    expression = re.compile(rf"({'|'.join(names)})(\..+)?\.log$")
    assert expression.search("/nsm/zeek/logs/current/pop3_events.log")
    assert not expression.search("/nsm/zeek/logs/current/pop3_mails.log")

"""`export --as misp` and `--as stix`: one valid document of the published shapes, whatever the mails hold."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import zeekpop3
from support.program import program
from support.records import NOON, transfer
from support.tables_made import PAYLOADS, Made, write
from zeekpop3.store.read import read_table
from zeekpop3.views.export import mails as mails_module
from zeekpop3.views.export import stix

#: MISP's misp-objects: the relations that we use and their types.
RELATIONS = {
    "email": {
        "from": "email-src", "from-display-name": "email-src-display-name", "to": "email-dst",
        "to-display-name": "email-dst-display-name", "reply-to": "email-reply-to", "subject": "email-subject",
        "message-id": "email-message-id", "x-mailer": "email-x-mailer", "send-date": "datetime",
        "attachment": "email-attachment",
    },
    "file": {"filename": "filename", "md5": "md5", "sha1": "sha1", "sha256": "sha256",
             "size-in-bytes": "size-in-bytes", "mimetype": "mime-type"},
    "url": {"url": "url", "host": "hostname"},
}  # fmt: skip
#: STIX 2.1: the properties that we use, the required ones first.
PROPERTIES = {
    "email-message": (
        {"is_multipart"},
        {"date", "content_type", "from_ref", "sender_ref", "to_refs", "cc_refs", "bcc_refs", "message_id",
         "subject", "additional_header_fields", "body_multipart"},
    ),
    "email-addr": ({"value"}, {"display_name"}),
    "file": (set(), {"hashes", "name", "size", "mime_type"}),
    "url": ({"value"}, set()),
    "observed-data": (
        {"created", "modified", "first_observed", "last_observed", "number_observed", "object_refs"},
        {"external_references"},
    ),
}  # fmt: skip
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture(params=["made", "incident"])
def tables(request: pytest.FixtureRequest) -> Path:
    """Hostile mails, and those of the incident."""
    found = request.getfixturevalue(request.param)
    return found.path if isinstance(found, Made) else found


def exported(tables: Path, wanted: str) -> dict[str, Any]:
    """The document that the command prints; what it prints is visible."""
    done = program("export", tables, "--as", wanted)
    assert done.returncode == 0
    count = read_table(tables, "emails", ["uid"]).num_rows
    assert done.stderr == f"{count} mails exported\n"
    assert not re.search("[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\u200b\\u202e\\u2066\\u2028]", done.stdout)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_shape_of_a_misp_event(tables: Path) -> None:
    """Each object has a known template, relations with their types, and refers to what is there."""
    event = exported(tables, "misp")["Event"]
    assert set(event) >= {"info", "date", "distribution", "threat_level_id", "analysis", "published"}
    objects = event["Object"]
    ids = [each["uuid"] for each in objects]
    assert len(set(ids)) == len(ids)
    for each in objects:
        assert each["Attribute"]
        for attribute in each["Attribute"]:
            assert RELATIONS[each["name"]][attribute["object_relation"]] == attribute["type"]
            assert isinstance(attribute["value"], str)
            assert attribute["value"]
            assert attribute["to_ids"] is False
        for reference in each.get("ObjectReference", []):
            assert reference["object_uuid"] == each["uuid"]
            assert reference["referenced_uuid"] in ids


def values(event: dict[str, Any], name: str, relation: str) -> list[str]:
    return [
        attribute["value"]
        for each in event["Event"]["Object"]
        if each["name"] == name
        for attribute in each["Attribute"]
        if attribute["object_relation"] == relation
    ]


def test_the_phish_in_misp(incident: Path) -> None:
    """Its sender, where replies go, its link and its attachment with all hashes."""
    event = exported(incident, "misp")
    assert "hr@c0rp-payroll.example" in values(event, "email", "from")
    assert "payroll.corp@freemail.example" in values(event, "email", "reply-to")
    assert "http://portal-corp.badhost.test/login?id=7" in values(event, "url", "url")
    assert values(event, "file", "filename") == ["Payroll_2026.pdf.exe"]
    assert [len(values(event, "file", name)[0]) for name in ("md5", "sha1", "sha256")] == [32, 40, 64]


def test_the_shape_of_a_stix_bundle(tables: Path) -> None:
    """Known types and properties, UUIDv5, and no reference to what is not there."""
    bundle = exported(tables, "stix")
    assert (set(bundle), bundle["type"]) == ({"type", "id", "objects"}, "bundle")
    by_id = {each["id"]: each for each in bundle["objects"]}
    assert len(by_id) == len(bundle["objects"])
    for each in bundle["objects"]:
        kind, _, number = each["id"].partition("--")
        assert (kind, uuid.UUID(number).version, each["spec_version"]) == (each["type"], 5, "2.1")
        required, optional = PROPERTIES[kind]
        own = set(each) - {"type", "id", "spec_version"}
        assert required <= own <= required | optional
        assert all(value not in (None, [], {}, "") for value in each.values())
        assert all(reference in by_id for reference in references(each))
        for name in {"date", "created", "modified", "first_observed", "last_observed"} & own:
            assert TIME.fullmatch(each[name])
        if kind == "email-message":
            assert each["is_multipart"] or "body_multipart" not in each
        if kind == "file":
            assert {"hashes", "name"} & own
        if kind == "url":
            assert re.fullmatch(r"[!-~]+", each["value"])
    mails = sum(each["type"] == "email-message" for each in bundle["objects"])
    assert mails == read_table(tables, "emails", ["uid"]).num_rows


def references(value: Any, name: str = "") -> Iterator[str]:
    """All identifiers of other objects in an object."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from references(entry, key)
    elif isinstance(value, list):
        for entry in value:
            yield from references(entry, name)
    elif name.endswith(("_ref", "_refs")):
        yield value


def test_mail_ids(incident: Path) -> None:
    """Both name the mail by `mail_id`, which is the same whoever saw it."""
    ids = set(read_table(incident, "emails", ["mail_id"])["mail_id"].to_pylist())
    comments = [each.get("comment", "") for each in exported(incident, "misp")["Event"]["Object"]]
    assert {text.partition(", mail_id ")[2] for text in comments if text} == ids
    observed = [each for each in exported(incident, "stix")["objects"] if each["type"] == "observed-data"]
    assert {each["external_references"][0]["external_id"] for each in observed} == ids


def test_identifiers_of_the_standard(incident: Path) -> None:
    """That of its own example (2.9), so that other programs have the same ones; the same in each export."""
    example = stix._cyber("ipv4-addr", {"value": "198.51.100.3"}, {})
    assert example["id"] == "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4"
    assert exported(incident, "stix")["objects"] == exported(incident, "stix")["objects"]


def test_one_file_for_many(tmp_path: Path) -> None:
    """A wave of mails with one attachment and link: each is one object, also over several batches."""
    raw = (
        b"From: a@evil.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
        b"see http://evil.test/x\r\n--b\r\nContent-Disposition: attachment; filename=x.exe\r\n"
        b"\r\nMZ\r\n--b--\r\n"
    )
    write(tmp_path / "out", [transfer(uid=f"C{n}", ts=NOON + n, raw=raw) for n in range(9)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mails_module, "_ROWS", 2)
        event = exported(tmp_path / "out", "misp")
        bundle = exported(tmp_path / "out", "stix")
    names = [each["name"] for each in event["Event"]["Object"]]
    assert sorted(names) == sorted(["email"] * 9 + ["file", "url"])
    kinds = [each["type"] for each in bundle["objects"]]
    assert sorted(set(kinds)) == ["email-addr", "email-message", "file", "observed-data", "url"]
    assert (kinds.count("file"), kinds.count("url"), kinds.count("email-message")) == (1, 1, 9)


@pytest.mark.parametrize("wanted", ["misp", "stix"])
def test_nothing_new(made: Made, tmp_path: Path, wanted: str) -> None:
    """With a state the second export is empty, not half a document; the API gives the same lines."""
    state = tmp_path / "state"
    assert program("export", made.path, "--as", wanted, "--state", state).stdout
    done = program("export", made.path, "--as", wanted, "--state", state)
    assert (done.stdout, done.stderr) == ("", "0 mails exported\n")
    assert json.loads("\n".join(zeekpop3.export(made.path, wanted)))
    assert PAYLOADS

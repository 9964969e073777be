"""Mails as a bundle of STIX 2.1: for each mail an email-message, its addresses, files and URLs, and an
observed-data that holds them together.

Identifiers are UUIDv5: the same mail, address, file or URL has the same one in each bundle. Those of
addresses, files and URLs are the ones that the standard computes (2.9, RFC 8785), so that they agree with
those of other programs. Two mails with one sender and subject are two mails, so an email-message is
identified by where it was seen, in a namespace of our own.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from zeekpop3.views.export.ecs import bare_id, distinct, urls, without_empty
from zeekpop3.views.export.ocsf import EMAIL
from zeekpop3.views.text import json_line

COLUMNS = ("ts", "sensor", "subject", "msg_id", "user_agent", "date", "content_type", "mail_id")

#: The namespace of STIX 2.1, section 2.9, and our own.
_STANDARD = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
_OWN = uuid.UUID("8b1fbb8e-6a4c-5d3a-9f0c-2f7d3c1c5e54")
#: Characters of a URL by RFC 3986, and %: what is encoded already stays as it is.
_URL_CHARACTERS = "!#$%&'()*+,/:;=?@[]-._~"


class Bundle:
    """The lines of one bundle: its beginning, a line for each mail, and the end."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def begin(self, now: dt.datetime) -> str:
        """The bundle without its objects."""
        head = {"type": "bundle", "id": f"bundle--{uuid.uuid5(_OWN, now.isoformat())}"}
        return json_line(head).removesuffix("}") + ', "objects": ['

    def line(self, mail: dict[str, Any]) -> str:
        """The objects of a mail that the bundle does not have yet."""
        return ", ".join(map(json_line, self._new(mail)))

    def end(self) -> str:
        """What closes the bundle."""
        return "]}"

    def _new(self, mail: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for each in objects(mail):
            if each["id"] not in self._seen:
                self._seen.add(each["id"])
                yield each


def objects(mail: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects of a mail; the last is the observed-data."""
    key = f"{mail['sensor'] or ''} {mail['uid']}/{mail['trans_depth']}"
    addresses: dict[str, dict[str, Any]] = {}

    def refs(field: str) -> list[str]:
        found = [each for each in mail["addresses"] or [] if each["field"] == field]
        ids = []
        for each in found:
            if EMAIL.fullmatch(each["address"] or ""):
                made = _cyber("email-addr", {"value": each["address"]}, {"display_name": each["name"]})
                ids.append(addresses.setdefault(each["address"], made)["id"])
        return distinct(ids)

    files = [_file(part) for part in mail["attachments"] or []]
    parts = [
        {"body_raw_ref": file["id"], "content_type": part["content_type"]}
        for part, file in zip(mail["attachments"] or [], files, strict=True)
        if file
    ]
    links = [quote(url, safe=_URL_CHARACTERS, errors="replace") for url in urls(mail)]
    multipart = (mail["content_type"] or "").lower().startswith("multipart/")
    message = {
        "type": "email-message",
        "spec_version": "2.1",
        "id": f"email-message--{uuid.uuid5(_OWN, key)}",
        "is_multipart": multipart,
        "date": _time(mail["date"]) if mail["date"] else None,
        "content_type": mail["content_type"],
        "from_ref": next(iter(refs("from")), None),
        "sender_ref": next(iter(refs("sender")), None),
        **{f"{field}_refs": refs(field) for field in ("to", "cc", "bcc")},
        "message_id": bare_id(mail["msg_id"]),
        "subject": mail["subject"],
        "additional_header_fields": {
            "Reply-To": [each["address"] for each in mail["addresses"] or [] if each["field"] == "reply_to"],
            "X-Mailer": mail["user_agent"],
        },
        "body_multipart": parts if multipart else [],
    }
    inside = [*addresses.values(), *filter(None, files)]
    inside += [_cyber("url", {"value": link}, {}) for link in links]
    every: list[dict[str, Any]] = [*{each["id"]: each for each in inside}.values(), without_empty(message)]
    return [*every, _observed(mail, key, [each["id"] for each in every])]


def _observed(mail: dict[str, Any], key: str, ids: list[str]) -> dict[str, Any]:
    seen = _time(mail["ts"])
    found = {
        "type": "observed-data",
        "spec_version": "2.1",
        "id": f"observed-data--{uuid.uuid5(_OWN, key)}",
        "created": seen,
        "modified": seen,
        "first_observed": seen,
        "last_observed": seen,
        "number_observed": 1,
        "object_refs": ids,
    }
    if mail["mail_id"] is not None:
        found["external_references"] = [{"source_name": "zeekpop3", "external_id": mail["mail_id"]}]
    return found


def _file(part: dict[str, Any]) -> dict[str, Any] | None:
    """A file object; None if neither a hash nor a name is known, as the standard needs one of them."""
    names = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256"}
    hashes = {full: part[name] for name, full in names.items() if part[name]}
    if not hashes and not part["filename"]:
        return None
    first = dict(list(hashes.items())[:1])  # the standard takes one of them, in this order
    known = {"hashes": first, "name": part["filename"]}
    more = {"size": part["size"], "mime_type": part["mime_type"] or part["content_type"]}
    return {**_cyber("file", known, more), **({"hashes": hashes} if hashes else {})}


def _cyber(kind: str, known: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """A cyber-observable; `known` are the properties that identify it."""
    known, more = without_empty(known), without_empty(more)
    canonical = json.dumps(known, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    number = uuid.uuid5(_STANDARD, canonical.encode("utf-8", "replace").decode())
    return {"type": kind, "spec_version": "2.1", "id": f"{kind}--{number}", **known, **more}


def _time(moment: dt.datetime) -> str:
    """A timestamp of STIX: UTC, to the millisecond."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"

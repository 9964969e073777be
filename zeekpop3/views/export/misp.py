"""Mails as one event of MISP: an object for each mail, each attached file and each link.

Objects are of the templates `email`, `file` and `url` of MISP's misp-objects; an email object refers to what
is in it ("contains"). A file or link in several mails is one object. Values that an attribute's type does not
allow, such as invalid addresses, are left out. Nothing is marked for detection (`to_ids`): who shares the
event decides that. The event is for one's own organisation until somebody changes that.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterator
from typing import Any

from zeekpop3.views.export.ecs import bare_id, distinct, valid_ip
from zeekpop3.views.export.ocsf import EMAIL
from zeekpop3.views.text import iso, json_line

COLUMNS = ("ts", "subject", "msg_id", "user_agent", "date", "mail_id")

#: Name of a template → meta-category, UUID and version.
_TEMPLATES = {
    "email": ("network", "a0c666e0-fc65-4be8-b48f-3423d788b552", "3"),
    "file": ("file", "688c46fb-5edb-40a3-8273-1af7923e2215", "23"),
    "url": ("network", "60efb77b-40b5-4c46-871b-ed1ed999fce5", "3"),
}
_DELIVERY, _OTHER, _NETWORK = "Payload delivery", "Other", "Network activity"
_HOST = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")
#: MISP keeps a value in a column of this many bytes.
_MAX_VALUE = 65_535


class Event:
    """The lines of one event: what stands before the objects, a line for each mail, and the end."""

    def __init__(self) -> None:
        self._uuid = uuid.uuid4()
        self._seen: set[uuid.UUID] = set()

    def begin(self, now: dt.datetime) -> str:
        """The event without its objects. Distribution 0: this organisation only; threat 4: undefined."""
        event = {
            "uuid": str(self._uuid),
            "info": "E-mails fetched over POP3 (zeekpop3)",
            "date": now.date().isoformat(),
            "threat_level_id": "4",
            "analysis": "0",
            "distribution": "0",
            "published": False,
        }
        return json_line({"Event": event}).removesuffix("}}") + ', "Object": ['

    def line(self, mail: dict[str, Any]) -> str:
        """The objects of a mail that the event does not have yet."""
        return ", ".join(map(json_line, self._objects(mail)))

    def end(self) -> str:
        """What closes the event."""
        return "]}}"

    def _objects(self, mail: dict[str, Any]) -> Iterator[dict[str, Any]]:
        key = f"{mail['uid']}/{mail['trans_depth']}"
        inside = [self._file(part) for part in mail["attachments"] or []]
        for link in mail["links"] or []:
            inside += [self._url(url, link["host"] if url == link["url"] else None)
                       for url in distinct([link["url"], link["target"]])]  # fmt: skip
        contained = {each["uuid"]: each for each in inside if each["Attribute"]}
        email = self._object("email", key, _email(mail))
        email["comment"] = key if mail["mail_id"] is None else f"{key}, mail_id {mail['mail_id']}"
        email["ObjectReference"] = [
            {
                "uuid": str(uuid.uuid5(self._uuid, f"reference {key} {referenced}")),
                "object_uuid": email["uuid"],
                "referenced_uuid": referenced,
                "relationship_type": "contains",
            }
            for referenced in contained
        ]
        if email["Attribute"]:  # MISP refuses an object without any; a mail may have no header field
            yield email
        for each in contained.values():
            if (number := uuid.UUID(each["uuid"])) not in self._seen:
                self._seen.add(number)
                yield each

    def _file(self, part: dict[str, Any]) -> dict[str, Any]:
        values = [
            ("filename", "filename", _DELIVERY, part["filename"]),
            *((name, name, _DELIVERY, part[name]) for name in ("md5", "sha1", "sha256")),
            ("size-in-bytes", "size-in-bytes", _OTHER, part["size"]),
            ("mimetype", "mime-type", _DELIVERY, part["mime_type"] or part["content_type"]),
        ]
        return self._object("file", f"{part['sha256']} {part['filename']}", values)

    def _url(self, url: str, host: str | None) -> dict[str, Any]:
        named = host if host and _HOST.fullmatch(host) and valid_ip(host) is None else None
        values = [("url", "url", _NETWORK, url), ("host", "hostname", _NETWORK, named)]
        return self._object("url", url, values)

    def _object(self, name: str, key: str, values: list[tuple[str, str, str, Any]]) -> dict[str, Any]:
        category, template, version = _TEMPLATES[name]
        return {
            "uuid": str(uuid.uuid5(self._uuid, f"{name} {key}")),
            "name": name,
            "meta-category": category,
            "template_uuid": template,
            "template_version": version,
            "Attribute": [_attribute(*each) for each in values if each[3] not in (None, "")],
        }


def _email(mail: dict[str, Any]) -> list[tuple[str, str, str, Any]]:
    """Relation, type, category and value of the attributes of an email object."""

    def of(*fields: str) -> list[dict[str, Any]]:
        return [each for each in mail["addresses"] or [] if each["field"] in fields]

    def addresses(*fields: str) -> list[str]:
        found = distinct(each["address"] for each in of(*fields))
        return [address for address in found if EMAIL.fullmatch(address)]

    def names(*fields: str) -> list[str]:
        return distinct(each["name"] for each in of(*fields))

    found: list[tuple[str, str, str, Any]] = []
    for relation, fields in (("from", ("from",)), ("to", ("to", "cc", "bcc"))):
        kind = "email-src" if relation == "from" else "email-dst"
        found += [(relation, kind, _DELIVERY, value) for value in addresses(*fields)]
        shown = f"{relation}-display-name"
        found += [(shown, f"{kind}-display-name", _DELIVERY, value) for value in names(*fields)]
    found += [("reply-to", "email-reply-to", _DELIVERY, value) for value in addresses("reply_to")[:1]]
    found += [
        ("subject", "email-subject", _DELIVERY, mail["subject"]),
        ("message-id", "email-message-id", _DELIVERY, bare_id(mail["msg_id"])),
        ("x-mailer", "email-x-mailer", _DELIVERY, mail["user_agent"]),
        ("send-date", "datetime", _OTHER, iso(mail["date"]) if mail["date"] else None),
    ]
    files = distinct(part["filename"] for part in mail["attachments"] or [])
    return found + [("attachment", "email-attachment", _DELIVERY, name) for name in files]


def _attribute(relation: str, kind: str, category: str, value: Any) -> dict[str, Any]:
    text = str(value).encode("utf-8", "replace")[:_MAX_VALUE].decode("utf-8", "ignore")
    return {"object_relation": relation, "type": kind, "category": category, "value": text, "to_ids": False}

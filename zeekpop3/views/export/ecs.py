"""A mail as a document of the Elastic Common Schema, field set `email` (ECS 9.4).

What ECS has no field for is below `zeekpop3`, an own namespace as ECS asks for.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from zeekpop3.views.text import iso

VERSION = "9.4.0"

#: Columns that are kept under their own names below `zeekpop3`.
_OWN = (
    "uid", "trans_depth", "command", "msg_num", "uidl", "size", "fidelity", "complete", "missing_bytes",
    "defects", "from_site", "thread_id", "auth_server", "auth_spf", "auth_dkim", "auth_dmarc", "auth_arc",
    "mail_id",
)  # fmt: skip
COLUMNS = (
    *_OWN, "ts", "id_orig_h", "id_orig_p", "id_resp_h", "id_resp_p", "community_id", "sensor", "user",
    "sha256", "date", "subject", "msg_id", "user_agent", "path", "content_type",
)  # fmt: skip


def document(mail: dict[str, Any]) -> dict[str, Any]:
    """The document; fields without a value are left out."""
    client, server = valid_ip(mail["id_orig_h"]), valid_ip(mail["id_resp_h"])
    key = f"{mail['uid']}/{mail['trans_depth']}"
    attachments = mail["attachments"] or []
    found: dict[str, Any] = without_empty(
        {
            "@timestamp": iso(mail["ts"]),
            "ecs": {"version": VERSION},
            "event": {
                "kind": "event",
                "category": ["email"],
                "type": ["info"],
                "action": "mail-previewed" if mail["command"] == "TOP" else "mail-fetched",
                "dataset": "zeekpop3.emails",
                "id": key,
            },
            **connection(mail),
            "email": _email(mail, key, attachments),
            "related": {
                "ip": distinct([client, server, *map(valid_ip, mail["path"] or [])]),
                "user": distinct([mail["user"]]),
                "hosts": distinct(link["host"] for link in mail["links"] or []),
                "hash": distinct([mail["sha256"], *(part["sha256"] for part in attachments)]),
            },
            "zeekpop3": {
                **{name: mail[name] for name in _OWN},
                "from_name": distinct(
                    each["name"] for each in mail["addresses"] or [] if each["field"] == "from"
                ),
                "urls": urls(mail),
            },
        }
    )
    return found


def connection(row: dict[str, Any]) -> dict[str, Any]:
    """What documents of mails, sessions and hits say of the connection; of hits, the client has no port."""
    client = valid_ip(row["id_orig_h"])
    return {
        "source": {"ip": client, "port": row.get("id_orig_p"), "user": {"name": row["user"]}},
        "destination": {"ip": valid_ip(row["id_resp_h"]), "port": row["id_resp_p"]},
        "network": {
            "protocol": "pop3",
            "transport": "tcp",
            "type": client and ("ipv6" if ":" in client else "ipv4"),
            "community_id": row["community_id"],
        },
        "observer": {"name": row["sensor"], "type": "sensor", "product": "Zeek"},
    }


def urls(mail: dict[str, Any]) -> list[str]:
    """The URLs of a mail's links, and what rewritten ones lead to."""
    return distinct(url for link in mail["links"] or [] for url in (link["url"], link["target"]))


def _email(mail: dict[str, Any], key: str, attachments: list[dict[str, Any]]) -> dict[str, Any]:
    def addresses(field: str) -> list[str]:
        return distinct(each["address"] for each in mail["addresses"] or [] if each["field"] == field)

    return {
        **{field: {"address": addresses(field)} for field in ("from", "reply_to", "to", "cc", "bcc")},
        "sender": {"address": next(iter(addresses("sender")), None)},
        "subject": mail["subject"],
        "message_id": bare_id(mail["msg_id"]),
        "local_id": key,
        "origination_timestamp": iso(mail["date"]) if mail["date"] else None,
        "delivery_timestamp": iso(mail["ts"]),
        "content_type": mail["content_type"],
        "x_mailer": mail["user_agent"],
        "attachments": [{"file": _file(part)} for part in attachments],
    }


def _file(part: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": part["filename"],
        "extension": part["extension"],
        "mime_type": part["mime_type"] or part["content_type"],
        "size": part["size"],
        "hash": {name: part[name] for name in ("md5", "sha1", "sha256")},
    }


def without_empty(value: Any) -> Any:
    """A document without nulls, empty lists and empty objects."""
    if isinstance(value, dict):
        kept = {name: without_empty(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each is not None and each != [] and each != {}}
    return [without_empty(each) for each in value] if isinstance(value, list) else value


def valid_ip(address: str | None) -> str | None:
    """The address if it is one; logs and mails can hold anything."""
    try:
        return str(ipaddress.ip_address((address or "").strip("[] ")))
    except ValueError:
        return None


def bare_id(message_id: str | None) -> str | None:
    """A message id without angle brackets."""
    return (message_id or "").strip().removeprefix("<").removesuffix(">") or None


def distinct(values: Iterable[str | None]) -> list[str]:
    """Each value once, in this order, without empty ones."""
    return list(dict.fromkeys(value for value in values if value))

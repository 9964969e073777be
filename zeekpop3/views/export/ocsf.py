"""A mail as an event of OCSF 1.8, class Email Activity (4009), activity Receive.

The direction of a mail is unknown: a client fetches mail from inside and outside. The endpoints are client
and server of the POP3 connection. Addresses that OCSF's type `email_t` does not allow are only in the mailbox
attributes.
"""

from __future__ import annotations

import re
from typing import Any

from zeekpop3._version import __version__
from zeekpop3.views.export.ecs import COLUMNS as ECS_COLUMNS
from zeekpop3.views.export.ecs import bare_id, distinct, valid_ip, without_empty

VERSION = "1.8.0"

COLUMNS = (
    *ECS_COLUMNS, "from", "to", "cc", "reply_to", "sender", "x_originating_ip", "return_path_address", "dkim",
)  # fmt: skip

EMAIL = re.compile(r"[a-zA-Z0-9!#$%&'*+\-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9.-]+")
_ALGORITHMS = {"md5": (1, "MD5"), "sha1": (2, "SHA-1"), "sha256": (3, "SHA-256")}
_UNMAPPED = (
    "community_id", "sensor", "uidl", "msg_num", "fidelity", "complete", "missing_bytes", "defects",
    "from_site", "user_agent", "auth_server", "auth_arc", "mail_id",
)  # fmt: skip


def document(mail: dict[str, Any]) -> dict[str, Any]:
    """The event; attributes without a value are left out, but `email.to`, which may be empty."""
    event: dict[str, Any] = without_empty(
        {
            "activity_id": 2,
            "activity_name": "Receive",
            "category_uid": 4,
            "category_name": "Network Activity",
            "class_uid": 4009,
            "class_name": "Email Activity",
            "type_uid": 400902,
            "type_name": "Email Activity: Receive",
            "severity_id": 1,
            "severity": "Informational",
            "direction_id": 0,
            "direction": "Unknown",
            "status_id": 1 if mail["complete"] else 0,
            "status": "Success" if mail["complete"] else "Unknown",
            "status_detail": "; ".join(mail["defects"] or []) or None,
            "time": round(mail["ts"].timestamp() * 1000),
            "metadata": {
                "version": VERSION,
                "product": {"name": "zeekpop3", "vendor_name": "zeekpop3", "version": __version__},
                "uid": f"{mail['uid']}/{mail['trans_depth']}",
                "correlation_uid": mail["uid"],
                "log_name": "emails",
            },
            "protocol_name": "POP3",
            "command": mail["command"],
            "src_endpoint": _endpoint(mail["id_orig_h"], mail["id_orig_p"], mail["user"]),
            "dst_endpoint": _endpoint(mail["id_resp_h"], mail["id_resp_p"]),
            "email": _email(mail),
            "email_auth": {
                **{name: mail[f"auth_{name}"] for name in ("spf", "dkim", "dmarc")},
                "dkim_domain": next((found["domain"] for found in mail["dkim"] or []), None),
            },
            "unmapped": {name: mail[name] for name in _UNMAPPED},
        }
    )
    event.setdefault("email", {}).setdefault("to", [])  # OCSF requires `from` or `to`
    return event


def _email(mail: dict[str, Any]) -> dict[str, Any]:
    def valid(field: str) -> list[str]:
        found = (each["address"] for each in mail["addresses"] or [] if each["field"] == field)
        return [address for address in found if address and EMAIL.fullmatch(address)]

    return {
        "from": next(iter(valid("from")), None),
        "from_mailbox": mail["from"],
        "to": valid("to"),
        "to_mailboxes": mail["to"],
        "cc": valid("cc"),
        "cc_mailboxes": mail["cc"],
        "delivered_to_list": valid("delivered_to"),
        "reply_to_list": valid("reply_to"),
        "reply_to_mailboxes": [mail["reply_to"]] if mail["reply_to"] else [],
        "return_path": next(iter(valid("return_path")), None),
        "sender": next(iter(valid("sender")), None),
        "sender_mailbox": mail["sender"],
        "subject": mail["subject"],
        "message_uid": bare_id(mail["msg_id"]),
        "uid": bare_id(mail["thread_id"]),
        "size": mail["size"],
        "x_originating_ip": distinct([valid_ip(mail["x_originating_ip"])]),
        "files": [_file(part) for part in mail["attachments"] or []],
        "urls": [
            {
                "url_string": link["url"],
                "scheme": link["scheme"],
                "hostname": link["host"],
                "domain": link["site"],
            }
            for link in mail["links"] or []
        ],
    }


def _file(part: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": part["filename"] or f"part {part['part']}",
        "type_id": 1,
        "type": "Regular File",
        "ext": part["extension"],
        "mime_type": part["mime_type"] or part["content_type"],
        "size": part["size"],
        "hashes": [
            {"algorithm_id": number, "algorithm": caption, "value": part[name]}
            for name, (number, caption) in _ALGORITHMS.items()
            if part[name]
        ],
    }


def _endpoint(address: str | None, port: int | None, user: str | None = None) -> dict[str, Any]:
    """An endpoint; without a valid address it is empty, as OCSF requires one."""
    if (ip := valid_ip(address)) is None:
        return {}
    return {"ip": ip, "port": port, "owner": {"name": user, "type_id": 1} if user else {}}

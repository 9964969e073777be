"""What somebody would write today, without zeekpop3: zat's reader, a dict by uid, the standard library.

    python tests/bench/plain_script.py LOG OUT.parquet

It takes well-behaved sessions for granted, and makes one table of a few fields, without attachments' hashes.
"""

from __future__ import annotations

import base64
import sys
from collections import defaultdict
from email import message_from_bytes, policy

import pandas as pd
from zat.zeek_log_reader import ZeekLogReader


def mails_exact(rows: list[dict]) -> list[bytes]:
    """The responses to RETR, from the server's bytes and where it stood when each command was sent."""
    stream = b"".join(base64.b64decode(row["data"]) for row in rows if row["kind"] == "contents")
    mails = []
    for row in rows:
        if row["kind"] == "sent" and row["command"] == "RETR":
            body = stream.find(b"\r\n", row["offset"]) + 2
            mails.append(stream[body : stream.find(b"\r\n.\r\n", body)].replace(b"\r\n..", b"\r\n."))
    return mails


def mails_plain(rows: list[dict]) -> list[bytes]:
    """The lines after each RETR; folded header fields stay broken."""
    mails: list[list[bytes]] = []
    within = False
    for row in rows:
        if row["kind"] == "request":
            within = row["command"] == "RETR"
            if within:
                mails.append([])
        elif row["kind"] == "data" and within:
            mails[-1].append(base64.b64decode(row["data"]) if row["data"] != "-" else b"")
    return [b"\r\n".join(lines) for lines in mails]


def main(log: str, out: str) -> None:
    by_uid = defaultdict(list)
    exact = False
    for row in ZeekLogReader(log).readrows():
        by_uid[row["uid"]].append(row)
        exact = exact or row["kind"] == "contents"
    records = []
    for uid, rows in by_uid.items():
        for raw in mails_exact(rows) if exact else mails_plain(rows):
            mail = message_from_bytes(raw, policy=policy.default)
            record = {"uid": uid, "raw": raw}
            for name in ("From", "To", "Cc", "Subject", "Date", "Message-ID"):
                try:
                    record[name] = str(mail[name])
                except Exception:
                    record[name] = None
            try:
                body = mail.get_body(("plain", "html"))
                record["text"] = body.get_content().encode("utf-8", "replace").decode() if body else None
                record["attachments"] = [
                    (part.get_filename() or "", len(part.get_payload(decode=True) or b""))
                    for part in mail.iter_attachments()
                ]
            except Exception:
                record["text"] = None
            record["attachments"] = str(record.get("attachments"))
            records.append(record)
    for record in records:
        for name, value in record.items():
            if isinstance(value, str):
                record[name] = value.encode("utf-8", "replace").decode()
    pd.DataFrame(records).to_parquet(out)
    print(len(records), "mails")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""OCSF events as Parquet files in the layout that Amazon Security Lake asks of a custom source.

`OUT/region=…/accountId=…/eventDay=YYYYMMDD/….parquet`: one class of events (Email Activity), sorted by time,
compressed with zstd, in UTC days. The columns are the attributes that `ocsf.document` fills; they are equal
in all files, so that a crawler finds one schema. `unmapped` is a map of texts, as in the lake's own sources.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from zeekpop3.errors import UsageError
from zeekpop3.store.files import make_folder, new_file
from zeekpop3.store.filters import Filters
from zeekpop3.views.export import ocsf
from zeekpop3.views.export.mails import ExportState, MailReader

#: Mails of a file. Security Lake asks for few large files; this bounds the memory.
_MAILS = 5000
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_ACCOUNT = re.compile(r"\d{12}|external_[A-Za-z0-9_-]{1,64}")

_INTS = "activity_id category_uid class_uid severity_id direction_id status_id"
_TEXTS = (
    "activity_name category_name class_name type_name severity direction status status_detail protocol_name "
    "command"
)
_EMAIL_TEXTS = "from from_mailbox return_path sender sender_mailbox subject message_uid uid"
_EMAIL_LISTS = (
    "to to_mailboxes cc cc_mailboxes delivered_to_list reply_to_list reply_to_mailboxes x_originating_ip"
)


@cache
def schema() -> pa.Schema:
    """The columns of a file."""
    text = pa.string()

    def texts(names: str) -> list[tuple[str, pa.DataType]]:
        return [(name, text) for name in names.split()]

    endpoint = pa.struct(
        [("ip", text), ("port", pa.int32()), ("owner", pa.struct([("name", text), ("type_id", pa.int32())]))]
    )
    digest = pa.struct([("algorithm_id", pa.int32()), *texts("algorithm value")])
    file = pa.struct(
        [
            ("type_id", pa.int32()),
            ("size", pa.int64()),
            ("hashes", pa.list_(digest)),
            *texts("name type ext mime_type"),
        ]
    )
    email = pa.struct(
        [
            ("size", pa.int64()),
            *texts(_EMAIL_TEXTS),
            *((name, pa.list_(text)) for name in _EMAIL_LISTS.split()),
            ("files", pa.list_(file)),
            ("urls", pa.list_(pa.struct(texts("url_string scheme hostname domain")))),
        ]
    )
    product = pa.struct(texts("name vendor_name version"))
    return pa.schema(
        [
            ("time", pa.int64()),
            ("type_uid", pa.int64()),
            *((name, pa.int32()) for name in _INTS.split()),
            *texts(_TEXTS),
            ("metadata", pa.struct([("product", product), *texts("version uid correlation_uid log_name")])),
            ("src_endpoint", endpoint),
            ("dst_endpoint", endpoint),
            ("email", email),
            ("email_auth", pa.struct(texts("spf dkim dmarc dkim_domain"))),
            ("unmapped", pa.map_(text, text)),
        ]
    )


def write_files(
    path: str | Path,
    out: str | Path,
    state: ExportState,
    filters: Filters | None = None,
    *,
    region: str,
    account: str,
) -> Iterator[tuple[int, Path]]:
    """Write the mails that `state` does not hold; gives the number of mails and the name of each file.

    A file appears as a whole; its mails are added to the state when the next one is asked for. The same mails
    make a file of the same name. Raises UsageError for an invalid region or account, QueryError,
    OutputError.
    """
    if not _REGION.fullmatch(region):
        raise UsageError(f"invalid region {region!r}: expected one such as eu-central-1")
    if not _ACCOUNT.fullmatch(account):
        raise UsageError(f"invalid account {account!r}: expected 12 digits, or external_ and a name")
    with MailReader(path, ocsf.COLUMNS, parts=True, at_once=_MAILS) as reader:
        for mails in reader.new_mails(state, filters):
            if mails:
                day = f"{mails[0]['ts']:%Y%m%d}"
                folder = Path(out) / f"region={region}" / f"accountId={account}" / f"eventDay={day}"
                yield len(mails), _write(folder, [ocsf.document(mail) for mail in mails])


def _write(folder: Path, events: list[dict[str, Any]]) -> Path:
    for event in events:
        event["unmapped"] = {name: _text(value) for name, value in event.get("unmapped", {}).items()}
    ids = "\n".join(event["metadata"]["uid"] for event in events)
    path = folder / f"zeekpop3-{hashlib.sha256(ids.encode()).hexdigest()[:32]}.parquet"
    make_folder(folder)
    with new_file(path) as file:
        pq.write_table(pa.Table.from_pylist(events, schema()), file, compression="zstd")
    return path


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

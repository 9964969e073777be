"""The rows of a batch by connection: each uid's rows together, in the order of `seq`."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING

from zeekpop3.log.batch import Batch
from zeekpop3.session import ConnId, Rows

if TYPE_CHECKING:
    from zeekpop3.log.batch import Ints


def group(batch: Batch) -> Iterator[tuple[str, Rows]]:
    """The uids of `batch` in order of first appearance, each with its rows."""
    import numpy as np

    if not len(batch):
        return
    order = np.lexsort((batch.seq, batch.uid_code))
    codes = batch.uid_code.take(order)
    begins = np.concatenate(([0], np.flatnonzero(np.diff(codes)) + 1))
    ends = np.append(begins[1:], len(codes)).tolist()
    ids = _conn_ids(batch, order, codes)
    ts, seq = _numbers(batch.ts, order), _numbers(batch.seq, order)
    offset, length = _numbers(batch.offset, order), _numbers(batch.length, order)
    kind, command = batch.kind.take(order), batch.command.take(order)
    data = list(map(batch.data.__getitem__, order.tolist()))
    for begin, end, code in zip(begins.tolist(), ends, codes[begins].tolist(), strict=True):
        at = slice(begin, end)
        kinds, commands = kind[at].tolist(), command[at].tolist()
        of_uid = ts[at], seq[at], kinds, commands, offset[at], length[at], data[at]
        rows = Rows(*of_uid, ids.get(code), batch.log)
        yield batch.uids[code], rows


def _numbers(column: Ints, order: Ints) -> array[int]:
    """A column in an order. Most of its numbers are never used, so no Python object is made of them."""
    numbers = array("q")
    numbers.frombytes(column.take(order).data.cast("B"))
    return numbers


def _conn_ids(batch: Batch, order: Ints, codes: Ints) -> dict[int, ConnId]:
    """For each uid (by its code) the four-tuple of its first row that has one."""
    import numpy as np

    having = np.flatnonzero(batch.orig_p.take(order) >= 0)
    uids, first = np.unique(codes[having], return_index=True)
    rows = order[having[first]]
    columns = [column[rows].tolist() for column in (batch.orig_h, batch.orig_p, batch.resp_h, batch.resp_p)]
    ids = map(ConnId, *columns)
    return {code: each for code, each in zip(uids.tolist(), ids, strict=True) if None not in each}

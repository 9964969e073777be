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
    order, codes, in_order = _order(batch)
    begins = np.concatenate(([0], np.flatnonzero(np.diff(codes)) + 1))
    ends = np.append(begins[1:], len(codes)).tolist()
    ids = _conn_ids(batch, order, codes)
    ts, seq = _numbers(batch.ts, order), _words(in_order)
    offset, length = _numbers(batch.offset, order), _numbers(batch.length, order)
    kind, command = batch.kind.take(order), batch.command.take(order)
    data = list(map(batch.data.__getitem__, order.tolist()))
    for begin, end, code in zip(begins.tolist(), ends, codes[begins].tolist(), strict=True):
        rows = slice(begin, end)
        yield (
            batch.uids[code],
            Rows(
                ts[rows],
                seq[rows],
                kind[rows].tolist(),
                command[rows].tolist(),
                offset[rows],
                length[rows],
                data[rows],
                ids.get(code),
            ),
        )


def _numbers(column: Ints, order: Ints) -> array[int]:
    return _words(column.take(order))


def _words(column: Ints) -> array[int]:
    """A column as machine words. Most of its numbers are never used, so no Python object is made of them."""
    numbers = array("q")
    numbers.frombytes(column.data.cast("B"))
    return numbers


def _order(batch: Batch) -> tuple[Ints, Ints, Ints]:
    """The rows by uid, then by seq, and the uids (by their code) and seqs in that order. Zeek writes a
    connection's rows in order, so they rarely have to be sorted by seq."""
    import numpy as np

    codes = batch.uid_code
    order = np.argsort(codes, kind="stable")
    by_uid, seq = codes.take(order), batch.seq.take(order)
    if ((seq[1:] < seq[:-1]) & (by_uid[1:] == by_uid[:-1])).any():
        order = np.lexsort((batch.seq, codes))
        by_uid, seq = codes.take(order), batch.seq.take(order)
    return order, by_uid, seq


def _conn_ids(batch: Batch, order: Ints, codes: Ints) -> dict[int, ConnId]:
    """For each uid (by its code) the four-tuple of its first row that has one."""
    import numpy as np

    having = np.flatnonzero(batch.orig_p.take(order) >= 0)
    uids, first = np.unique(codes[having], return_index=True)
    rows = order[having[first]]
    return {
        code: ConnId(orig_h, orig_p, resp_h, resp_p)
        for code, orig_h, orig_p, resp_h, resp_p in zip(
            uids.tolist(),
            batch.orig_h[rows].tolist(),
            batch.orig_p[rows].tolist(),
            batch.resp_h[rows].tolist(),
            batch.resp_p[rows].tolist(),
            strict=True,
        )
        if orig_h is not None and resp_h is not None
    }

"""Python values, a column at a time, to Arrow arrays: never fails for what a mail or a server may have said.

A number that the column cannot hold becomes null, a lone surrogate U+FFFD. Both are seen only after the fast
way has failed, so that they cost nothing otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_RANGES = {
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint16": (0, 2**16 - 1),
    "timestamp[us, tz=UTC]": (-(2**63) + 1, 2**63 - 1),
}


_LONGEST = 2**31 - 1  # bytes in an array of type binary
_LARGE = 1 << 16  # bytes, from which on a copy costs more than an array


def flat(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """An array of a type that is neither list nor struct; None is null."""
    import pyarrow as pa

    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:
        return pa.array([None if value is None else _encodable(value) for value in values], kind)
    except (OverflowError, pa.ArrowInvalid):
        bounds = _RANGES.get(str(kind))
        if bounds is None:
            raise
        low, high = bounds
        return pa.array([v if v is not None and low <= v <= high else None for v in values], kind)


def binary(values: Sequence[bytes | None]) -> pa.Array | pa.ChunkedArray:
    """An array of byte strings: small ones are copied once, into a buffer of the right size, large ones stay
    where they are, each a chunk of its own.
    """
    import numpy as np
    import pyarrow as pa

    present = [value for value in values if value is not None]
    ends = np.zeros(len(present) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, present), np.int64, len(present)), out=ends[1:])
    if len(present) < len(values) or ends[-1] > _LONGEST:
        return pa.array(values, pa.binary())  # more than one array holds becomes several, as Arrow does it
    if ends[-1] > len(present) * _LARGE:
        return pa.chunked_array([_alone(value) for value in present], pa.binary())
    data = pa.py_buffer(b"".join(present))
    return pa.Array.from_buffers(pa.binary(), len(present), [None, pa.py_buffer(ends.astype(np.int32)), data])


def _alone(value: bytes) -> pa.Array:
    """The array of one byte string, which is not copied."""
    import numpy as np
    import pyarrow as pa

    ends = pa.py_buffer(np.array([0, len(value)], np.int32))
    return pa.Array.from_buffers(pa.binary(), 1, [None, ends, pa.py_buffer(value)])


def _encodable(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def list_of(column: Sequence[Sequence[Any] | None], values: Callable[[Iterable[Any]], pa.Array]) -> pa.Array:
    """A list array of a column of Python lists (None is null); `values` makes the array of their items."""
    sizes = [None if entry is None else len(entry) for entry in column]
    return lists(sizes, values(chain.from_iterable([entry or () for entry in column])))


def lists(sizes: Sequence[int | None], values: pa.Array) -> pa.Array:
    """A list array of the items of all lists, one behind the other, and the lists' sizes (None is null)."""
    import pyarrow as pa

    ends: list[int | None] = list(accumulate((size or 0 for size in sizes), initial=0))
    if None in sizes:
        # Arrow's convention: a null among the offsets makes the list that starts there null.
        ends[:-1] = [None if size is None else end for size, end in zip(sizes, ends, strict=False)]
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), values)


def struct_of(columns: Sequence[Sequence[Any]], kind: pa.StructType) -> pa.Array:
    """A struct array of its members' columns."""
    import pyarrow as pa

    fields = [kind.field(i) for i in range(kind.num_fields)]
    arrays = [flat(column, field.type) for column, field in zip(columns, fields, strict=True)]
    return pa.StructArray.from_arrays(arrays, fields=fields)

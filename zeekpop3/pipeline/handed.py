"""The session machine's objects from one process to another, whether it is compiled or not.

A class that mypyc has compiled has neither `__dict__` nor `__slots__`, and pickle would leave its attributes
behind. So they are named here, one by one; what they hold is plain data.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, Generic, TypeVar

from zeekpop3.session import Connection
from zeekpop3.session.dialogue import Dialogue
from zeekpop3.session.exact import ExactReader
from zeekpop3.session.plain import PlainReader
from zeekpop3.session.stray import Strays

_ROOM = "zeekpop3.session."

T = TypeVar("T")


class Handed(Generic[T]):
    """Something that may go to another process: `it`."""

    def __init__(self, it: T) -> None:
        self.it = it

    def __reduce__(self) -> tuple[Callable[[bytes], Handed[T]], tuple[bytes]]:
        out = io.BytesIO()
        _Pickler(out, pickle.HIGHEST_PROTOCOL).dump(self.it)
        return _handed, (out.getvalue(),)


def _handed(pickled: bytes) -> Handed[Any]:
    return Handed(pickle.loads(pickled))


class _Pickler(pickle.Pickler):
    def reducer_override(self, thing: object) -> Any:
        """pickle's hook, asked for all that is no plain data."""
        kind = type(thing)
        if not kind.__module__.startswith(_ROOM):
            return NotImplemented
        if is_dataclass(kind):
            return kind, tuple(getattr(thing, field.name) for field in fields(kind))
        names = getattr(kind, "__mypyc_attrs__", None) or vars(thing)
        state = {name: getattr(thing, name) for name in names}
        # With the state apart, objects may refer to each other.
        return _blank, (kind,), state, None, None, _fill


def _blank(kind: type[Any]) -> Any:
    """An object whose attributes will all be set: a compiled class makes none without its arguments."""
    if kind is Connection:
        return Connection("")
    if kind is Dialogue:
        return Dialogue("", "")
    if kind is Strays:
        return Strays(Dialogue("", ""))
    if kind in (ExactReader, PlainReader):
        return kind(Dialogue("", ""), 0)
    return kind()


def _fill(thing: object, state: dict[str, Any]) -> None:
    for name, value in state.items():
        setattr(thing, name, value)

"""The dictionary of open connections packs what is not used, and gives back what was put in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zeekpop3.pipeline.connections import PackedDict, Packer

_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add packed", "get", "change", "pop", "discard"]),
        st.sampled_from("abcdefgh"),
        st.one_of(st.binary(max_size=50), st.just(b"x" * 20_000)),
    ),
    max_size=60,
)


@given(_STEPS)
def test_it_is_a_dictionary(steps: list[tuple[str, str, bytes]]) -> None:
    """Whatever is done to it, it holds what a dictionary would hold, in the same order."""
    packer: Packer[list[bytes]] = Packer([[]])
    packed: PackedDict[list[bytes]] = PackedDict(packer, 3)
    plain: dict[str, list[bytes]] = {}
    for what, uid, value in steps:
        if what == "add":
            packed.add(uid, [value])
            plain[uid] = [value]
        elif what == "add packed":
            packed.add_packed(uid, packer.pack([value]))
            plain[uid] = [value]
        elif what == "get":
            assert packed.get(uid) == plain.get(uid)
        elif what == "change":
            found = packed.get(uid)
            if found is not None:
                found.append(value)
                plain[uid].append(value)
        elif what == "pop" and uid in plain:
            assert packed.pop(uid) == plain.pop(uid)
        else:
            packed.discard(uid)
            plain.pop(uid, None)
        assert list(packed) == list(plain)
        assert len(list(packed.recent())) <= 3
    assert {uid: packed.get(uid) for uid in plain} == plain
    for uid in plain:
        packed.discard(uid)
    assert (len(packed), packed.packed_bytes) == (0, 0)

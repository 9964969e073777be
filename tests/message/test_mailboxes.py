"""Address fields taken apart: names, addresses, domains and sites; what a mail program would reply to."""

from __future__ import annotations

import pytest

from zeekpop3.defects import Defects
from zeekpop3.message.mailboxes import Address, collect


def taken_apart(*values: str, field: str = "from") -> tuple[list[Address], Defects]:
    defects: Defects = {}
    return collect([field] * len(values), list(values), defects)[0], defects


# field value: (name, address) of each mailbox, and whether something was guessed
FORMS: dict[str, tuple[list[tuple[str | None, str | None]], bool]] = {
    "lisi@example.com": ([(None, "lisi@example.com")], False),
    "<lisi@example.com>": ([(None, "lisi@example.com")], False),
    "Li Si <LISI@Example.COM>": ([("Li Si", "lisi@example.com")], False),
    '"Si, Li" <lisi@example.com>': ([("Si, Li", "lisi@example.com")], False),
    r'"Li \"S\" Si" <lisi@example.com>': ([('Li "S" Si', "lisi@example.com")], False),
    '"Li" "Si" <lisi@example.com>': ([("Li Si", "lisi@example.com")], False),
    "lisi@example.com (Li Si)": ([("Li Si", "lisi@example.com")], False),
    "Li (not shown) Si <lisi@example.com>": ([("Li Si", "lisi@example.com")], False),
    "Li <lisi@example.com> (home)": ([("Li", "lisi@example.com")], False),
    "a@b.example, Cy <c@d.example>": ([(None, "a@b.example"), ("Cy", "c@d.example")], False),
    'Team: a@b.example, "C, D" <c@d.example>;': ([(None, "a@b.example"), ("C, D", "c@d.example")], False),
    "undisclosed-recipients:;": ([], False),
    "<>": ([], False),
    "": ([], False),
    # Encoded words are decoded after the field is taken apart.
    "=?utf-8?q?J=C3=B6rg?= <j@o.example>": ([("Jörg", "j@o.example")], False),
    '"=?utf-8?q?J=C3=B6rg?=" <j@o.example>': ([("Jörg", "j@o.example")], False),
    "=?utf-8?q?A?= =?utf-8?q?B?= <a@b.example>": ([("AB", "a@b.example")], False),
    "=?utf-8?q?Foo_(bar)?= <a@b.example>": ([("Foo (bar)", "a@b.example")], False),
    "=?utf-8?q?Boss_=3Cboss=40a.example=3E?= <x@b.example>": (
        [("Boss <boss@a.example>", "x@b.example")],
        False,
    ),
    # An address as the name is only shown.
    '"Boss <boss@a.example>" <x@b.example>': ([("Boss <boss@a.example>", "x@b.example")], False),
    "boss@a.example <x@b.example>": ([("boss@a.example", "x@b.example")], False),
    '"<boss@a.example>" <x@b.example>': ([("<boss@a.example>", "x@b.example")], False),
    # Forms that are allowed, but rare.
    "bob @ x . example": ([(None, "bob@x.example")], False),
    "<@relay.example:bob@x.example>": ([(None, "bob@x.example")], False),
    '"bob"@x.example': ([(None, "bob@x.example")], False),
    '"bob b"@x.example': ([(None, '"bob b"@x.example')], False),
    "bob@[192.0.2.7]": ([(None, "bob@[192.0.2.7]")], False),
    "SRS0=Ab=cd=x.example=bob@y.example": ([(None, "srs0=ab=cd=x.example=bob@y.example")], False),
    "ü@xn--bcher-kva.example": ([(None, "ü@bücher.example")], False),
    "postmaster": ([(None, "postmaster")], False),
    # Malformed: what mail programs make of it, marked as a guess.
    "Boss <boss@a.example> <x@b.example>": (
        [("Boss", "boss@a.example"), (None, "x@b.example")],
        True,
    ),
    "a@b.example c@d.example": ([(None, "a@b.example"), (None, "c@d.example")], True),
    "Li Si lisi@example.com": ([("Li Si", "lisi@example.com")], True),
    '"Li Si" lisi@example.com': ([("Li Si", "lisi@example.com")], True),
    "Li Si [lisi@example.com]": ([("Li Si", "lisi@example.com")], True),
    "<lisi@example.com": ([(None, "lisi@example.com")], True),
    "<<lisi@example.com>>": ([(None, "lisi@example.com")], True),
    "'lisi@example.com'": ([(None, "lisi@example.com")], True),
    "Li <'lisi@example.com'>": ([("Li", "lisi@example.com")], True),
    "<mailto:lisi@example.com>": ([(None, "lisi@example.com")], True),
    "Li <lisi@example.com> Si": ([("Li", "lisi@example.com")], True),
    "a@b@c.example": ([(None, "a@b@c.example")], True),
    "=?utf-8?q?lisi=40example=2Ecom?=": ([(None, "lisi@example.com")], True),
    "=?utf-8?q?Li_=3Clisi=40example=2Ecom=3E?=": ([("Li", "lisi@example.com")], True),
    "Li Si": ([("Li Si", None)], True),
    "Li <>": ([("Li", None)], True),
    "<@relay.example:>": ([], True),
    "<@relay.example,@other.example:bob@x.example>": ([(None, "bob@x.example")], True),
    "Li <=?utf-8?q?lisi?=@example.com>": ([("Li", "lisi@example.com")], True),
    "\u202alisi@example.com\u202c": ([(None, "lisi@example.com")], True),
    "Lí <lisi@exam\u200bple.com>": ([("Lí", "lisi@example.com")], True),
    "L\u200bí <lisi@example.com>": ([("L\u200bí", "lisi@example.com")], False),
}


@pytest.mark.parametrize("value", FORMS)
def test_name_and_address(value: str) -> None:
    """Each form gives the name that is shown and the address that a reply goes to; a guess is a defect."""
    wanted, guessed = FORMS[value]
    found, defects = taken_apart(value)
    assert [(address.name, address.address) for address in found] == wanted
    assert ("address_malformed" in defects) == guessed


def test_parts_of_an_address() -> None:
    """The local part keeps its case and loses its quotes; the domain is in one form, with its site."""
    (address,), _ = taken_apart('"Bob B"@Mail.XN--BCHER-KVA.co.uk')
    assert address == Address(
        "from", 1, None, '"bob b"@mail.bücher.co.uk', "Bob B", "mail.bücher.co.uk", "bücher.co.uk"
    )
    (address,), _ = taken_apart("bob@[192.0.2.7]")
    assert (address.domain, address.site) == ("[192.0.2.7]", None)
    (address,), _ = taken_apart("postmaster")
    assert (address.local_part, address.domain, address.site) == ("postmaster", None, None)


def test_position_counts_in_a_field() -> None:
    """Positions continue over fields of one name; other fields are left out."""
    lowered = ["to", "subject", "to", "reply-to", "reply-to", "return-path", "delivered-to"]
    values = ["a@x.example, b@x.example", "c@x.example", "d@x.example", "e@x.example, f@x.example",
              "g@x.example", "<>", "h@x.example"]  # fmt: skip
    found, people = collect(lowered, values, {})
    assert [(address.field, address.position, address.local_part) for address in found] == [
        ("to", 1, "a"), ("to", 2, "b"), ("to", 3, "d"),
        ("reply_to", 1, "e"), ("reply_to", 2, "f"), ("reply_to", 3, "g"),
        ("delivered_to", 1, "h"),
    ]  # fmt: skip
    assert people == {"to": ["a@x.example", "b@x.example", "d@x.example"]}


def test_entries_as_text() -> None:
    """To, Cc and Bcc also give their entries as written, decoded; a field without mailboxes gives none."""
    lowered, values = (
        ["to", "cc", "from"],
        ["=?utf-8?q?J=C3=B6?= <j@x.example>, b@x.example", "none:;", "c@x"],
    )
    _, people = collect(lowered, values, {})
    assert people == {"to": ["Jö <j@x.example>", "b@x.example"], "cc": []}


def test_too_many_addresses_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit holds over all fields of a mail."""
    monkeypatch.setattr("zeekpop3.message.mailboxes.MAX_ADDRESSES", 3)
    defects: Defects = {}
    found, _ = collect(["to", "cc"], ["a@x.example, b@x.example", "c@x.example, d@x.example"], defects)
    assert len(found) == 3
    assert "addresses_cut" in defects

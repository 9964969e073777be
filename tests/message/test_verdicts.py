"""Verdicts of SPF, DKIM, DMARC and ARC, in the forms that servers write."""

from __future__ import annotations

import pytest

from zeekpop3.message.verdicts import Verdicts, collect

MICROSOFT = (
    "spf=pass (sender IP is 192.0.2.7) smtp.mailfrom=a.example; dkim=fail (body hash did not verify) "
    "header.d=a.example;dmarc=bestguesspass action=none header.from=a.example;compauth=pass reason=109"
)
GOOGLE = (
    'mx.google.com; dkim=pass header.i=@a.example header.s=s1 header.b="ab;cd"; '
    "spf=softfail (google.com: domain of x@a.example (not; really) designates) smtp.mailfrom=x; "
    "dmarc=pass (p=REJECT sp=REJECT dis=Verdicts()) header.from=a.example; arc=pass (i=1 spf=pass)"
)

# Value of the topmost Authentication-Results: server, spf, dkim, dmarc, arc
FORMS: dict[str, Verdicts] = {
    MICROSOFT: Verdicts(None, "pass", "fail", "bestguesspass", None),
    GOOGLE: Verdicts("mx.google.com", "softfail", "pass", "pass", "pass"),
    "mx.a.example; none": Verdicts("mx.a.example"),
    "mx.a.example 1; spf=none": Verdicts("mx.a.example", "none"),
    "MX.A.example (comment); SPF = Pass smtp.helo=x": Verdicts("mx.a.example", "pass"),
    "mx.a.example; dkim/1=neutral reason=\"a; dkim=pass\"": Verdicts("mx.a.example", None, "neutral"),
    "mx.a.example; dkim=fail header.d=a; dkim=pass header.d=b": Verdicts("mx.a.example", None, "pass"),
    "mx.a.example; spf=fail; spf=pass": Verdicts("mx.a.example", "fail"),
    "mx.a.example; x-dkim=pass; dkim-adsp=pass; auth=pass": Verdicts("mx.a.example"),
    "mx.a.example; spf=(why) pass": Verdicts("mx.a.example", "pass"),
    "mx.a.example; spf=pass (not closed; dkim=pass": Verdicts("mx.a.example", "pass"),
    "": Verdicts(),
    ";;": Verdicts(),
}  # fmt: skip


def verdicts(*fields: tuple[str, str]) -> Verdicts:
    return collect([name for name, _ in fields], [value for _, value in fields])


@pytest.mark.parametrize("value", FORMS)
def test_forms(value: str) -> None:
    """Each form gives the results and the server that made them, if it is named."""
    assert verdicts(("authentication-results", value)) == FORMS[value]


def test_only_the_topmost_counts() -> None:
    """Fields further down, and in what came before the last hop, may be forged."""
    top, forged = "mx.a.example; spf=fail", "mx.b.example; spf=pass; dkim=pass"
    assert verdicts(("authentication-results", top), ("authentication-results", forged)) == Verdicts(
        "mx.a.example", "fail"
    )
    again = "mx.a.example; dkim=pass"
    assert verdicts(
        ("authentication-results", top), ("received", "x"), ("authentication-results", again)
    ) == Verdicts("mx.a.example", "fail")


def test_fields_of_the_same_server_belong_together() -> None:
    """Some servers write a field for each check."""
    fields = [f"mx.a.example; {result}" for result in ("dmarc=pass", "dkim=pass", "spf=pass", "dmarc=fail")]
    assert verdicts(*[("authentication-results", field) for field in fields]) == Verdicts(
        "mx.a.example", "pass", "pass", "pass"
    )


def test_received_spf_is_the_fallback() -> None:
    """It counts only if nothing else says what SPF gave."""
    field = "Pass (mx.a.example: domain of x designates y) client-ip=192.0.2.7; receiver=mx.a.example;"
    assert verdicts(("received-spf", field)) == Verdicts("mx.a.example", "pass")
    assert verdicts(("received-spf", "SoftFail")) == Verdicts(None, "softfail")
    assert verdicts(
        ("received-spf", field), ("authentication-results", "mx.b.example; spf=fail")
    ) == Verdicts("mx.b.example", "fail")
    assert verdicts(
        ("received-spf", field), ("authentication-results", "mx.b.example; dkim=pass")
    ) == Verdicts("mx.b.example", "pass", "pass")


def test_arc() -> None:
    """The state of the chain; its results stand in if the last server says nothing."""
    results = "i=2; mx.b.example; dkim=pass; spf=pass; dmarc=fail"
    seal = "i=2; a=rsa-sha256; t=1; cv=pass; d=b.example; s=x; b=abc"
    assert verdicts(("arc-seal", seal), ("arc-authentication-results", results)) == Verdicts(
        "mx.b.example", "pass", "pass", "fail", "pass"
    )
    assert verdicts(
        ("authentication-results", "mx.a.example; spf=fail"), ("arc-authentication-results", results)
    ) == Verdicts("mx.a.example", "fail")


def test_nothing_is_said() -> None:
    """A mail without such fields has no verdicts."""
    assert verdicts(("from", "a@b.example")) == Verdicts()

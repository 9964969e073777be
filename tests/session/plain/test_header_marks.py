"""With `header` rows the folds are known: the header comes back as it was, whatever the lines look like."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from support.zeek_lines import simulate, split_lines, trim
from zeekpop3.session.plain.refold import refold


def back(raw: bytes) -> bytes:
    """The message as it comes back from the plain form; no fold may have been guessed."""
    lines, marks = simulate(raw)
    got, defects = refold(lines, marks)
    assert defects == []
    return got


def normal(raw: bytes) -> bytes:
    """A message as the plain form can give it at best: trimmed, one blank where a line began blank."""
    out = []
    for line in split_lines(raw):
        out.append((b" " if line[:1] in (b" ", b"\t") else b"") + trim(line))
    return b"".join(line + b"\r\n" for line in out)


HEADERS = {
    "folded": b"Subject: a\r\n\tb\r\n  c\r\nTo: x@y\r\n",
    "continuation looks like a field": b"X-A: 1\r\n To: nobody\r\nTo: x@y\r\n",
    "continuation repeats the field": b"X-A: 1\r\n X-A: 2\r\n X-A: 3\r\nTo: x@y\r\n",
    "line of blanks": b"Subject: a\r\n \t \r\n b\r\nTo: x@y\r\n",
    "line of blanks at the end": b"To: x@y\r\nSubject: a\r\n \r\n",
    "value on the next line": b"Subject:\r\n a\r\nTo: x@y\r\n",
    "blank before the colon": b"Subject : a\r\n b\r\nTo\t: x@y\r\n",
    "comment before the colon": b"Subject (c): a\r\n b\r\n",
    "no field": b"From x@y Mon Jan 1 00:00:00 2024\r\nTo: x@y\r\n z@y\r\n",
    "no field in the middle": b"To: x@y\r\nnonsense\r\nSubject: a\r\n b\r\n",
    "one name begins another": b"To: x\r\n y\r\nTopic: z\r\n To: u\r\nT: v\r\n w\r\n",
    "first line begins blank": b" From: a\r\nSubject: x\r\n y\r\n",
    "stuffed": b".X: a\r\n b\r\nTo: x@y\r\n",
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("body", [b"\r\nTo: z\r\nx\r\n", b"\r\n", b""])
def test_headers(name: str, body: bytes) -> None:
    """Folds come back, and nothing else is folded."""
    raw = HEADERS[name] + body
    assert back(raw).removesuffix(body) == normal(HEADERS[name])


def test_part_headers() -> None:
    """The headers of parts, nested and of an attached message, get their folds; bodies are left alone."""
    raw = (
        b'Content-Type: multipart/mixed;\r\n boundary="b:1"\r\n\r\npreamble\r\n--b:1\r\n'
        b"Content-Type: multipart/alternative;\r\n\tboundary=in\r\n\r\n--in\r\n"
        b"Content-Type: text/plain;\r\n charset=utf-8\r\n\r\n"
        b"Content-Type: in the body\r\nx\r\n--in--\r\n\r\n--b:1\r\n"
        b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n folded\r\nTo: x\r\n\r\nhello\r\n--b:1--\r\n"
    )
    assert back(raw) == normal(raw)


def test_part_after_body_that_looks_like_it() -> None:
    """A part's header is found where its delimiter is, not where the body before has the same words."""
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
        b"Content-Type: a\r\nContent-Type: b\r\n--b\r\n"
        b"Content-Type: text/plain;\r\n Content-Type: c\r\n\r\nx\r\n--b--\r\n"
    )
    assert back(raw) == normal(raw)


def test_a_boundary_without_an_empty_line() -> None:
    """A part that ends in its header, by a delimiter, keeps the next part's header apart."""
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX-A: 1\r\n"
        b" 2\r\n--b\r\nX-B: 3\r\n 4\r\n\r\n--b--\r\n"
    )
    assert back(raw) == normal(raw)


def test_a_mail_without_a_header() -> None:
    """Text before the first empty line that is not a field is left alone."""
    assert refold([b"hello", b"world", b"", b"x"], []) == (b"hello\r\nworld\r\n\r\nx\r\n", [])
    assert refold([], []) == (b"", [])
    assert refold([b""], []) == (b"\r\n", [])


def test_marks_that_end_early() -> None:
    """Where a log is cut off, what comes after the last mark is folded by its form, with a defect."""
    lines = [b"Subject: a", b"b", b"Received: from x", b"by y; 1 Jan 2024", b"at 12:00:01 +0200"]
    raw, defects = refold(lines, [(2, b"Subject")])
    assert raw == b"Subject: a\r\n b\r\nReceived: from x\r\n by y; 1 Jan 2024\r\n at 12:00:01 +0200\r\n"
    assert defects == ["header_fold_guessed"]


def test_a_mark_whose_line_was_lost() -> None:
    """A field whose first line is not there (a gap) leaves its other lines to their looks."""
    raw, defects = refold(
        [b"Subject: a", b"tail", b"To: x", b"", b"y"], [(1, b"Subject"), (2, b"Received"), (3, b"To")]
    )
    assert raw.endswith(b"\r\nTo: x\r\n\r\ny\r\n")
    assert defects == []


def test_marks_beyond_the_lines() -> None:
    """Marks that name more lines than there are (rows were lost) do no harm."""
    assert refold([b"Subject: a", b"b"], [(9, b"Subject"), (12, b"To")])[0] == b"Subject: a\r\n b\r\n"


_FIELD_NAME = st.sampled_from([b"To", b"Received", b"X-A", b"Content-Type", b"T", b"a.b", b"From"])
_TEXT = st.text('ab:;= -("', max_size=12).map(str.encode)


@st.composite
def _headers(draw: st.DrawFn) -> bytes:
    out = b""
    for _ in range(draw(st.integers(0, 6))):
        out += draw(_FIELD_NAME) + b":" + draw(_TEXT) + b"\r\n"
        for _ in range(draw(st.integers(0, 3))):
            name = draw(st.sampled_from([b"", b"To: ", b"Received:", b"From "]))
            out += draw(st.sampled_from([b" ", b"\t", b"   "])) + name + draw(_TEXT) + b"\r\n"
    return out


@given(_headers(), st.binary(max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_header(header: bytes, body: bytes) -> None:
    """Whatever the fields and their continuation lines say, the header comes back folded as it was."""
    lines, marks = simulate(header + b"\r\n" + body)
    got = refold(lines, marks)[0]
    want = normal(header)
    assert got[: len(want)] == want


@given(
    st.lists(
        st.sampled_from([b"", b"--b", b"To: x", b"Content-Type: multipart/mixed; boundary=b", b"x", b"a: b"])
    ),
    st.one_of(
        st.none(), st.lists(st.tuples(st.integers(0, 30), st.sampled_from([b"To", b"a", b"", b"(", b"\xff"])))
    ),
)
@example([b"To: x", b""], [(2, b"To"), (0, b"To")])
@settings(max_examples=300, deadline=None)
def test_no_line_is_lost(lines: list[bytes], marks: list[tuple[int, bytes]] | None) -> None:
    """Whatever is given, in whatever order: each line comes back, with at most one blank in front of it."""
    before = list(lines)
    raw = refold(lines, marks)[0]
    assert lines == before
    assert [re.sub(rb"^ ", b"", line) for line in raw.split(b"\r\n")[:-1]] == lines


@pytest.mark.parametrize(
    ("lines", "folded", "guessed"),
    [
        ([b"To: x,", b"y", b"", b"z: 1", b"2"], b"To: x,\r\n y\r\n\r\nz: 1\r\n2\r\n", True),
        ([b"To: x", b"Cc: y", b"", b"z"], b"To: x\r\nCc: y\r\n\r\nz\r\n", True),
        ([b"no header", b"at all"], b"no header\r\nat all\r\n", False),
        ([], b"", False),
    ],
)
def test_without_marks_the_looks_decide(lines: list[bytes], folded: bytes, guessed: bool) -> None:
    """A line that does not look like a field continues one; any header without marks may be another."""
    assert refold(lines, None) == (folded, ["header_fold_guessed"] if guessed else [])

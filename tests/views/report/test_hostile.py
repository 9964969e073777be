"""A mailbox full of payloads, in a real browser: nothing runs, nothing loads, and all of it can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from support.browser import Listener
from support.report_boxes import CALL, payloads
from zeekpop3.views.report.page import write_report
from zeekpop3.views.text import visible

#: Opens every mail of the table, page by page, all that can be unfolded in it, and pokes every element.
_OPEN_ALL = """
const done = arguments[arguments.length - 1];
(async () => {
    const seen = [];
    const poke = (root) => {
        for (const part of root.querySelectorAll("*"))
            for (const kind of ["mouseover", "mouseenter", "focus", "pointerdown", "toggle", "error", "load"])
                part.dispatchEvent(new Event(kind));
    };
    for (;;) {
        for (const button of document.querySelectorAll("#rows button.open")) {
            button.click();
            const detail = document.getElementById("detail");
            for (let tries = 0; detail.dataset.mail !== button.dataset.mail && tries < 500; tries++)
                await new Promise((go) => setTimeout(go, 10));
            for (const part of detail.querySelectorAll("details")) part.open = true;
            poke(detail);
            seen.push(document.getElementById("mail").innerText);
            document.getElementById("close").click();
        }
        const next = document.getElementById("next");
        if (next.disabled) break;
        next.click();
    }
    poke(document);
    done(seen);
})();
"""
_MARKUP = """
const odd = [];
for (const part of document.querySelectorAll("*"))
    for (const name of part.getAttributeNames())
        if (/^on|^style$|^src|^srcdoc$|^action$|^formaction$|^xlink/.test(name)
            || (name === "href" && !/^#|^data:,$/.test(part.getAttribute(name))))
            odd.push(part.tagName + " " + name);
const tags = [...document.querySelectorAll("*")].map((part) => part.tagName.toLowerCase());
return [odd, [...new Set(tags)].sort()];
"""
_TAGS = set(
    """a bdi body button caption circle code dd details dialog div dl dt figcaption figure form g h1 h2 h3
    head header html input label li line link main meta nav noscript option p path pre rect script section
    select span strong style summary svg table tbody td text th thead time title tr ul""".split()  # noqa: SIM905
)


class Visit(NamedTuple):
    """What was seen of a page whose every mail was opened: the mails' texts in order, and what happened."""

    seen: list[str]
    executed: Any
    violations: list[str]
    heard: list[str]
    complaints: list[Any]
    odd: list[str]
    tags: set[str]
    address: str
    title: str
    suspicious: list[str]


def _state(browser: Any) -> tuple[Any, list[str]]:
    executed, violations = browser.execute_script("return [window.__pwned ?? null, window.__violations]")
    return executed, violations


def _forget(browser: Any, listener: Listener) -> None:
    listener.heard.clear()
    browser.get_log("browser")


@pytest.fixture(scope="module")
def page(hostile_tables: tuple[Path, int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the hostile mailbox."""
    page = tmp_path_factory.mktemp("page") / "report.html"
    write_report(hostile_tables[0], page)
    return page


@pytest.fixture(scope="module")
def visit(chromium: Any, listener: Listener, page: Path) -> Visit:
    """All mails opened, all elements poked, all buttons pressed, and every payload searched for."""
    _forget(chromium, listener)
    chromium.get(page.as_uri())
    suspicious = chromium.execute_script(
        "return [...document.querySelectorAll('#suspicious tbody tr')].map((row) => row.innerText)"
    )
    seen = chromium.execute_async_script(_OPEN_ALL)
    chromium.execute_script("for (const button of document.querySelectorAll('button.find')) button.click()")
    for payload in payloads(listener.url):
        chromium.execute_script(
            "const q = document.getElementById('q'); q.value = arguments[0];"
            "q.form.dispatchEvent(new Event('submit', { cancelable: true }));",
            payload,
        )
    odd, tags = chromium.execute_script(_MARKUP)
    complaints = [entry for entry in chromium.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    address, title = chromium.current_url, chromium.title
    return Visit(
        seen, *_state(chromium), list(listener.heard), complaints, odd, set(tags), address, title, suspicious
    )


def test_nothing_runs(visit: Visit, page: Path, hostile_tables: tuple[Path, int]) -> None:
    """Every payload in every field: none runs, loads or makes markup; the policy has nothing to refuse."""
    assert len(visit.seen) == hostile_tables[1]
    assert visit.executed is None
    assert visit.violations == []
    assert visit.heard == []
    assert visit.complaints == []
    assert visit.odd == []
    assert visit.tags <= _TAGS
    assert visit.address == page.as_uri()
    assert visit.title == "Mail fetched over POP3"


def test_all_can_be_read(visit: Visit, listener: Listener) -> None:
    """Each payload is there as text: in a mail's facts, text, HTML source and header, and as suspicious."""

    def one_line(text: str) -> str:
        return " ".join(text.split())

    for payload, text in zip(reversed(payloads(listener.url)), map(one_line, visit.seen), strict=True):
        assert text.count(one_line(visible(payload))) >= 5, payload
    assert len(visit.suspicious) == len(visit.seen)
    for payload in payloads(listener.url):
        assert any(one_line(visible(payload))[:50] in one_line(row) for row in visit.suspicious), payload
    assert all("failed verdict: SPF" in row for row in visit.suspicious)


def test_the_net_would_catch_it(browser: Any, listener: Listener, tmp_path: Path) -> None:
    """The same payloads as markup do run and load: so this test would see it if a page let them through."""
    page = tmp_path / "naive.html"
    ran = loaded = 0
    for payload in payloads(listener.url):
        page.write_text(f"<!doctype html><meta charset=utf-8><title>x</title>{payload}", "utf-8")
        _forget(browser, listener)
        browser.get(page.as_uri())
        ran += browser.execute_script("return window.__pwned") == 1
        loaded += bool(listener.heard)
    assert ran >= 20
    assert loaded >= 8


@pytest.mark.slow
@pytest.mark.parametrize("where", ["<main>", '<section id="mails"', "</body>"])
def test_the_policy_is_a_second_wall(
    browser: Any, listener: Listener, tables: Path, tmp_path: Path, where: str
) -> None:
    """Were a payload ever to become markup, the page's policy would still keep it from running or loading."""
    page = tmp_path / "report.html"
    write_report(tables, page)
    text = page.read_text("utf-8")
    markup = (
        f"<script>{CALL}</script><img src=x onerror={CALL}><svg onload={CALL}></svg><img src={listener.url}>"
        f"<iframe src={listener.url}></iframe><iframe srcdoc='<script>parent.{CALL}</script>'></iframe>"
        f"<style>body{{background:url({listener.url})}}</style><link rel=stylesheet href={listener.url}>"
        f"<object data={listener.url}></object><base href={listener.url}>"
        f"<a id=bad href='javascript:{CALL}'>x</a>"
    )
    assert text.count(where) == 1
    page.write_text(text.replace(where, markup + where), "utf-8")
    _forget(browser, listener)
    browser.get(page.as_uri())
    browser.execute_script("document.getElementById('bad').click()")
    executed, violations = _state(browser)
    assert executed is None
    assert listener.heard == []
    assert len(violations) >= 8

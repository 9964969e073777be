"""The page in use: sorting, search, pages, details; by keyboard, on a narrow screen, for a screen reader."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path
from typing import Any

import pytest

from support.browser import resize
from support.records import session, transfer
from support.report_boxes import large_box, write_box
from zeekpop3.views.report.page import write_report

_ROWS = "return [...document.querySelectorAll('#rows tr')].map((row) => row.cells[arguments[0]].textContent)"
_SORTS = "return [...document.querySelectorAll('#heads th')].map((head) => head.getAttribute('aria-sort'))"
TIME, SUBJECT, FROM, USER, SIZE, FILES, COMPLETE = range(7)


@pytest.fixture(scope="session")
def made(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("page") / "report.html"
    write_report(tables, page)
    return page


@pytest.fixture
def page(browser: Any, made: Path) -> Any:
    """The page of 130 mails, just opened."""
    browser.get(made.as_uri())
    return browser


def _find(page: Any, selector: str) -> Any:
    return page.find_element("css selector", selector)


def _status(page: Any) -> str:
    return _find(page, "#status").text


def _until(page: Any, script: str) -> None:
    for _ in range(200):
        if page.execute_script("return " + script):
            return
        time.sleep(0.02)
    raise AssertionError(script)


def test_sorting(page: Any) -> None:
    """A heading sorts, once more turns it round, and says so; only one heading is sorted by."""
    assert page.execute_script(_SORTS) == ["descending", *["none"] * 6]
    newest = page.execute_script(_ROWS, TIME)
    assert newest == sorted(newest, reverse=True)
    heads = page.find_elements("css selector", "#heads button")
    heads[SUBJECT].click()
    subjects = page.execute_script(
        "return [...document.querySelectorAll('#rows button.open')].map((button) => button.textContent)"
    )
    assert subjects == sorted(subjects)
    assert page.execute_script(_SORTS)[SUBJECT] == "ascending"
    assert page.execute_script(_SORTS).count("none") == 6
    heads[SIZE].click()
    sizes = page.execute_script(
        "return [...document.querySelectorAll('#rows tr')].map((r) => r.cells[4].textContent)"
    )
    first = [float(size.split()[0]) * (1000 if "kB" in size else 1) for size in sizes]
    assert first == sorted(first, reverse=True)
    heads[SIZE].click()
    assert page.execute_script(_SORTS)[SIZE] == "ascending"
    assert "by size, ascending" in _status(page)


def test_search(page: Any) -> None:
    """All words must be there, in any field; the number found is said; nothing found is said, too."""
    field = _find(page, "#q")
    field.send_keys("USER1 report")
    _until(page, "document.getElementById('status').textContent.includes(' of ')")
    for row in page.find_elements("css selector", "#rows tr"):
        text = row.text.lower()
        assert "user1" in text
    field.clear()
    field.send_keys("no such word anywhere")
    _until(page, "document.querySelectorAll('#rows tr').length === 0")
    assert _status(page).startswith("0 of 130 mails")
    field.clear()
    field.send_keys("\ue007")
    _until(page, "document.querySelectorAll('#rows tr').length === 50")
    _find(page, "#incomplete-only").click()
    assert all(text.startswith("no: ") for text in page.execute_script(_ROWS, COMPLETE))


def test_search_in_texts(page: Any) -> None:
    """On request words are also found in bodies, links and header fields; not without it."""
    field = _find(page, "#q")
    field.send_keys("mx7.example.org")
    _until(page, "document.getElementById('status').textContent.startsWith('0 of')")
    _find(page, "#deep").click()
    _until(page, "document.querySelectorAll('#rows tr').length > 0")
    found = int(_status(page).split()[0])
    assert 0 < found < 130
    field.clear()
    field.send_keys("monthly summary")
    _until(page, f"!document.getElementById('status').textContent.startsWith('{found} of')")
    assert int(_status(page).split()[0]) > found


@pytest.mark.slow
def test_suspicious_mails(browser: Any, tmp_path: Path) -> None:
    """Their section leads to the mail with its reasons; the table can show them alone."""
    failed = b"Authentication-Results: mx; spf=fail\r\nSubject: odd\r\n\r\nx\r\n"
    events = [*large_box(60), transfer(uid="C<b>&/%", raw=failed)]
    write_report(write_box(tmp_path / "out", events), tmp_path / "page.html")
    browser.get((tmp_path / "page.html").as_uri())
    _find(browser, "#suspicious a").click()
    _until(browser, "document.querySelector('#detail pre')")
    assert _find(browser, "#mail-h").text == "odd"
    assert "failed verdict: SPF" in _find(browser, "#detail").text
    _find(browser, "#close").click()
    _find(browser, "#suspicious a").click()
    _until(browser, "document.getElementById('mail').open")
    _find(browser, "#close").click()
    _find(browser, "#suspicious-only").click()
    assert _status(browser).startswith("1 of 61 mails")


@pytest.mark.slow
def test_narrow_tables(browser: Any, tmp_path: Path) -> None:
    """At 360 pixels a row of a wide table is a card with labels: nothing of it scrolls sideways."""
    raw = b"From: a@wave.test\r\nSubject: Your parcel is waiting\r\nReply-To: b@else.test\r\n\r\nx\r\n"
    events = [transfer(uid=f"C{name}", user=name, raw=raw) for name in ("anna", "ben")]
    write_report(write_box(tmp_path / "out", events), tmp_path / "page.html")
    resize(browser, 360)
    browser.get((tmp_path / "page.html").as_uri())
    labels = browser.execute_script(
        "return [...document.querySelectorAll('#campaigns td')].map((cell) => [cell.dataset.label,"
        " getComputedStyle(cell, '::before').content !== 'none', cell.textContent])"
    )
    assert ["Users", True, "2: anna, ben"] in labels
    unlabelled = browser.execute_script(
        "return [...document.querySelectorAll('main td:not(:has(> .find)):not([colspan])')].filter((cell) =>"
        " cell.offsetWidth && !cell.closest('#table, #suspicious') && !cell.dataset.label"
        " && getComputedStyle(cell).display === 'block').length"
    )
    assert unlabelled == 0
    wide = browser.execute_script(
        "return [...document.querySelectorAll('.scroll')].filter((part) => part.offsetWidth"
        " && part.scrollWidth > part.clientWidth).map((part) => part.getAttribute('aria-labelledby'))"
    )
    assert wide == []


@pytest.mark.slow
def test_printed(browser: Any, tmp_path: Path) -> None:
    """On A4 no table is cut off, neither at the side nor below, and none lies over the next."""
    raw = b"From: a@wave.test\r\nSubject: Your parcel is waiting\r\nReply-To: b@else.test\r\n\r\nx\r\n"
    events: list[Any] = [transfer(uid=f"C{n}", user=f"user{n}@corp.example", raw=raw) for n in range(30)]
    events += [session(uid=f"C{n}", user=f"user{n}@corp.example", logins_failed=2) for n in range(30)]
    write_report(write_box(tmp_path / "out", events), tmp_path / "page.html")
    resize(browser, 717)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        browser.get((tmp_path / "page.html").as_uri())
        cut_off = browser.execute_script(
            "return [...document.querySelectorAll('.scroll')].filter((part) => part.offsetWidth"
            " && (part.scrollWidth > part.clientWidth || part.scrollHeight > part.clientHeight + 1))"
            ".map((part) => part.getAttribute('aria-labelledby'))"
        )
        assert browser.find_elements("css selector", "#suspicious tbody tr")
        assert cut_off == []
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_a_link_to_a_mail(browser: Any, made: Path) -> None:
    """#mail=UID/DEPTH opens that mail; an opened mail has its link in the address, until it is closed."""
    browser.get(made.as_uri())
    browser.find_elements("css selector", "#rows button.open")[5].click()
    _until(browser, "document.querySelector('#detail pre')")
    link, title = browser.current_url, _find(browser, "#mail-h").text
    assert "#mail=" in link
    _find(browser, "#close").click()
    assert browser.current_url == made.as_uri()
    browser.get("about:blank")
    browser.get(link)
    _until(browser, "document.querySelector('#detail pre')")
    assert _find(browser, "#mail-h").text == title
    for wrong in ("#mail=none/1", "#mail=%", "#mail="):
        browser.get("about:blank")
        browser.get(made.as_uri() + wrong)
        assert not _find(browser, "#mail").is_displayed()


def test_the_list_as_csv(page: Any) -> None:
    """What is listed, in that order, as CSV without formulas."""
    page.execute_script(
        "window.saved = []; const real = URL.createObjectURL;"
        "URL.createObjectURL = (blob) => { saved.push(blob.text()); return real(blob); };"
    )
    _find(page, "#q").send_keys("report.pdf")
    _until(page, "document.getElementById('status').textContent.includes(' of ')")
    _find(page, "#csv").click()
    text = page.execute_async_script("const done = arguments[0]; saved[0].then(done)")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == int(_status(page).split()[0])
    assert all("report.pdf" in row["files"] for row in rows)
    assert [row["ts"] for row in rows] == sorted((row["ts"] for row in rows), reverse=True)


def test_find_buttons(page: Any) -> None:
    """A table above leads to the mails it counts: as many are listed as it says."""
    row = next(
        row
        for row in page.find_elements("css selector", "#users table tbody tr")
        if row.find_elements("css selector", "button.find")
    )
    user, mails = row.find_element("css selector", "th").text, row.find_elements("css selector", "td")[0].text
    row.find_element("css selector", "button.find").click()
    assert _status(page).startswith(f"{mails} of 130 mails")
    assert set(page.execute_script(_ROWS, USER)) == {user}
    assert _find(page, "#chosen").text.startswith(f"Only user {user}")
    _find(page, "#show-all").click()
    assert _status(page).startswith("130 mails")
    hashes = page.find_elements("css selector", "#attachments button[data-field=sha256]")
    times = hashes[0].find_element("xpath", "../../td[4]").text
    hashes[0].click()
    assert _status(page).startswith(f"{times} of 130 mails")


def test_pages(page: Any) -> None:
    """Fifty mails a page; the ends of the list cannot be passed."""
    assert _find(page, "#where").text == "page 1 of 3"
    assert not _find(page, "#previous").is_enabled()
    first = page.execute_script(_ROWS, TIME)
    _find(page, "#next").click()
    assert page.execute_script(_ROWS, TIME)[0] <= first[-1]
    _find(page, "#last").click()
    assert len(page.execute_script(_ROWS, TIME)) == 30
    assert not _find(page, "#next").is_enabled()


def test_details(page: Any) -> None:
    """A click on a subject opens the mail: facts, text, attachments, header; Escape closes it."""
    _find(page, "#q").send_keys("report.pdf")
    _until(page, "document.getElementById('status').textContent.includes(' of ')")
    button = _find(page, "#rows button.open")
    subject = button.text
    button.click()
    _until(page, "document.querySelector('#detail pre')")
    dialog = _find(page, "#mail")
    assert _find(page, "#mail-h").text == subject
    for heading in ("Text", "Attachments", "URLs in the bodies", "Header"):
        found = [each.text for each in dialog.find_elements("css selector", "h3")]
        assert (heading in found) == (heading != "URLs in the bodies")
    assert "report.pdf" in dialog.text
    assert "application/pdf" in dialog.text
    assert "Message-ID" in dialog.text
    _find(page, "#older").click()
    _until(page, "document.getElementById('detail').dataset.mail !== undefined")
    page.switch_to.active_element.send_keys("\ue00c")
    assert not dialog.is_displayed()


def test_keyboard(page: Any) -> None:
    """The skip link is first; headings, rows and the dialog work with Enter; focus returns to the subject."""
    body = _find(page, "body")
    body.send_keys("\ue004")
    assert page.switch_to.active_element.text == "Skip to the table of mails"
    page.switch_to.active_element.send_keys("\ue007")
    assert page.execute_script("return document.activeElement.id") == "mails"
    head = page.find_elements("css selector", "#heads button")[FROM]
    head.send_keys("\ue007")
    assert page.execute_script(_SORTS)[FROM] == "ascending"
    button = page.find_elements("css selector", "#rows button.open")[3]
    button.send_keys("\ue007")
    _until(page, "document.querySelector('#detail pre')")
    assert page.execute_script("return document.activeElement.id") == "mail-h"
    for _ in range(30):
        page.switch_to.active_element.send_keys("\ue004")
        inside = page.execute_script(
            "return document.activeElement === document.body"
            " || document.getElementById('mail').contains(document.activeElement)"
        )
        assert inside
    _find(page, "#mail-h").send_keys("\ue00c")
    assert page.switch_to.active_element == button


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_fits(page: Any, width: int, dark: bool) -> None:
    """No sideways scrolling of the page, no text below 10 px, and colours that follow the user's choice."""
    resize(page, width, dark=dark)
    page.refresh()
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    small = page.execute_script(
        "return [...document.querySelectorAll('body *')].filter((part) => part.checkVisibility()"
        " && part.textContent && parseFloat(getComputedStyle(part).fontSize) < 10)"
        ".map((part) => part.tagName)"
    )
    assert small == []
    for chart in page.find_elements("css selector", "svg.chart"):
        if chart.is_displayed():
            assert chart.size["width"] > 0.85 * int(chart.get_dom_attribute("viewBox").split()[2])
    light = page.execute_script("return getComputedStyle(document.body).backgroundColor").split("(")[1]
    assert (int(light.split(",")[0]) < 100) == dark
    _find(page, "#rows button.open").click()
    _until(page, "document.querySelector('#detail pre')")
    assert page.execute_script(
        "const d = document.getElementById('mail'); return d.scrollWidth <= d.clientWidth"
    )


def test_narrow_sorts(page: Any) -> None:
    """Where columns have no room, a list offers what they would sort by, and From stands by the subject."""
    resize(page, 360)
    page.refresh()
    assert _find(page, "#sort").is_displayed()
    page.execute_script(
        "const sort = document.getElementById('sort'); sort.value = '4d';"
        "sort.dispatchEvent(new Event('change'));"
    )
    assert "by size, descending" in _status(page)
    assert "example.org" in _find(page, "#rows tr").text


@pytest.mark.parametrize(
    ("width", "dark", "opened"),
    [(360, False, False), (1200, True, False), (1200, False, True), (360, True, True)],
    ids=["page-360-light", "page-1200-dark", "mail-1200-light", "mail-360-dark"],
)
def test_accessible(page: Any, width: int, dark: bool, opened: bool) -> None:
    """axe-core finds nothing to complain of, on the page and in a mail."""
    axe = pytest.importorskip("axe_core_python", reason="no axe-core-python: install the extra test")
    resize(page, width, dark=dark)
    page.refresh()
    if opened:
        _find(page, "#rows button.open").click()
        _until(page, "document.querySelector('#detail pre')")
    page.execute_script((Path(axe.__file__).parent / "axe.min.js").read_text("utf-8"))
    found = page.execute_async_script(
        "const done = arguments[arguments.length - 1]; axe.run().then((found) => done(found.violations.map("
        "(rule) => [rule.id, rule.nodes.length, rule.nodes[0].html.slice(0, 200)])))"
    )
    assert found == []

"""A real Chromium, headless, and a listener that hears if a page loads anything."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.browser import Listener, resize
from support.report_boxes import hostile_box, large_box, write_box

#: Runs in each page before its own scripts: hears refusals of the page's policy, and whoever asks the user.
_WATCH = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
    window.__violations.push(event.violatedDirective + " " + event.blockedURI));
for (const name of ["alert", "confirm", "prompt", "open"]) window[name] = () => { window.__pwned = 1; };
"""


@pytest.fixture(scope="session")
def listener() -> Iterator[Listener]:
    """Where the payloads' loads are aimed at."""
    made = Listener()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def hostile_tables(tmp_path_factory: pytest.TempPathFactory, listener: Listener) -> tuple[Path, int]:
    """The tables of a mailbox full of payloads, and how many mails it has."""
    events, mails = hostile_box(listener.url)
    return write_box(tmp_path_factory.mktemp("hostile") / "out", events), mails


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of 130 ordinary mails: three pages of the table."""
    return write_box(tmp_path_factory.mktemp("ordinary") / "out", large_box(130))


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium, driven by selenium, with `_WATCH` in every page."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium: install the extra test")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no chromium with chromedriver on PATH (Debian: chromium, chromium-driver)")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH})
    browser.set_script_timeout(60)
    yield browser
    browser.quit()


@pytest.fixture
def browser(chromium: Any) -> Iterator[Any]:
    """Chromium at a desk: 1200 by 900, light."""
    resize(chromium, 1200)
    yield chromium
    chromium.get("about:blank")

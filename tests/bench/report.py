"""How large the report page is, and how soon it can be used: `python tests/bench/report.py [MAILS]`.

Mails of a few kilobytes each are made, then the page, then a headless Chromium opens it from disk five
times; the medians are printed. Needs chromium and chromedriver on PATH, and the extra `test`.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

_TIMES = """
const at = (name) => Math.round(performance.getEntriesByName(name)[0]?.startTime ?? -1);
return [at("first-paint"), at("first-contentful-paint"), at("table")];
"""
_WORK = """
const timed = (work) => { const start = performance.now(); work(); document.body.offsetHeight;
    return performance.now() - start; };
const q = document.getElementById("q");
const search = (text) => { q.value = text; q.form.dispatchEvent(new Event("submit", { cancelable: true })); };
const heads = document.querySelectorAll("#heads button");
return { "first search": timed(() => search("invoice sender1")),
    "next search": timed(() => search("budget user07")),
    "no search": timed(() => search("")), "first sort by text": timed(() => heads[1].click()),
    "sort again": timed(() => heads[1].click()),
    "next page": timed(() => document.getElementById("next").click()) };
"""
_OPEN = """
const done = arguments[arguments.length - 1];
const start = performance.now();
document.querySelector("#rows button.open").click();
const look = () => {
    if (document.querySelector("#detail pre")) done(performance.now() - start);
    else setTimeout(look, 1);
};
look();
"""


def main(mails: int) -> None:
    from support.report_boxes import large_box, write_box
    from zeekpop3.views.report.page import write_report

    with tempfile.TemporaryDirectory(prefix="zeekpop3-bench-") as scratch:
        folder = Path(scratch)
        write_box(folder / "out", large_box(mails))
        start, began = time.process_time(), time.perf_counter()
        listing = write_report(folder / "out", folder / "report.html")
        used, took = time.process_time() - start, time.perf_counter() - began
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = (folder / "report.html").stat().st_size / 1e6
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        without, cut = listing.without_details, listing.shortened
        print(f"{mails} mails, {listing.listed} listed, {without} without details, {cut} cut")
        print(f"page {size:.2f} MB; made in {used:.1f} s of CPU, {took:.1f} s; peak {memory:.0f} MB")
        _browse((folder / "report.html").as_uri(), folder)


def _browse(url: str, folder: Path) -> None:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={folder / 'profile'}",
    ):  # fmt: skip
        options.add_argument(flag)
    browser: Any = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        times = []
        for _ in range(5):
            browser.get("about:blank")
            browser.get(url)
            time.sleep(1)
            times.append(browser.execute_script(_TIMES))
        for name, column in zip(
            ("first paint", "first content", "table usable"), zip(*times, strict=True), strict=True
        ):
            print(f"{name}: {statistics.median(column):.0f} ms")
        work = {**browser.execute_script(_WORK), "open a mail": browser.execute_async_script(_OPEN)}
        print("; ".join(f"{name} {ms:.0f} ms" for name, ms in work.items()))
    finally:
        browser.quit()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)

"""Makes the picture of the report page in README.md from a fixture, with a headless Chromium (extra test).

python tests/picture.py [--out .github/report.png]
"""

from __future__ import annotations

import argparse
import base64
import shutil
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / ".github" / "report.png")
    parser.add_argument("--width", type=int, default=1200)
    parser.add_argument("--height", type=int, default=1260)
    args = parser.parse_args(argv)
    import zeekpop3
    from zeekpop3.views.report.page import write_report

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        logs = ROOT / "fixtures" / "trial" / "logs"
        zeekpop3.run([logs], folder / "tables", jobs=1)
        write_report(
            folder / "tables", folder / "report.html", logs={"http": logs, "ssl": logs}, own=["corp.example"]
        )
        picture = screenshot((folder / "report.html").as_uri(), args.width, args.height)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_bytes(picture)
    return 0


def screenshot(url: str, width: int, height: int) -> bytes:
    """The top of a page as PNG."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(url)
        return base64.b64decode(browser.execute_cdp_cmd("Page.captureScreenshot", {})["data"])
    finally:
        browser.quit()


if __name__ == "__main__":
    raise SystemExit(main())

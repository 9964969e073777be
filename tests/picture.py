"""Makes the picture of the report page in README.md from a fixture, with a headless Chromium.

python tests/picture.py [--out .github/report.png]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / ".github" / "report.png")
    parser.add_argument("--width", type=int, default=1200)
    parser.add_argument("--height", type=int, default=900)
    args = parser.parse_args(argv)
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if program is None:
        raise SystemExit("no chromium on PATH")
    import zeekpop3
    from zeekpop3.views.report import write_report

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        zeekpop3.run([ROOT / "fixtures" / "incident" / "pop3_events.log"], folder / "tables", jobs=1)
        write_report(folder / "tables", folder / "report.html")
        picture = folder / "picture.png"
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
        ]
        size = f"--window-size={args.width},{args.height}"
        page = (folder / "report.html").as_uri()
        profile = f"--user-data-dir={folder / 'profile'}"
        command = [program, *options, profile, size, f"--screenshot={picture}", page]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, args.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

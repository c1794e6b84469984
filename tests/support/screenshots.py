"""Take the pictures of docs/images anew: ``python -m tests.support.screenshots RUN_DIR docs/images``.

Needs Chromium, and poppler's pdftoppm for the printed pages.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.support import browser

WIDE, PHONE = (1280, 2480), (390, 3800)
PAGES, DOTS = 3, 76  # of the printed report, side by side; dots per inch
GAP = 10


def take(report: Path, folder: Path) -> None:
    """Write the report in light and dark colours, on a phone and on paper."""
    folder.mkdir(parents=True, exist_ok=True)
    with browser.page() as page, tempfile.TemporaryDirectory() as scratch:
        for name, scheme, (width, height) in (
            ("light", "light", WIDE),
            ("dark", "dark", WIDE),
            ("phone", "light", PHONE),
        ):
            page.width(width, height)
            page.media(scheme=scheme)
            page.open(report)
            page.screenshot(folder / f"report-{name}.png", height=height)
        page.width(WIDE[0])
        page.pdf(Path(scratch) / "report.pdf")
        command = ["pdftoppm", "-r", str(DOTS), "-png", "-l", str(PAGES), "report.pdf", "page"]
        subprocess.run(command, cwd=scratch, check=True)
        pages = [Image.open(each).convert("RGB") for each in sorted(Path(scratch).glob("page*.png"))]
        width = sum(each.width for each in pages) + GAP * (len(pages) - 1)
        together = Image.new("RGB", (width, max(each.height for each in pages)), "#888888")
        for number, each in enumerate(pages):
            together.paste(each, (number * (each.width + GAP), 0))
        together.save(folder / "report-print.png")
    for image in folder.glob("report-*.png"):
        Image.open(image).convert("RGB").quantize(128).save(image, optimize=True)


if __name__ == "__main__":
    take(Path(sys.argv[1]) / "report" / "report.html", Path(sys.argv[2]))

"""The report as one HTML file that needs nothing else: no network, no fonts, no library.

`search.report.page` says what stands in it; here it becomes text. Style and script are allowed by their
hashes alone, so that the page keeps to its own strict content security policy.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from search.report.content import Report
from search.report.figures.figure import Drawing
from search.report.page import SECTIONS, Page, page_of
from search.report.styles import DARK, LIGHT, LOOKS, figure_css
from search.report.svg.shapes import definitions

TEMPLATES = Path(__file__).with_name("templates")
SIGNS = {"pass": "✓", "warn": "!", "fail": "✗", "open": "…"}


def html(content: Report, run_dir: Path, drawings: Mapping[str, Drawing]) -> str:
    """Return ``report.html``."""
    return rendered(page_of(content, run_dir, drawings))


def rendered(page: Page) -> str:
    """Return the page as HTML."""
    style, script = style_sheet(), (TEMPLATES / "report.js").read_text(encoding="utf-8")
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            page=page,
            sections=[(name, words) for name, words in SECTIONS.items() if name != "choose" or page.cards],
            looks=LOOKS,
            signs=SIGNS,
            shapes=Markup(definitions()),
            style=Markup(style),
            style_hash=_hash(style),
            script=Markup(script),
            script_hash=_hash(script),
        )
    )


def environment() -> Environment:
    """Return how templates are read: everything is escaped that is not marked as markup of our own."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def style_sheet() -> str:
    """Return the page's rules; colours are variables that the reader's theme, the toggle and the printer set."""
    light, dark = (_variables(colours) for colours in (LIGHT, DARK))
    themes = (
        f":root{{color-scheme:light;{light}}}"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}"
        f"@media print{{:root,:root:not([data-theme=light]),:root[data-theme=dark]{{color-scheme:light;{light}}}}}"
    )
    figures = figure_css({name: f"var(--{name})" for name in LIGHT})
    return themes + figures + (TEMPLATES / "report.css").read_text(encoding="utf-8")


def _variables(colours: Mapping[str, str]) -> str:
    return ";".join(f"--{name}:{value}" for name, value in colours.items())


def _hash(text: str) -> str:
    return b64encode(hashlib.sha256(text.encode()).digest()).decode()

"""The report as one HTML file that needs nothing else: no network, no fonts, no library.

`search.report.page` says what stands in it; here it becomes text. Style and script are allowed by their
hashes alone, so that the page keeps to its own strict content security policy.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from search.report.content import Report
from search.report.figures.figure import Drawing
from search.report.page import SECTIONS, page_of, table_of, verdict_of
from search.report.styles import DARK, LIGHT, LOOKS, figure_css
from search.report.svg.shapes import IDS, definitions
from search.report.tables import shown

TEMPLATES = Path(__file__).with_name("templates")
SIGNS = {"pass": "✓", "warn": "!", "fail": "✗"}


def html(content: Report, run_dir: Path, drawings: Mapping[str, Drawing]) -> str:
    """Return ``report.html``."""
    page = page_of(content, run_dir, drawings)
    sections = [(name, words) for name, words in SECTIONS.items() if name != "choose" or page.cards]
    return rendered("report.html.j2", title=page.title, page=page, sections=sections, signs=SIGNS)


def block(content: Report, run_dir: Path) -> str:
    """Return the verdict and the leaderboard in brief, for a notebook."""
    board = content.leaderboard
    return (
        environment()
        .get_template("block.html.j2")
        .render(
            verdict=verdict_of(content),
            board=table_of("leaderboard", "", shown(board)) if len(board) else None,
            place=f"{run_dir / 'report' / 'report.html'}",
        )
    )


def rendered(template: str, **values: Any) -> str:
    """Return a page with its style, its script and its marker shapes, each in the page itself."""
    style, script = style_sheet(), (TEMPLATES / "report.js").read_text(encoding="utf-8")
    own = {"style": Markup(style), "script": Markup(script), "shapes": Markup(definitions())}
    hashes = {"style_hash": _hash(style), "script_hash": _hash(script)}
    return environment().get_template(template).render(**own, **hashes, **values)


def environment() -> Environment:
    """Return how templates are read: everything is escaped that is not marked as markup of our own."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals["mark_of"] = {kind: IDS[look.shape] for kind, look in LOOKS.items()}
    return made


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

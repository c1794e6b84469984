"""The page in a real browser: sorted by keys, light and dark, on a phone, on paper, without its script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.report.styles import DARK, LIGHT
from tests.support import browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed (Debian: chromium)"),
]
HEADS = "[...document.querySelector('table[data-table=%s]').tHead.rows[0].cells]"
COLUMN = "[...document.querySelector('table[data-table=%s]').tBodies[0].rows].map(r => r.cells[%d].textContent.trim())"
UNITS = {"s": 1, "min": 60, "h": 3600}


@pytest.fixture(scope="module")
def chromium() -> Iterator[browser.Page]:
    with browser.page() as page:
        yield page


@pytest.fixture
def page(chromium: browser.Page, reported: Path) -> Iterator[browser.Page]:
    """Open the report as a new reader does, on a wide window, in light colours."""
    chromium.complaints.clear()
    chromium.width(1280)
    chromium.media()
    chromium.open(reported / "report" / "report.html")
    chromium.run("localStorage.clear()")
    chromium.open(reported / "report" / "report.html")
    yield chromium
    chromium.run("1")
    assert chromium.complaints == []  # nor did the page's own policy refuse anything of it


def tab_to(page: browser.Page, condition: str) -> None:
    for _ in range(200):
        page.press("Tab")
        if page.run(condition):
            return
    raise AssertionError(f"no tab leads to where {condition}")


def head_by_keys(page: browser.Page, table: str, column: int) -> None:
    """Go to a column's head with the tab key alone."""
    tab_to(page, f"document.activeElement.closest('th') === {HEADS % table}[{column}]")


def number(text: str) -> float | None:
    found = re.match(r"[+-]?\d[\d.]*", text)
    if not found:
        return None
    unit = re.fullmatch(r"[+-]?[\d.]+ (s|min|h)", text)
    return float(found[0]) * (UNITS[unit[1]] if unit else 1)


@pytest.mark.parametrize("key", ["Enter", " "])
@pytest.mark.parametrize("name", ["Rank", "Validation", "Test [95 %]", "vs. full [95 %]", "Memory, MB", "Time"])
def test_a_table_is_sorted_by_keys_alone_and_says_so(page: browser.Page, name: str, key: str) -> None:
    names = page.run(f"{HEADS % 'leaderboard'}.map(h => h.textContent.trim())")
    column = names.index(name)
    before = page.run(COLUMN % ("leaderboard", column))
    head_by_keys(page, "leaderboard", column)
    for direction, turned in (("ascending", False), ("descending", True)):
        page.press(key)
        after = page.run(COLUMN % ("leaderboard", column))
        assert sorted(after) == sorted(before)
        values = [value for value in map(number, after) if value is not None]
        assert values == sorted(values, reverse=turned)
        assert len(values) > 1
        assert [number(text) for text in after][len(values) :] == [None] * (len(after) - len(values))  # none: last
        told = page.run(f"{HEADS % 'leaderboard'}.map(h => h.getAttribute('aria-sort'))")
        assert told == [direction if index == column else None for index in range(len(names))]


def test_words_are_sorted_as_words(page: browser.Page) -> None:
    page.run(f"{HEADS % 'leaderboard'}[1].querySelector('button').focus()")
    page.press("Enter")
    told = page.run(COLUMN % ("leaderboard", 1))
    assert told == sorted(told, key=str.lower)


def test_rows_keep_their_cells_together(page: browser.Page) -> None:
    rows = "[...document.querySelector('table[data-table=lost]').tBodies[0].rows].map(r => r.textContent.trim())"
    before = page.run(rows)
    page.run(f"{HEADS % 'lost'}[3].querySelector('button').focus()")
    page.press("Enter")
    assert sorted(page.run(rows)) == sorted(before)


def ground(page: browser.Page) -> str:
    red, green, blue = re.findall(r"\d+", page.run("getComputedStyle(document.body).backgroundColor"))
    return f"#{int(red):02x}{int(green):02x}{int(blue):02x}"


@pytest.mark.parametrize(("scheme", "first", "second"), [("light", LIGHT, DARK), ("dark", DARK, LIGHT)])
def test_the_page_has_the_reader_s_colours_until_another_is_chosen_and_remembers_it(
    page: browser.Page, reported: Path, scheme: str, first: dict[str, str], second: dict[str, str]
) -> None:
    page.media(scheme=scheme)
    page.open(reported / "report" / "report.html")
    other = {"light": "Dark", "dark": "Light"}[scheme]
    assert ground(page) == first["ground"]
    assert page.run("document.querySelector('.theme').textContent") == other
    tab_to(page, "document.activeElement.className === 'theme'")
    page.press("Enter")
    assert ground(page) == second["ground"]
    assert page.run("document.querySelector('.theme').getAttribute('aria-label')") == f"Switch to {scheme} colours"
    page.open(reported / "report" / "report.html")
    assert ground(page) == second["ground"]
    page.media("print", scheme)
    assert ground(page) == LIGHT["ground"]  # paper is white


def test_a_phone_scrolls_the_page_one_way_only(page: browser.Page) -> None:
    page.width(390)
    assert page.run("document.documentElement.scrollWidth") <= 390
    assert page.run("[...document.querySelectorAll('figure > svg')].every(s => s.getBoundingClientRect().right <= 390)")


def test_on_paper_there_is_nothing_to_click_and_no_row_is_cut(page: browser.Page, tmp_path: Path) -> None:
    page.media("print")
    hidden = "[...document.querySelectorAll('nav, .theme, .copy')].every(e => getComputedStyle(e).display === 'none')"
    assert page.run(hidden)
    assert page.run("getComputedStyle(document.querySelector('tr')).breakInside") == "avoid"
    page.pdf(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_a_strategy_can_be_copied(page: browser.Page) -> None:
    page.run("document.querySelector('.card details').open = true")
    tab_to(page, "document.activeElement.className === 'copy'")
    page.press("Enter")
    page.run("new Promise(done => setTimeout(done, 200))")
    assert page.run("document.querySelector('.copy').textContent") == "Copied"


def test_without_its_script_the_page_says_all_the_same(page: browser.Page, reported: Path) -> None:
    words = "document.querySelector('main').textContent.replace(/\\s+/g, ' ')"
    with_script = page.run(words)
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.open(reported / "report" / "report.html")
        assert page.run(words) == with_script
        assert page.run("[...document.querySelectorAll('.theme, .copy')].every(e => e.hidden)")
    finally:
        page.call("Emulation.setScriptExecutionDisabled", value=False)

"""The page: it says what the tables say, needs nothing but itself, and can be read in every way."""

from __future__ import annotations

import hashlib
import json
import math
import re
from base64 import b64encode
from pathlib import Path

import pandas as pd
import pytest

from search.report.figures.catalogue import FIGURES
from search.report.styles import DARK, LIGHT, LOOKS
from search.results.run import report
from tests.search.report.reading import Element, read, rows
from tests.support import made_up_run
from tests.support.agreement import CHECKS, Kept, check_leaderboard

SECTIONS = ["verdict", "choose", "leaderboard", "maps", "mattered", "search", "lost", "trust", "reproduce", "glossary"]


@pytest.fixture(scope="session")
def text(reported: Path) -> str:
    return (reported / "report" / "report.html").read_text()


@pytest.fixture(scope="session")
def page(text: str) -> Element:
    return read(text)


@pytest.fixture(scope="session")
def trials(reported: Path) -> pd.DataFrame:
    return pd.read_csv(reported / "tables" / "trials.csv", dtype={"trial": str}).set_index("trial", drop=False)


def test_the_sections_stand_in_order_and_each_is_linked(page: Element) -> None:
    assert [section.attributes["id"] for section in page.all("section")] == SECTIONS
    links = [link.attributes["href"] for link in page.first("nav").all("a")]
    assert links == [f"#{name}" for name in SECTIONS]


def test_it_opens_with_the_verdict_of_report_json(reported: Path, page: Element) -> None:
    verdict = json.loads((reported / "report" / "report.json").read_text())["verdict"]
    box = page.first("section", id="verdict")
    assert box.first("p", **{"class": "sentence"}).text() == verdict["sentence"]
    assert verdict["label"] in box.text().lower()


def test_the_leaderboard_repeats_the_csv(reported: Path, page: Element) -> None:
    check_leaderboard(page, Kept(reported))


@pytest.mark.parametrize("name", FIGURES)
def test_the_numbers_under_a_figure_are_those_of_the_tables(reported: Path, page: Element, name: str) -> None:
    shown = rows(page.first("table", data_figure=name))
    assert len(shown) >= 3
    CHECKS[name](shown, Kept(reported))


@pytest.mark.parametrize("name", FIGURES)
def test_a_wrong_number_under_a_figure_would_be_found(reported: Path, page: Element, name: str) -> None:
    shown = rows(page.first("table", data_figure=name))
    column = [column for column, value in shown[0].items() if value.replace(".", "").isdigit()][-1]
    shown[0][column] = str(round(float(shown[0][column]) * 1.01 + 1))
    with pytest.raises((AssertionError, KeyError)):
        CHECKS[name](shown, Kept(reported))


@pytest.mark.parametrize("name", ["strategy-map", "lr-ratio"])
def test_every_row_under_a_map_is_a_mark_at_the_height_of_its_score(page: Element, name: str) -> None:
    figure = page.first("figure", id=f"figure-{name}")
    scores = {row["trial"]: float(row["score"]) for row in rows(figure.first("table"))}
    marks = {
        mark.text().partition(":")[0]: float(mark.attributes["y"] or "") for mark in figure.all("use") if mark.inside
    }
    assert marks.keys() == scores.keys()
    (low, at_low), (high, at_high) = min_max((scores[trial], y) for trial, y in marks.items())
    for trial, y in marks.items():
        share = (scores[trial] - low) / (high - low)
        assert y == pytest.approx(at_low + share * (at_high - at_low), abs=0.2)


def min_max(pairs):  # type: ignore[no-untyped-def]
    ordered = sorted(pairs)
    return ordered[0], ordered[-1]


def test_pruned_trials_are_hollow(page: Element, trials: pd.DataFrame) -> None:
    figure = page.first("figure", id="figure-strategy-map")
    hollow = [group for group in figure.all("g") if "hollow" in (group.attributes.get("class") or "")]
    marked = {mark.text().partition(":")[0] for group in hollow for mark in group.all("use")}
    assert marked == set(trials.loc[trials["state"] == "pruned", "trial"])


def test_every_figure_has_its_numbers_beneath_it(page: Element) -> None:
    drawn = [figure for figure in page.all("figure") if figure.all("svg")]
    assert len(drawn) == 10
    assert all(len(rows(figure.first("table"))) > 0 for figure in drawn)
    assert all(figure.first("svg").attributes["aria-label"] for figure in drawn)


def test_the_page_needs_nothing_but_itself(page: Element, text: str) -> None:
    assert [e for tag in ("img", "iframe", "object", "video", "audio", "base", "form") for e in page.all(tag)] == []
    assert all("src" not in script.attributes for script in page.all("script"))
    assert [link.attributes["href"] for link in page.all("link")] == ["data:,"]
    shapes = {f"#{path.attributes['id']}" for path in page.first("defs").all("path")}
    assert {use.attributes["href"] for use in page.all("use")} <= shapes
    assert "url(" not in text
    assert "@import" not in text
    assert not re.search(r"https?://", text.replace("http://www.w3.org/2000/svg", ""))


def test_a_strict_policy_allows_its_one_style_and_its_one_script(page: Element) -> None:
    policy = page.first("meta", http_equiv="Content-Security-Policy").attributes["content"]
    assert policy is not None
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")
    for tag in ("style", "script"):
        (only,) = page.all(tag)
        digest = b64encode(hashlib.sha256(only.text().encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert [e.tag for e in everything(page) if "style" in e.attributes] == []
    assert [name for e in everything(page) for name in e.attributes if name.startswith("on")] == []


def everything(element: Element) -> list[Element]:
    inside = [each for each in element.inside if isinstance(each, Element)]
    return inside + [below for each in inside for below in everything(each)]


def test_what_a_user_wrote_is_text_and_never_markup(page: Element, text: str) -> None:
    assert "wasps &amp; &lt;flies&gt;" in text
    assert "<flies>" not in text
    assert "<on>" not in text
    assert "out of memory <on> 1 & 2" in page.first("table", data_table="failures").text()


def test_tables_and_language_are_told_to_those_who_listen(page: Element) -> None:
    assert page.first("html").attributes["lang"] == "en"
    ids = [e.attributes["id"] for e in everything(page) if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    for table in page.all("table"):
        head = table.first("thead").all("th")
        assert head
        assert all(cell.attributes["scope"] == "col" for cell in head)
        if table.attributes.get("class") == "sortable":
            assert all(cell.all("button") for cell in head)
            assert all(row.first("th").attributes["scope"] == "row" for row in table.first("tbody").all("tr"))


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_marks_stand_out_in_either_theme(theme: dict[str, str]) -> None:
    for ground in ("ground", "raised"):
        for name in ("text", "muted", "link", "good", "warn", "bad"):
            assert contrast(theme[name], theme[ground]) >= 4.5, f"{name} on {ground}"
        for kind in LOOKS:
            assert contrast(theme[f"{kind}-line"], theme[ground]) >= 3, f"{kind} on {ground}"
    assert contrast(theme["text"], theme["mark"]) >= 4.5


def test_kinds_differ_in_shape_too() -> None:
    shapes = [look.shape for name, look in LOOKS.items() if name != "plain"]
    assert len(shapes) == len(set(shapes))


def test_a_run_without_confirmation_says_what_is_missing(tmp_path: Path) -> None:
    folder = made_up_run.write(tmp_path / "run", confirmed=0)
    report(folder)
    page = read((folder / "report" / "report.html").read_text())
    assert "No verdict yet" in page.first("section", id="verdict").text()
    assert "choose" not in [section.attributes["id"] for section in page.all("section")]
    told = page.first("figure", id="figure-seeds").text()
    assert "Not drawn: nothing was confirmed yet." in told
    assert page.first("table", data_figure="strategy-map")


def test_a_run_in_which_every_trial_failed_shows_the_reasons(tmp_path: Path) -> None:
    folder = made_up_run.write(tmp_path / "run", trials=3, failed=3, confirmed=0)
    report(folder)
    page = read((folder / "report" / "report.html").read_text())
    (told,) = rows(page.first("table", data_table="failures"))
    assert told == {"Reason": "out of memory <on> 1 & 2", "Stage": "search", "Trials": "3", "Which": "3, 4, 5"}


@pytest.mark.parametrize(("stop", "most"), [(True, 400_000), (False, 1_000_000)])
def test_a_thousand_trials_of_thirty_epochs_fit(tmp_path: Path, stop: bool, most: int) -> None:
    import time

    folder = made_up_run.write(tmp_path / "run", trials=1000, epochs=30, stop=stop, failed=20)
    start = time.process_time()
    report(folder)
    assert time.process_time() - start < 20  # seconds of the processor: what it costs, whatever else the machine does
    assert (folder / "report" / "report.html").stat().st_size <= most
    assert math.isfinite(pd.read_csv(folder / "tables" / "leaderboard.csv")["test_mean"].iloc[0])

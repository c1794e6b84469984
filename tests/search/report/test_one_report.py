"""HTML, Markdown and JSON are three views of one report: what one of them says, the others say too."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from search.report import answer, audit
from search.report.content import gather
from search.report.tables import shown
from search.results.run import report
from search.storage import open_study
from tests.search.report.reading import Element, read, rows
from tests.support import made_up_run

TABLES = ("importance", "borders", "explored", "rungs", "promised", "failures", "lost", "kinds")


@pytest.fixture(scope="module")
def page(reported: Path) -> Element:
    return read((reported / "report" / "report.html").read_text())


@pytest.fixture(scope="module")
def markdown(reported: Path) -> str:
    return (reported / "report" / "report.md").read_text()


@pytest.fixture(scope="module")
def kept(reported: Path) -> dict[str, Any]:
    read_back: dict[str, Any] = json.loads((reported / "report" / "report.json").read_text())
    return read_back


def test_page_and_markdown_have_the_same_sections(page: Element, markdown: str) -> None:
    titles = [section.first("h2").text() for section in page.all("section")[1:]]
    assert titles == re.findall(r"^## (.*)$", markdown, re.MULTILINE)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_of_the_page_stands_in_the_markdown(page: Element, markdown: str, name: str) -> None:
    there = cells(markdown)
    told = rows(page.first("table", data_table=name))
    assert told
    assert [row for row in told if tuple(row.values()) not in there] == []


def test_the_leaderboard_of_the_markdown_is_part_of_the_page_s(reported: Path, page: Element, markdown: str) -> None:
    there = cells(markdown)
    few = list(shown(gather(reported).leaderboard).columns)
    told = rows(page.first("table", data_table="leaderboard"))
    assert set(few) <= set(told[0])
    assert [row for row in told if tuple(row[name] for name in few) not in there] == []


def cells(markdown: str) -> set[tuple[str, ...]]:
    return {tuple(cell.strip() for cell in line.strip("|").split("|")) for line in markdown.splitlines()}


def test_every_figure_of_the_page_is_linked_in_the_markdown(reported: Path, page: Element, markdown: str) -> None:
    linked = re.findall(r"\(figures/(.*)\.svg\)", markdown)
    assert linked == [(figure.attributes["id"] or "").removeprefix("figure-") for figure in page.all("figure")]
    assert all((reported / "report" / "figures" / f"{name}.svg").exists() for name in linked)


def test_the_verdict_is_one(page: Element, markdown: str, kept: dict[str, Any]) -> None:
    content = page.first("section", id="verdict").text()
    for text in (kept["verdict"]["sentence"], kept["next"]["sentence"], kept["next"]["command"]):
        assert text in content
        assert text in markdown
    assert set(kept["gains"]) == {"searching", "strategy"}
    assert content.count("Gain of ") == markdown.count("Gain of ") == 2


def test_the_checklist_is_one(page: Element, markdown: str, kept: dict[str, Any]) -> None:
    items = page.first("section", id="trust").all("li")
    assert len(items) == len(kept["checks"]) > 10
    for item, check in zip(items, kept["checks"], strict=True):
        assert item.attributes["class"] == check["status"]
        assert item.text().endswith(f"{check['name']} {check['text']}")
        assert f"- {check['name']}: **{check['status']}**. {check['text']}" in markdown


def test_the_cards_are_the_picks(reported: Path, page: Element, markdown: str, kept: dict[str, Any]) -> None:
    cards = page.first("section", id="choose").all("article")
    assert [card.first("h3").text().lower() for card in cards] == [pick["purpose"] for pick in kept["picks"]]
    for card, pick, own in zip(cards, kept["picks"], gather(reported).picks, strict=True):
        assert card.first("p", **{"class": "strategy"}).text() == pick["strategy"]
        assert [fact.text() for fact in card.all("dd")] == list(answer.pick_facts(own, "accuracy").values())
        assert f"freezing: {pick['dimensions']['freezing']}" in card.first("pre").text()
        assert f"| {pick['purpose']}" in markdown


def test_the_cost_map_is_the_front_of_the_json(page: Element, kept: dict[str, Any]) -> None:
    told = rows(page.first("table", data_figure="cost"))
    assert [row["strategy"] for row in told] == [row["strategy"] for row in kept["pareto"]]
    assert [row["front"] == "yes" for row in told] == [row["on_front"] for row in kept["pareto"]]
    for row, wanted in zip(told, kept["pareto"], strict=True):
        assert float(row["score"]) == pytest.approx(wanted["score"], rel=1e-4)


def test_an_importance_from_few_trials_is_a_hint(reported: Path) -> None:
    importance = gather(reported).importance
    assert len(importance)
    told = audit.mattered(importance)
    few = importance.groupby("scope", sort=False)["enough"].first()
    assert [audit.FEW in warning for warning in told["Warning"]] == [not enough for enough in few]
    assert (told["n"].astype(int) > 0).all()


def test_of_a_tie_the_winner_is_named_beside_what_is_recommended(tmp_path: Path) -> None:
    folder = made_up_run.write(tmp_path / "run")
    study = open_study(folder, "confirm", "max")
    decision = study.user_attrs["decision"]
    winner, second, third, _ = decision["order"]
    tie = {"label": "tie", "tied": [second, third], "recommended": second}
    study.set_user_attr("decision", decision | tie)
    content = gather(folder)
    named = content.leaderboard.set_index("key")["strategy"]
    assert content.verdict["sentence"].startswith(f"Use {named[second]}:")
    assert answer.tied(content) == [
        f"Not told apart from it: {named[winner]} (the winner on validation); {named[third]}."
    ]


def test_a_second_opening_of_the_test_set_is_said_everywhere(tmp_path: Path) -> None:
    folder = made_up_run.write(tmp_path / "run")
    journal = folder / "optuna.journal"
    lines = journal.read_text().splitlines()
    (opening,) = [line for line in lines if '"test_opened"' in line]
    again = json.loads(opening)
    again["user_attr"]["test_opened"] *= 2
    journal.write_text("\n".join([*lines, json.dumps(again)]) + "\n")
    report(folder)
    for name in ("html", "md", "json"):
        assert "opened 2 times" in (folder / "report" / f"report.{name}").read_text()


def test_what_a_run_cut_short_lacks_is_said_everywhere(tmp_path: Path) -> None:
    folder = made_up_run.write(tmp_path / "run", confirmed=0)
    report(folder)
    (missing,) = json.loads((folder / "report" / "report.json").read_text())["missing"]
    assert missing in (folder / "report" / "report.md").read_text()
    assert missing in read((folder / "report" / "report.html").read_text()).first("section", id="verdict").text()

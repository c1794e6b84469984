"""Studies that a report might not expect: it says what there is, in every form, and never a number that is none."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from search.results.run import report
from tests.search.report.reading import read
from tests.support import made_up_run
from tests.support.latex import compiles

NAMES = (r"\input{passwd} & 100% $x_1^2$ #~", "<script>alert('1')</script>", "a name " * 30, "日本語 ümlaut |pipe|")
ODD: dict[str, dict[str, Any]] = {
    "one stratum": {"space": "{preset: quick, freezing: [probe]}"},
    "one seed": {"confirmed": 1},
    "one strategy confirmed": {"alone": True},
    "one strategy confirmed over one seed": {"alone": True, "confirmed": 1},
    "two trials": {"trials": 2},
    "one epoch": {"trials": 4, "epochs": 1, "stop": False},
    "every search trial stopped": {"stop": "all"},
    "macro-F1": {"metric": "macro_f1"},
    "Ray's own ASHA": {"more": "search: {scheduler: asha}"},
    "no early stopping": {"stop": False, "more": "search: {scheduler: none}"},
    "dealt anew": {"more": "finalists: {resplit: true}"},
    "names that are markup": {"classes": NAMES},
    "many classes": {"classes": [f"class_{number}" for number in range(60)]},
    "a space with an end": {
        "space": "{preset: quick, freezing: [probe, full], head_lr: [0.001, 0.01], lr_ratio: [0.1], reinit: [none]}"
    },
}
FAST = ("one strategy confirmed over one seed", "names that are markup")


def strict(text: str) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    read_back: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return read_back


@pytest.mark.parametrize("name", [each if each in FAST else pytest.param(each, marks=pytest.mark.slow) for each in ODD])
def test_an_odd_study_has_its_report(tmp_path: Path, name: str) -> None:
    folder = made_up_run.write(tmp_path / "run", **ODD[name])
    summary = report(folder)
    told = strict((folder / "report" / "report.json").read_text())
    page = read((folder / "report" / "report.html").read_text())
    markdown = (folder / "report" / "report.md").read_text()
    for text in (summary, markdown, page.first("main").text()):
        assert told["verdict"]["sentence"] in text
        assert not re.search(r"\b(nan|NaN|None|inf|<NA>)\b", text)
        assert "0 others" not in text
    board = pd.read_csv(folder / "tables" / "leaderboard.csv")
    assert len(board) == 1 if ODD[name].get("alone") else len(board) >= 3
    assert len(page.all("script")) == 1
    tables = [each.splitlines() for each in markdown.split("\n\n") if each.startswith("|")]
    assert tables
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1, table[0]


@pytest.mark.slow
def test_the_latex_of_odd_studies_compiles(tmp_path: Path) -> None:
    tables = []
    for number, given in enumerate(ODD.values()):
        folder = made_up_run.write(tmp_path / str(number), **given)
        report(folder)
        tables.append((folder / "tables" / "leaderboard.tex").read_text())
    compiles(tmp_path, *tables)


@pytest.mark.slow
@pytest.mark.parametrize(("scheduler", "races"), [("asha", {"all"}), ("none", set())])
def test_the_rungs_are_those_of_the_scheduler(tmp_path: Path, scheduler: str, races: set[str]) -> None:
    folder = made_up_run.write(tmp_path / "run", more=f"search: {{scheduler: {scheduler}}}")
    report(folder)
    told = strict((folder / "report" / "report.json").read_text())
    assert {row["stratum"] for row in told["funnel"]} == {row["stratum"] for row in told["agreement"]} == races
    assert ("All compete in one race." in (folder / "report" / "report.html").read_text()) == bool(races)
    assert (folder / "report" / "figures" / "rungs.svg").exists() == bool(races)

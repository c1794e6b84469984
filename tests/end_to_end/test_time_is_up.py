"""A study that is out of time: the search is cut, confirmation has its third, and the report says what was cut."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pandas as pd
import pytest

import thawline
from search.clock import Clock
from tests.end_to_end.tiny import STUDY, write_project

SECONDS = 150
ENDLESS = (
    STUDY.replace("trials: 6, epochs: 3", f"trials: 400, epochs: 3, hours: {SECONDS / 3600}")
    .replace("head_lr: [0.01, 0.03], lr_ratio: [0.1, 1.0], ", "")
    .replace("seeds: 2", "seeds: 30")
)


@pytest.fixture(scope="module")
def cut(local_ray: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run folder of a study for which time goes on by a second whenever it is asked for."""
    folder = tmp_path_factory.mktemp("cut")
    study = write_project(folder, name="endless", study=ENDLESS)
    ticks = itertools.count()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("search.study.Clock", lambda hours: Clock(hours, now=lambda: float(next(ticks))))
        return Path(thawline.Study.from_yaml(study).run(folder / "run", quiet=True).run_dir)


@pytest.mark.slow
def test_both_stages_are_cut_and_there_is_a_verdict_all_the_same(cut: Path) -> None:
    report = json.loads((cut / "report" / "report.json").read_text())
    assert report["verdict"]["label"] is not None
    assert set(report["cut"]) == {"search", "confirmation"}
    trials = pd.read_parquet(cut / "tables" / "trials.parquet")
    assert "running" not in set(trials["state"])
    begun = ((trials["stage"] == "search") & (trials["state"] != "reused")).sum()
    assert 1 < begun < 400
    assert report["cut"]["search"]["not_started"] == 400 - begun
    confirmations = trials[trials["stage"] == "confirm"]
    assert (confirmations["state"] == "complete").sum() > 3


@pytest.mark.slow
def test_the_page_says_what_was_cut(cut: Path) -> None:
    page = (cut / "report" / "report.md").read_text()
    assert "Time was up in the search (budget.hours: 0.0416667): " in page
    assert "Time was up in the confirmation" in page
    assert " never begun." in page

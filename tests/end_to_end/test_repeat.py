"""The same seed gives the same study, and ``--json`` tells all of it: one more run, by the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from tests.end_to_end.tiny import Ended, thawline, write_project

pytestmark = pytest.mark.slow  # test_resume holds one seed to the same tables in every `make test`

# What a clock or a machine decides.
TIMES = ["seconds", "peak_memory_mb", "host"]


class Again(NamedTuple):
    """The second run: what the command said, and its run folder."""

    ended: Ended
    run_dir: Path

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines of standard output, as JSON."""
        return [json.loads(line) for line in self.ended.printed.splitlines()]


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Again:
    folder = write_project(tmp_path_factory.mktemp("again")).parent
    return Again(thawline("run", "study.yaml", "--run-dir", "run", "--json", folder=folder), folder / "run")


@pytest.mark.parametrize("table", ["trials", "epochs", "predictions", "leaderboard"])
def test_two_runs_with_one_seed_and_one_worker_give_the_same_table(finished: Path, again: Again, table: str) -> None:
    first, second = (pd.read_parquet(run / "tables" / f"{table}.parquet") for run in (finished, again.run_dir))
    assert len(first) > 0
    pd.testing.assert_frame_equal(
        first.drop(columns=TIMES, errors="ignore"), second.drop(columns=TIMES, errors="ignore"), check_exact=True
    )


def test_two_runs_with_one_seed_export_the_same_weights(finished: Path, again: Again) -> None:
    first, second = ((run / "best" / "weights.safetensors").read_bytes() for run in (finished, again.run_dir))
    assert first == second


def test_two_runs_with_one_seed_reach_the_same_verdict(report: dict[str, Any], again: Again) -> None:
    second = json.loads((again.run_dir / "report" / "report.json").read_text())
    assert second["verdict"] == report["verdict"]
    assert second["controls"] == report["controls"]


def test_json_prints_nothing_but_events(again: Again) -> None:
    assert again.ended.code == 0
    assert again.ended.told == ""
    assert len(again.events) > 0
    assert {event["v"] for event in again.events} == {1}
    assert all(isinstance(event["event"], str) for event in again.events)


def test_json_tells_how_every_trial_ended(again: Again) -> None:
    ends = {event["trial"]: event for event in again.events if event["event"] == "trial_end"}
    trials = pd.read_parquet(again.run_dir / "tables" / "trials.parquet").set_index("trial")
    trials = trials[trials["state"] != "reused"]
    assert set(ends) == set(trials.index)
    for name, event in ends.items():
        row = trials.loc[name]
        told = [event[field] for field in ("state", "stage", "stratum", "strategy", "score")]
        assert told == [row[field] for field in ("state", "stage", "stratum", "strategy", "score")]
        assert event["epoch"] == row["epochs"]


def test_json_ends_with_the_run_folder_and_the_verdict(again: Again) -> None:
    last = again.events[-1]
    assert last["event"] == "report"
    assert Path(last["run_dir"]).name == "run"
    assert last["sentence"] == json.loads((again.run_dir / "report" / "report.json").read_text())["verdict"]["sentence"]

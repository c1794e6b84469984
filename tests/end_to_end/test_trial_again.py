"""A trial of a run trains again in this process, without Ray, and comes out as it was recorded."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
import torch

import thawline as api
from search.again import attributes_of, trial
from spaces.errors import BadInput
from tests.end_to_end.tiny import thawline


@pytest.mark.parametrize(("stage", "state"), [("search", "complete"), ("search", "pruned"), ("confirm", "complete")])
def test_every_recorded_epoch_comes_out_the_same(finished: Path, trials: pd.DataFrame, stage: str, state: str) -> None:
    row = trials[(trials["stage"] == stage) & (trials["state"] == state)].iloc[0]
    threads = torch.get_num_threads()
    found = list(api.trial(finished, row["trial"]))
    assert [epoch.epoch for epoch in found] == [1, 2, 3]
    assert [epoch.same for epoch in found] == [True] * row["epochs"] + [None] * (3 - row["epochs"])
    assert found[row["epochs"] - 1].score == row["score"]
    assert torch.get_num_threads() == threads


def test_a_worker_computed_on_the_threads_that_the_environment_asks_for(finished: Path) -> None:
    assert attributes_of(finished, "0")["threads"] == int(os.environ["OMP_NUM_THREADS"])


def test_nothing_is_written(finished: Path, trials: pd.DataFrame) -> None:
    def files() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}

    before = files()
    next(trial(finished, trials["trial"].iloc[0]))
    assert files() == before


@pytest.mark.slow
def test_the_command_prints_what_the_function_yields(finished: Path) -> None:
    done = thawline("trial", str(finished), "c0", folder=finished)
    found = list(trial(finished, "c0"))
    assert (done.code, done.told) == (0, "")
    assert done.printed.splitlines() == [
        *map(str, found),
        "3 of 3 recorded epochs came out the same to the last digit",
    ]
    assert f"score {found[0].score:.6f} (recorded {found[0].recorded_score:.6f})" in str(found[0])


def test_a_trial_that_is_not_there_is_named_with_those_that_are(finished: Path, trials: pd.DataFrame) -> None:
    last = (trials["stage"] == "confirm").sum() - 1
    with pytest.raises(BadInput, match=rf"no trial 'c99'.*c0 to c{last} of the confirmation"):
        trial(finished, "c99")
    with pytest.raises(BadInput, match="is no run folder"):
        trial(finished / "best", "0")


def test_a_trial_that_was_never_trained_points_to_the_one_that_was(tmp_path: Path) -> None:
    from search.again import row_of

    trials = pd.DataFrame({"trial": ["0", "1"], "state": ["complete", "reused"], "reused_of": [None, "0"]})
    assert row_of(trials, "0")["state"] == "complete"
    with pytest.raises(BadInput, match="1 was not trained: it repeats the strategy of trial 0; name that one"):
        row_of(trials, "1")


@pytest.mark.parametrize(
    ("known", "there"),
    [
        ([], "it has none yet"),
        (["0", "1"], r"it has 0 to 1 of the search \("),
        (["0", "c0"], "0 to 0 .* and c0 to c0 of"),
    ],
)
def test_only_trials_that_there_are_are_named(known: list[str], there: str) -> None:
    from search.again import row_of

    with pytest.raises(BadInput, match=f"no trial 'c9'.*{there}"):
        row_of(pd.DataFrame({"trial": known}), "c9")


def test_the_doctor_reaches_a_ray_that_runs(local_ray: None) -> None:
    found = {finding.name: finding for finding in api.doctor()}
    assert (found["ray starts"].state, found["ray starts"].about) == ("ok", "4 CPU, 0 GPU")

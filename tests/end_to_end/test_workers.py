"""Trials that two workers train together, by Ray Train: one worker's numbers, and the same end in every case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import thawline
from search.again import attributes_of
from search.config import ResourcesConfig
from search.errors import StudyFailed
from search.layering import resolve
from search.proposals import Proposal
from search.results.load import load
from search.rungs import Rungs
from search.setup import template
from spaces.strategy import Full, Probe, Strategy, Top
from tests.end_to_end.test_faults import recorded, trained_here
from tests.end_to_end.test_resume import assert_same, kill_after
from tests.end_to_end.tiny import MODULE, STUDY, write_project

# A team is seven processes, and some of the tests need three teams.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# Without batch normalisation, of which each worker would see its own part.
CALM = MODULE.replace("self.norm = nn.BatchNorm2d(width)", "self.norm = nn.Identity()")
TWO = STUDY.replace("{concurrent: 1}", "{concurrent: 1, workers_per_trial: 2}")
FORWARD = "    def forward(self, x):\n        return self.head"
# What befalls a trial is told by what of its network trains, and on which worker; a mark says that it has happened.
BEFALLS = """\
    def forward(self, x):
        import os, pathlib, signal

        from torch import distributed

        second = distributed.is_initialized() and distributed.get_rank() == 1
        trains = [unit.convolution.weight.requires_grad for unit in self.units]
        mark = pathlib.Path(__file__).with_name("died")
        self.calls = getattr(self, "calls", 0) + torch.is_grad_enabled()
        if second and trains == [False, False, True] and self.calls == 5 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if second and trains == [False, True, True]:
            raise ValueError("two blocks are too many")
        if second and trains == [True, True, True] and torch.is_grad_enabled() and len(x) > 8:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\\nmore about it")
        return self.head"""
ONE, BOTH, FULL = (Strategy(freezing, 0.01, lr_ratio=1.0, weight_decay=1e-4) for freezing in (Top(1), Top(2), Full()))
PROBE = Strategy(Probe(), 0.01)


def carry_out(folder: Path, name: str, module: str, strategies: list[Strategy], rungs: Rungs | None = None) -> Any:
    """Train ``strategies`` as search trials, two workers each; return the template of their orders."""
    from search.sampler import StudySearcher
    from search.tuner import carry_out, slots

    resolved = resolve(write_project(folder, name=name, module=module, study=TWO))
    queue = [Proposal(strategy, "search", 0) for strategy in strategies]
    searcher = StudySearcher(folder, "search", template(resolved), queue, rungs=rungs)
    room = slots(resolved.config.resources)
    assert (room.concurrent, room.workers) == (1, 2)
    carry_out(searcher, rungs, room)
    return template(resolved)


def rows_of(folder: Path) -> pd.DataFrame:
    trials, _ = load(folder)
    return trials.set_index("key")


class Impatient(Rungs):
    """Stops whoever comes to the first rung."""

    def decide(self, trial: int, stratum: str, epoch: int, score: float) -> bool:
        return epoch not in self.milestones(stratum)


def test_two_workers_give_the_numbers_of_one_and_stay_for_the_next_trial(local_ray: None, tmp_path: Path) -> None:
    config = carry_out(tmp_path, "calm", CALM, [ONE, FULL, PROBE])
    rows = rows_of(tmp_path)
    assert list(rows["state"]) == ["complete"] * 3
    assert list(rows["certificate"]) == ["ok", "none", "ok"]
    for strategy in (ONE, FULL, PROBE):
        label = str(rows.loc[strategy.key, "trial"])
        assert attributes_of(tmp_path, label)["computing"]["workers"] == 2
        for one, two in zip(trained_here(config, strategy), recorded(tmp_path, label), strict=True):
            assert two == pytest.approx(one, rel=1e-4)
        # As `thawline trial` repeats it: two parts, added up in the order that does not matter.
        assert recorded(tmp_path, label) == trained_here(config, strategy, accumulate=2)


def test_a_team_is_stopped_at_a_rung_and_takes_the_next_trial(local_ray: None, tmp_path: Path) -> None:
    carry_out(tmp_path, "stopped", CALM, [ONE, FULL, PROBE], Impatient(epochs=3))
    rows = rows_of(tmp_path)
    assert list(rows["state"]) == ["pruned"] * 3
    assert list(rows["epochs"]) == [1] * 3
    assert rows.loc[ONE.key, "certificate"] == "ok"


@pytest.fixture(scope="module")
def struck(local_ray: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Return the folder in which the second worker died once, raised once, and once ran out of memory."""
    folder = tmp_path_factory.mktemp("struck")
    module = CALM.replace(FORWARD, BEFALLS)
    assert module != CALM
    return folder, carry_out(folder, "befallen", module, [ONE, BOTH, FULL])


def test_a_team_whose_worker_dies_is_replaced_and_its_trial_goes_on_from_its_progress(
    struck: tuple[Path, Any],
) -> None:
    folder, config = struck
    row = rows_of(folder).loc[ONE.key]
    assert row["state"] == "complete"
    retried = attributes_of(folder, row["trial"])["retried"]
    assert retried == {"reason": "the worker died", "after": 1, "accumulate": 1}
    assert recorded(folder, row["trial"]) == trained_here(config, ONE, accumulate=2)


def test_what_one_worker_raises_is_the_trial_s_reason(struck: tuple[Path, Any]) -> None:
    folder, _ = struck
    row = rows_of(folder).loc[BOTH.key]
    assert (row["state"], row["reason"]) == ("failed", "ValueError: two blocks are too many")
    log = (folder / "logs" / f"trial-{row['trial']}.txt").read_text()
    assert "in forward" in log
    assert log.rstrip().endswith("ValueError: two blocks are too many")


def test_memory_that_runs_out_on_one_worker_halves_the_parts_of_all(struck: tuple[Path, Any]) -> None:
    folder, config = struck
    row = rows_of(folder).loc[FULL.key]
    assert row["state"] == "complete"
    assert attributes_of(folder, row["trial"])["retried"]["accumulate"] == 2
    for one, two in zip(trained_here(config, FULL), recorded(folder, row["trial"]), strict=True):
        assert two == pytest.approx(one, rel=1e-4)


SHORT = TWO.replace("trials: 6, epochs: 3", "trials: 2, epochs: 3").replace("count: 2, seeds: 2", "count: 1, seeds: 1")


@pytest.fixture(scope="module")
def whole(local_ray: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run folder of a study whose every trial has two workers."""
    study = write_project(tmp_path_factory.mktemp("whole"), name="whole", module=CALM, study=SHORT)
    return Path(thawline.Study.from_yaml(study).run(study.parent / "run", quiet=True).run_dir)


def test_a_study_of_teams_ends_with_a_verdict(whole: Path) -> None:
    report = json.loads((whole / "report" / "report.json").read_text())
    assert report["verdict"]["label"] is not None
    trials = pd.read_parquet(whole / "tables" / "trials.parquet")
    assert set(trials["state"]) <= {"complete", "pruned", "reused"}
    assert set(trials["certificate"].dropna()) <= {"ok", "none"}
    assert all(epoch.same for epoch in thawline.trial(whole, "c0"))  # once more, by one worker


def test_a_killed_study_of_teams_goes_on_to_the_same_tables(whole: Path, tmp_path: Path) -> None:
    folder = write_project(tmp_path, name="whole", module=CALM, study=SHORT).parent
    lines = (whole / "optuna.journal").read_text().splitlines()
    asked = [number for number, line in enumerate(lines) if json.loads(line)["op_code"] == 4]  # a trial is made
    kill_after(folder, asked[1] + 12)
    before, _ = load(folder / "run")
    assert "running" in set(before["state"])
    assert_same(whole, Path(thawline.resume(folder / "run", quiet=True).run_dir))


def test_more_workers_than_there_is_room_for_are_one_clear_error(local_ray: None) -> None:
    from search.tuner import slots

    assert slots(ResourcesConfig(workers_per_trial=2)).concurrent == 2
    with pytest.raises(StudyFailed, match="5 workers a trial with 1 CPU and 0 GPU each") as refused:
        slots(ResourcesConfig(workers_per_trial=5))
    assert "the machines have room for 4 of them" in refused.value.message
    assert "lower resources.workers_per_trial, cpus_per_trial or gpus_per_trial" in refused.value.message

"""A search killed after any entry of its journal goes on to the study that was never killed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.reconcile import rung_records
from search.rungs import Rungs
from search.sampler import StudySearcher
from search.storage import load_study, repair
from spaces.domain import Choice
from spaces.param import Space
from spaces.presets import Setting, build
from tests.search.simulated import EPOCHS, carry_out

WIDE = build("standard", Setting("image", "adamw", 4))
# Ten strategies, nearly all of them tried in the end: most draws repeat one, and the last are taken from those left.
NARROW = build(
    "quick",
    Setting("image", "adamw", 4),
    {
        "freezing": Choice(("probe", "top", "full")),
        "head_lr": Choice((0.001, 0.01)),
        "lr_ratio": Choice((0.1,)),
        "reinit": Choice(("none",)),
    },
)
SPACES = {"wide": (WIDE, 10), "narrow": (NARROW, 8)}


def held(run_dir: Path) -> list[dict[str, Any]]:
    """Return all that a study holds of its trials but the time of day."""
    study = load_study(run_dir, "search")
    assert study is not None
    return [
        {"state": t.state.name, "params": t.params, "steps": t.intermediate_values, "value": t.value, **t.user_attrs}
        for t in study.get_trials()
    ]


def journal(run_dir: Path) -> list[bytes]:
    return (run_dir / "optuna.journal").read_bytes().splitlines(keepends=True)


@pytest.fixture(scope="module", params=SPACES)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Space, int]:
    """Return the run folder of a search that nothing interrupted, its space and its budget."""
    folder = tmp_path_factory.mktemp(request.param)
    space, budget = SPACES[request.param]
    carry_out(folder, space, budget=budget)
    return folder, space, budget


def killed(whole: Path, folder: Path, lines: int, torn: bytes = b"") -> Path:
    """Return a run folder as a kill after ``lines`` entries left it; the workers were an epoch ahead."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "optuna.journal").write_bytes(b"".join(journal(whole)[:lines]) + torn)
    for trial in range(40):
        for epoch in range(1, EPOCHS):
            file = folder / "checkpoints" / str(trial) / f"progress-{epoch}.pt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    return folder


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_after_every_entry_it_ends_as_if_it_had_not_been(whole: tuple[Path, Space, int], tmp_path: Path) -> None:
    run_dir, space, budget = whole
    for lines in range(1, len(journal(run_dir))):
        folder = killed(run_dir, tmp_path / "killed", lines)
        carry_out(folder, space, budget=budget)
        assert held(folder) == held(run_dir), f"killed after entry {lines}"


@settings(deadline=None, max_examples=6, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_killed_after_any_entry_it_ends_as_if_it_had_not_been(
    whole: tuple[Path, Space, int], tmp_path: Path, data: st.DataObject
) -> None:
    run_dir, space, budget = whole
    lines = data.draw(st.integers(1, len(journal(run_dir)) - 1))
    folder = killed(run_dir, tmp_path / "killed", lines)
    carry_out(folder, space, budget=budget)
    assert held(folder) == held(run_dir)


def test_killed_again_and_again_it_ends_the_same(whole: tuple[Path, Space, int], tmp_path: Path) -> None:
    run_dir, space, budget = whole

    class Killed(BaseException):
        pass

    events = 0

    def kill(_searcher: StudySearcher, _rungs: Rungs) -> None:
        nonlocal events
        events += 1
        if events % 5 == 0:
            raise Killed

    sessions = 0
    while True:
        sessions += 1
        try:
            carry_out(tmp_path, space, budget=budget, watch=kill)
            break
        except Killed:
            continue
    assert sessions > 5
    assert held(tmp_path) == held(run_dir)


@pytest.mark.parametrize("slots", [1, 3])
def test_after_every_event_rungs_rebuilt_from_the_journal_equal_the_live_ones(tmp_path: Path, slots: int) -> None:
    compared = 0

    def compare(_searcher: StudySearcher, live: Rungs) -> None:
        nonlocal compared
        study = load_study(tmp_path, "search")
        assert study is not None
        rebuilt = Rungs(EPOCHS)
        rebuilt.rebuild(rung_records(study))
        assert dict(rebuilt.scores) == {place: seen for place, seen in live.scores.items() if seen}
        compared += len(rebuilt.scores) > 0

    carry_out(tmp_path, WIDE, budget=14, slots=slots, watch=compare)
    assert compared > 30
    assert {trial["state"] for trial in held(tmp_path)} == {"COMPLETE", "PRUNED", "FAIL"}


@pytest.mark.parametrize("rest", [b"", b"\n", b"\n" + bytes(99) + b"\n"], ids=["torn", "ended", "zeros"])
def test_a_torn_last_entry_is_cut_before_the_next_is_written(
    whole: tuple[Path, Space, int], tmp_path: Path, rest: bytes
) -> None:
    run_dir, space, budget = whole
    half = len(journal(run_dir)) // 2
    folder = killed(run_dir, tmp_path / "killed", half, torn=journal(run_dir)[half][:17] + rest)
    repair(folder)
    carry_out(folder, space, budget=budget)
    assert held(folder) == held(run_dir)


def test_a_torn_last_entry_left_as_it_is_would_lose_the_journal(whole: tuple[Path, Space, int], tmp_path: Path) -> None:
    """The reason for the repair; when Optuna mends this itself, it can go."""
    run_dir, space, budget = whole
    folder = killed(run_dir, tmp_path / "killed", 40, torn=b'{"op_code":8,"wor')
    carry_out(folder, space, budget=budget)
    with pytest.raises(ValueError, match="Expecting"):
        load_study(folder, "search")


def test_a_larger_budget_goes_on_from_a_study_that_had_ended(tmp_path: Path) -> None:
    carry_out(tmp_path, WIDE, budget=6)
    before = held(tmp_path)
    carry_out(tmp_path, WIDE, budget=10)
    assert held(tmp_path)[: len(before)] == before
    assert sum(trial["stage"] == "search" and "reused_of" not in trial for trial in held(tmp_path)) == 10


def test_nothing_is_done_twice_in_a_study_that_has_ended(whole: tuple[Path, Space, int]) -> None:
    run_dir, space, budget = whole
    before = journal(run_dir)
    carry_out(run_dir, space, budget=budget)
    assert journal(run_dir) == before


def test_the_progress_of_a_trial_goes_with_its_end(whole: tuple[Path, Space, int]) -> None:
    assert list((whole[0] / "checkpoints").iterdir()) == []


def test_what_was_reported_is_not_written_again_where_the_progress_is_lost(
    whole: tuple[Path, Space, int], tmp_path: Path
) -> None:
    run_dir, space, budget = whole
    second = next(n for n, line in enumerate(journal(run_dir)) if b'"step":3' in line)
    folder = killed(run_dir, tmp_path / "killed", second + 1)
    shutil.rmtree(folder / "checkpoints")
    before = journal(folder)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    carry_out(folder, space, budget=budget)
    assert held(folder) == held(run_dir)
    steps = [line for line in journal(folder)[len(before) :] if b'"step":1,' in line and b'"trial_id":0,' in line]
    assert steps == []

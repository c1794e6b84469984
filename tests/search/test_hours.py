"""``budget.hours``: what trains stops at its next epoch, confirmation has its third, the report says what was cut."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from search.clock import TIME_UP, USED, Clock
from search.layering import resolve
from search.report.hours import cut_lines, what_was_cut
from search.results.load import attributes, load
from search.sampler import StudySearcher
from spaces.presets import Setting, build
from tests.search.simulated import EPOCHS, carry_out

SPACE = build("standard", Setting("image", "adamw", 4))


class Ticks:
    """A clock that goes on by a second whenever it is read."""

    def __init__(self) -> None:
        self.count = itertools.count()

    def __call__(self) -> float:
        return float(next(self.count))


def clock(seconds: float, **given: Any) -> Clock:
    return Clock(seconds / 3600, now=Ticks(), **given)


def test_two_thirds_are_the_search_s_and_the_rest_is_reserved_for_confirmation() -> None:
    time = Clock(3.0, now=lambda: 0.0)
    for used, search, confirm in [(7199, False, False), (7200, True, False), (10799, True, False), (10800, True, True)]:
        time.before = used
        assert (time.is_up("search"), time.is_up("confirm")) == (search, confirm)


def test_without_hours_time_is_never_up() -> None:
    assert not Clock(before=1e12).is_up("search")


def test_what_earlier_sessions_used_counts() -> None:
    assert Clock(1.0, before=3000, now=lambda: 0.0).is_up("search")


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """Return the folder of a search of 40 trials for which there was no time."""
    carry_out(tmp_path, SPACE, budget=40, slots=3, clock=clock(120))
    return tmp_path


def test_trials_stop_at_their_next_epoch_and_the_others_never_begin(cut: Path) -> None:
    trials, _ = load(cut)
    assert 3 < len(trials) < 42
    stopped = trials[trials["reason"].fillna("").str.contains("time was up")]
    assert 1 <= len(stopped) <= 3
    assert set(stopped["state"]) == {"pruned"}
    assert all(1 <= epochs < EPOCHS for epochs in stopped["epochs"])
    assert "running" not in set(trials["state"])


def test_the_report_says_what_was_cut(cut: Path) -> None:
    trials, _ = load(cut)
    facts = attributes(cut)
    found = what_was_cut(facts, trials)
    assert list(found) == ["search"]
    begun = (trials["stage"] == "search") & (trials["state"] != "reused")
    assert found["search"]["not_started"] == 40 - begun.sum()
    stopped = len(found["search"]["stopped"])
    assert cut_lines(found, 2.5) == [
        f"Time was up in the search (budget.hours: 2.5): {stopped} trial{'s' * (stopped != 1)} stopped early, "
        f"{40 - begun.sum()} trials never begun."
    ]


def test_the_time_used_stands_in_the_journal(cut: Path) -> None:
    assert attributes(cut)[USED] >= 80


def test_with_more_time_the_search_goes_on_and_is_cut_no_more(cut: Path) -> None:
    before, _ = load(cut)
    carry_out(cut, SPACE, budget=40, clock=clock(1e6, before=attributes(cut)[USED]))
    trials, _ = load(cut)
    assert ((trials["stage"] == "search") & (trials["state"] != "reused")).sum() == 40
    assert list(trials["state"][: len(before)]) == list(before["state"])
    assert attributes(cut)[TIME_UP.format("search")] is None
    assert what_was_cut(attributes(cut), trials) == {}


def test_what_an_earlier_session_began_is_ended_when_there_is_no_time_left(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def kill_in_the_second_epoch(searcher: StudySearcher, _rungs: object) -> None:
        if any(live.epoch == 2 for live in searcher._live.values()):
            raise Killed

    with pytest.raises(Killed):
        carry_out(tmp_path, SPACE, budget=5, slots=2, watch=kill_in_the_second_epoch)
    carry_out(tmp_path, SPACE, budget=5, clock=clock(1, before=1e9))
    trials, _ = load(tmp_path)
    assert "running" not in set(trials["state"])
    assert "stopped at epoch 2: time was up" in set(trials["reason"])


def test_a_search_that_ended_in_time_is_not_cut(tmp_path: Path) -> None:
    carry_out(tmp_path, SPACE, budget=4, clock=clock(1e6))
    assert TIME_UP.format("search") not in attributes(tmp_path)


def test_hours_may_be_given_beside_trials_and_epochs(tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text("task: image-classification\nmodel: torchvision:resnet18\ndata: {path: images}\n")
    budget = resolve(study, ["budget.hours=1.5", "budget.trials=200"], look=False).config.budget
    assert (budget.hours, budget.trials, budget.epochs) == (1.5, 200, 12)

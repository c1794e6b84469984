"""Early stopping within strata."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.rungs import Rungs


def test_milestones_grow_by_the_reduction_and_stay_below_the_last_epoch() -> None:
    assert Rungs(epochs=30, grace=1, reduction=3).milestones("direct") == (1, 3, 9, 27)
    assert Rungs(epochs=9, grace=1, reduction=3).milestones("direct") == (1, 3)
    assert Rungs(epochs=6, grace=2, reduction=2).milestones("direct") == (2, 4)
    assert Rungs(epochs=4, grace=4).milestones("direct") == ()


def test_the_first_to_arrive_goes_on_and_a_worse_second_is_stopped() -> None:
    rungs = Rungs(epochs=9)
    assert rungs.decide(0, "direct", 1, 0.5)
    assert not rungs.decide(1, "direct", 1, 0.4)
    assert rungs.decide(2, "direct", 1, 0.6)


def test_a_third_goes_on_at_every_rung() -> None:
    rungs = Rungs(epochs=9)
    on = [rungs.decide(trial, "direct", 1, score) for trial, score in enumerate([0.9, 0.8, 0.7, 0.6, 0.5, 0.85])]
    assert on == [True, False, False, False, False, True]  # six have come, the best two go on


def test_strata_do_not_compete() -> None:
    rungs = Rungs(epochs=9)
    assert rungs.decide(0, "head", 1, 0.9)
    assert rungs.decide(1, "scratch", 1, 0.1)


def test_between_milestones_everything_goes_on() -> None:
    rungs = Rungs(epochs=9)
    rungs.decide(0, "head", 1, 0.9)
    assert rungs.decide(1, "head", 2, 0.1)


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("epoch", [1, 2])
def test_a_score_that_is_no_number_is_stopped_anywhere_and_never_recorded(score: float, epoch: int) -> None:
    rungs = Rungs(epochs=9)
    assert not rungs.decide(0, "head", epoch, score)
    assert rungs.decide(1, "head", 1, 0.0)


def test_a_loss_is_better_when_it_is_lower() -> None:
    rungs = Rungs(epochs=9, mode="min")
    assert rungs.decide(0, "head", 1, 0.5)
    assert not rungs.decide(1, "head", 1, 0.6)
    assert rungs.decide(2, "head", 1, 0.4)


def test_an_epoch_told_twice_is_compared_and_never_overwritten() -> None:
    rungs = Rungs(epochs=9)
    rungs.decide(0, "head", 1, 0.5)
    rungs.decide(0, "head", 1, 0.9)
    assert rungs.scores["head", 1] == {0: 0.5}


EVENTS = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["head", "direct"]), st.integers(1, 9), st.floats(0, 1)),
    unique_by=lambda event: (event[0], event[2]),
)


@given(EVENTS, st.sampled_from([1, 2, 5]))
def test_rungs_rebuilt_from_the_records_equal_the_live_ones(
    events: list[tuple[int, str, int, float]], grace: int
) -> None:
    live, rebuilt = Rungs(epochs=9, grace=grace), Rungs(epochs=9, grace=grace)
    for event in events:
        live.decide(*event)
    rebuilt.rebuild(events)
    assert rebuilt.scores == live.scores


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_best_so_far_always_goes_on(scores: list[float]) -> None:
    rungs = Rungs(epochs=9)
    for trial, score in enumerate(scores):
        goes_on = rungs.decide(trial, "head", 1, score)
        if score == max(scores[: trial + 1]):
            assert goes_on


def test_the_delayed_stratum_is_compared_only_after_the_longest_probe_phase() -> None:
    rungs = Rungs(epochs=12, probe=3)
    assert rungs.milestones("delayed") == (4, 9)
    assert Rungs(epochs=18, grace=4, probe=5).milestones("delayed") == (7, 12)
    assert rungs.milestones("direct") == (1, 3, 9)


def test_in_the_second_half_all_strata_are_one_race() -> None:
    rungs = Rungs(epochs=12, grace=3, reduction=3, probe=3)
    assert rungs.milestones("direct") == (3, 9)
    assert rungs.milestones("delayed") == (4, 9)
    assert rungs.decide(0, "direct", 3, 0.9)
    assert rungs.decide(1, "scratch", 3, 0.1)  # alone in its stratum
    assert rungs.decide(0, "direct", 9, 0.9)
    assert not rungs.decide(1, "scratch", 9, 0.5)
    assert rungs.decide(2, "delayed", 9, 0.95)


def test_in_the_first_half_each_stratum_has_its_own_race() -> None:
    rungs = Rungs(epochs=9, grace=1, reduction=3, probe=3)
    assert (rungs.milestones("direct"), rungs.milestones("delayed")) == ((1, 3), (4,))
    assert rungs.decide(0, "direct", 3, 0.9)
    assert rungs.decide(1, "head", 3, 0.2)
    assert rungs.decide(2, "delayed", 4, 0.1)


def test_a_single_late_rung_is_one_race() -> None:
    rungs = Rungs(epochs=6, grace=4, reduction=3, probe=2)
    assert rungs.milestones("direct") == rungs.milestones("delayed") == (4,)
    assert rungs.decide(0, "direct", 4, 0.9)
    assert not rungs.decide(1, "delayed", 4, 0.8)

"""Simulations with a known truth: coverage, false differences, false *clear*; a light form here, the whole as slow.

What the whole one measured stands in docs/decisions/0006 and 0008.
"""

from __future__ import annotations

import pytest

from benchmarks.experiments import resplit
from benchmarks.experiments.intervals import INTERVALS, LABELS, planted, simulate
from benchmarks.truth import Truth, equals
from search.results.verdict import Label

LIGHT, FULL = 150, 1500  # draws


def at_most_5_percent(draws: int) -> float:
    """Return what so many draws of a true 5 % stay below in all but one case of forty."""
    return 0.05 + 2 * (0.05 * 0.95 / draws) ** 0.5


@pytest.mark.parametrize("truth", [equals(3, seeds=3), equals(3, seeds=5, spread=0.01)], ids=["3 seeds", "5 seeds"])
def test_intervals_hold_the_truth_about_as_often_as_they_say(truth: Truth) -> None:
    found = simulate(truth, LIGHT)
    assert 0.91 <= found.coverage <= 0.99
    assert found.differ <= 0.08


@pytest.mark.slow
@pytest.mark.parametrize("name", INTERVALS)
def test_95_percent_intervals_hold_the_truth_in_93_to_97_percent(name: str) -> None:
    found = simulate(INTERVALS[name], FULL, start=1)
    assert 0.93 <= found.coverage <= 0.97
    assert found.differ <= at_most_5_percent(FULL)


@pytest.mark.slow
def test_so_do_those_of_macro_f1() -> None:
    found = simulate(equals(3, seeds=5), 400, start=1, metric="macro_f1")
    assert 0.93 <= found.coverage <= 0.97
    assert found.differ <= at_most_5_percent(400)


def test_equals_are_hardly_ever_clear_however_their_seeds_were_spent() -> None:
    found = simulate(equals(4, seeds=4, examples=200), LIGHT, rounds=True)
    assert found.false_clear <= 0.05 * LIGHT


@pytest.mark.slow
@pytest.mark.parametrize("name", LABELS)
def test_a_false_clear_comes_in_at_most_5_percent(name: str) -> None:
    assert simulate(LABELS[name], FULL, start=1, rounds=True).false_clear <= at_most_5_percent(FULL) * FULL


def often(truth: Truth, label: Label, draws: int = 20) -> bool:
    return simulate(truth, draws, rounds=True).labels[label] >= 0.8 * draws


def test_a_planted_winner_three_points_ahead_is_clear() -> None:
    found = simulate(planted(0.03, 5, 5000), 20, rounds=True)
    assert found.right_clear >= 16
    assert found.false_clear == 0


def test_equals_are_a_tie_where_there_is_enough_to_tell() -> None:
    assert often(equals(3, seeds=8, spread=0.002, examples=20_000), "tie")


def test_too_few_seeds_are_not_enough_evidence() -> None:
    assert often(planted(0.03, 1, 5000), "not enough evidence")
    assert often(planted(0.03, 2, 200), "not enough evidence")


def test_seeds_go_where_they_decide() -> None:
    """Four that are far behind are given up after a few seeds; four equals get all of theirs."""
    behind, equal = (simulate(truth, 20, rounds=True) for truth in (planted(0.15, 8, 1000), equals(5, seeds=8)))
    assert max(behind.seeds) < 0.75 * 5 * 8
    assert min(equal.seeds) > max(behind.seeds)


@pytest.mark.slow
@pytest.mark.parametrize("study", resplit.STUDIES, ids=str)
def test_splits_dealt_anew_by_every_seed_are_as_honest(study: resplit.Study) -> None:
    found = resplit.simulate(study, 400, start=1)
    assert 0.92 <= found.val <= 0.98
    assert 0.92 <= found.test <= 0.98
    assert found.differ <= at_most_5_percent(400)

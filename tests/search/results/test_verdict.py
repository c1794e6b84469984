"""The decision: known truths come out as known labels."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.truth import Truth, equals
from search.results.compare import holm, ranked, rivals, within_reach
from search.results.verdict import decide

COSTS = {"a": 3.0, "b": 2.0, "c": 1.0}


def measured(seeds: int = 3, examples: int = 2000, **accuracies: float):  # type: ignore[no-untyped-def]
    truth = Truth(accuracies, dict.fromkeys(accuracies, seeds), examples=examples)
    return truth.draw(np.random.default_rng(1))


def test_a_planted_winner_is_clear() -> None:
    decision = decide(measured(a=0.9, b=0.8, c=0.7), COSTS, margin=0.01, mode="max")
    assert (decision.winner, decision.label, decision.tied, decision.recommended) == ("a", "clear", (), "a")
    assert decision.order == ("a", "b", "c")


def test_equals_within_the_margin_tie_and_the_cheapest_is_recommended() -> None:
    decision = decide(measured(a=0.8, b=0.8, c=0.5), COSTS, margin=0.05, mode="max")
    assert decision.label == "tie"
    assert len(decision.tied) == 1
    assert decision.recommended == "b"


def test_too_little_data_is_not_enough_evidence() -> None:
    decision = decide(measured(examples=40, a=0.8, b=0.78, c=0.5), COSTS, margin=0.01, mode="max")
    assert decision.label == "not enough evidence"
    assert decision.recommended == decision.winner


def test_one_seed_each_is_never_enough() -> None:
    assert decide(measured(seeds=1, a=0.9, b=0.5), COSTS, margin=0.01, mode="max").label == "not enough evidence"


def test_a_single_strategy_beats_nobody() -> None:
    assert decide(measured(a=0.9), COSTS, margin=0.01, mode="max").label == "not enough evidence"


def test_the_lowest_wins_where_lower_is_better() -> None:
    found = measured(a=0.9, b=0.5)
    decision = decide(found, COSTS, margin=0.01, mode="min")
    assert (decision.winner, decision.label) == ("b", "clear")
    [rival] = rivals(found, "b", "min")
    assert 0.3 < rival.gap.low < rival.gap.high < 0.5


def test_holm_holds_the_clearest_against_the_strictest_bound() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.04, 0.005, 0.011, 0.9]) == pytest.approx([0.08, 0.02, 0.033, 0.9])
    assert holm([]) == []


def test_no_rival_counts_as_beaten_behind_one_that_is_not() -> None:
    """Three rivals at p = 0.03 each: alone each were beaten, together none is."""
    assert all(value > 0.05 for value in holm([0.03, 0.03, 0.03]))


def test_within_reach_is_who_is_not_shown_to_be_behind() -> None:
    found = measured(a=0.9, b=0.88, c=0.5, seeds=2, examples=200)
    assert within_reach(found, "max", 0.99) == ("a", "b")
    assert within_reach(found, "min", 0.99) == ("c",)
    assert ranked(found, "max") == ("a", "b", "c")


def test_with_one_seed_everybody_is_within_reach() -> None:
    assert set(within_reach(equals(4, seeds=1).draw(np.random.default_rng(0)), "max", 0.99)) == set("abcd")

"""Intervals and the decision: known truths must come out as known labels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from search.results.intervals import Interval, pooled_variance, sample
from search.results.verdict import decide, sentence
from trainables.metrics import METRICS, PER_EXAMPLE, Labels

COSTS = {"a": 3.0, "b": 2.0, "c": 1.0}


def predictions(accuracy: float, *, seeds: int, count: int, start: int, spread: float = 0.0) -> list[Labels]:
    """Draw predictions of the label 0: right with ``accuracy``, give or take ``spread`` a seed."""
    random = np.random.default_rng(start)
    rates = accuracy + spread * random.normal(size=seeds)
    return [(random.random(count) > rate).astype(np.int64) for rate in rates]


def measured(seeds: int = 3, count: int = 2000, **accuracies: float):  # type: ignore[no-untyped-def]
    drawn = {
        name: predictions(rate, seeds=seeds, count=count, start=index)
        for index, (name, rate) in enumerate(accuracies.items())
    }
    return sample(np.zeros(count, dtype=np.int64), drawn, "accuracy")


def test_a_planted_winner_is_clear() -> None:
    decision = decide(measured(a=0.9, b=0.8, c=0.7), COSTS, margin=0.01, mode="max")
    assert (decision.winner, decision.label, decision.tied, decision.recommended) == ("a", "clear", (), "a")
    assert decision.order == ("a", "b", "c")


def test_equals_within_the_margin_tie_and_the_cheapest_is_recommended() -> None:
    decision = decide(measured(a=0.8, b=0.8, c=0.5), COSTS, margin=0.1, mode="max")
    assert decision.label == "tie"
    assert len(decision.tied) == 1
    assert decision.recommended == "b"


def test_too_little_data_is_not_enough_evidence() -> None:
    decision = decide(measured(count=40, a=0.8, b=0.78, c=0.5), COSTS, margin=0.01, mode="max")
    assert decision.label == "not enough evidence"
    assert decision.recommended == decision.winner


def test_one_seed_each_is_never_enough() -> None:
    found = measured(seeds=1, a=0.9, b=0.5)
    assert math.isnan(found.interval("a").low)
    assert decide(found, COSTS, margin=0.01, mode="max").label == "not enough evidence"


def test_the_lowest_wins_where_lower_is_better() -> None:
    decision = decide(measured(a=0.9, b=0.5), COSTS, margin=0.01, mode="min")
    assert (decision.winner, decision.label) == ("b", "clear")


def test_a_difference_is_paired_over_examples() -> None:
    """Two strategies that err on the same examples differ by less than their intervals suggest."""
    labels = np.zeros(500, dtype=np.int64)
    hard = np.arange(500) < 150
    one = [hard.astype(np.int64)] * 2
    other = [(hard | (np.arange(500) == 400)).astype(np.int64)] * 2
    found = sample(labels, {"one": one, "other": other}, "accuracy")
    alone, gap = found.interval("one"), found.difference("one", "other")
    assert gap.mean == pytest.approx(1 / 500)
    assert gap.high - gap.low < 0.2 * (alone.high - alone.low)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Accuracy 0.8, seeds that differ by 2 points, 400 examples: 95 % intervals over 200 draws."""
    hits = 0
    for draw in range(200):
        drawn = {
            name: predictions(0.8, seeds=3, count=400, start=1000 * draw + index, spread=0.02)
            for index, name in enumerate("abcd")
        }
        interval = sample(np.zeros(400, dtype=np.int64), drawn, "accuracy").interval("a")
        hits += interval.low <= 0.8 <= interval.high
    assert 0.90 <= hits / 200 <= 1.0


def test_intervals_stay_within_the_metric() -> None:
    interval = measured(seeds=2, count=30, a=0.99, b=0.6).interval("a")
    assert 0.0 <= interval.low <= interval.mean <= interval.high <= 1.0


def test_the_pooled_variance_is_the_mean_of_equal_sized_ones() -> None:
    assert pooled_variance([[1.0, 3.0], [2.0, 2.0]]) == pytest.approx(1.0)
    assert math.isnan(pooled_variance([[1.0], [2.0]]))


def test_the_probabilities_of_being_best_sum_to_one_and_rank_as_the_scores_do() -> None:
    best = measured(a=0.9, b=0.8, c=0.7).best_probability("max")
    assert sum(best.values()) == pytest.approx(1.0)
    assert best["a"] > 0.95


@pytest.mark.parametrize("metric", PER_EXAMPLE)
def test_a_mean_over_examples_is_the_library_s_metric_under_any_weights(metric: str) -> None:
    random = np.random.default_rng(0)
    labels, predicted = random.integers(0, 3, 50), random.integers(0, 3, 50)
    weights = random.multinomial(50, np.full(50, 0.02)).astype(float)
    mean = float(weights @ PER_EXAMPLE[metric](labels, predicted)) / 50
    assert mean == pytest.approx(METRICS[metric](labels, predicted, weights))


def test_macro_f1_takes_the_same_way() -> None:
    labels = np.tile([0, 1, 2], 100)
    right, wrong = labels.copy(), np.zeros_like(labels)
    found = sample(labels, {"right": [right] * 2, "wrong": [wrong] * 2}, "macro_f1")
    assert found.means["right"] == 1.0
    assert found.means["wrong"] == pytest.approx(1 / 6)


def test_the_sentence_never_gives_a_number_without_its_interval() -> None:
    decision = decide(measured(a=0.9, b=0.8), COSTS, margin=0.01, mode="max")
    told = sentence(decision, "top 2", "accuracy", Interval(0.9, 0.88, 0.92), 3, Interval(0.1, 0.05, 0.15))
    assert told == (
        "Use top 2: test accuracy 0.900 (95 % interval 0.880 to 0.920), 3 seeds, "
        "+0.100 [+0.050, +0.150] against default full fine-tuning. The validation scores say so clearly."
    )
    alone = sentence(decision, "top 2", "accuracy", Interval(0.9, math.nan, math.nan), 1, None)
    assert "no interval: one seed" in alone

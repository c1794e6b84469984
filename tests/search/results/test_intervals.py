"""Intervals over seeds and examples: what they are made of, and where they say nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from benchmarks.truth import Truth, equals
from search.results.intervals import Scores, over_examples, over_seeds, sample, spread_out
from trainables.metrics import METRICS, PER_EXAMPLE, RESAMPLED, Labels


def rows(*right: np.ndarray) -> dict[int, Labels]:
    """Return predictions of the label 0, one array a seed: 0 where it is right."""
    return {seed: np.where(each, 0, 1) for seed, each in enumerate(right)}


def zeros(count: int) -> Labels:
    return np.zeros(count, dtype=np.int64)


def test_the_parts_are_those_of_the_two_way_layout() -> None:
    """Held against the textbook's mean squares, written out."""
    random = np.random.default_rng(0)
    worth = (random.random((4, 50)) < 0.7).astype(float)
    seeds, examples = worth.shape
    mean, by_seed, by_example = worth.mean(), worth.mean(axis=1), worth.mean(axis=0)
    square_seeds = examples * np.sum((by_seed - mean) ** 2) / (seeds - 1)
    square_examples = seeds * np.sum((by_example - mean) ** 2) / (examples - 1)
    rest = worth - by_seed[:, None] - by_example + mean
    square_rest = np.sum(rest**2) / ((seeds - 1) * (examples - 1))
    scores = Scores((0, 1, 2, 3), by_seed, worth)
    own = (square_seeds - square_rest) / (seeds * examples)
    assert over_seeds(scores, 1 / examples).variance == pytest.approx(max(0.0, own))
    found = over_examples(by_example, 1 / examples, examples).variance
    assert found == pytest.approx(square_examples / (seeds * examples) + 1 / examples**2)


def test_seeds_that_differ_widen_the_interval() -> None:
    right = np.arange(400) < 320
    worse = np.arange(400) < 280
    same = sample(zeros(400), {"a": rows(right, right, right)}, "accuracy").interval("a")
    apart = sample(zeros(400), {"a": rows(right, worse, right)}, "accuracy").interval("a")
    assert apart.high - apart.low > 1.5 * (same.high - same.low)


def test_one_seed_has_no_interval() -> None:
    found = sample(zeros(100), {"one": rows(np.arange(100) < 90), "two": rows(*[np.arange(100) < 80] * 2)}, "accuracy")
    assert found.means == {"one": 0.9, "two": 0.8}
    assert not found.interval("one").known
    assert found.interval("two").known
    assert not found.difference("one", "two").known
    assert math.isnan(found.gap("one", "two").p)


def test_all_right_is_no_proof_of_always_right() -> None:
    found = sample(zeros(50), {"a": rows(*[np.full(50, True)] * 3), "b": rows(*[np.full(50, True)] * 3)}, "accuracy")
    assert found.interval("a").high == 1.0
    assert 0.9 < found.interval("a").low < 0.97
    assert found.difference("a", "b").low < 0 < found.difference("a", "b").high


def test_a_difference_is_paired_over_examples() -> None:
    """Two strategies that err on the same examples differ by less than their intervals suggest."""
    hard = np.arange(500) < 150
    found = sample(
        zeros(500), {"one": rows(~hard, ~hard), "other": rows(*[~hard & (np.arange(500) != 400)] * 2)}, "accuracy"
    )
    alone, gap = found.interval("one"), found.difference("one", "other")
    assert gap.mean == pytest.approx(1 / 500)
    assert gap.high - gap.low < 0.2 * (alone.high - alone.low)


@pytest.mark.parametrize(("seeds", "paired"), [(3, False), (6, True)])
def test_a_difference_is_paired_over_seeds_where_there_are_enough_of_the_same(seeds: int, paired: bool) -> None:
    """Both strategies go up and down with the seed, together: only pairing sees that their difference does not."""
    right = [np.arange(400) < 300 + 10 * seed for seed in range(seeds)]
    less = [np.arange(400) < 292 + 10 * seed for seed in range(seeds)]
    found = sample(zeros(400), {"one": rows(*right), "other": rows(*less)}, "accuracy")
    gap = found.difference("one", "other")
    assert gap.mean == pytest.approx(0.02)
    assert (gap.low > 0) == paired
    shorter = sample(zeros(400), {"one": rows(*right), "other": rows(*less[1:])}, "accuracy")
    assert not shorter.difference("one", "other").low > 0


def test_a_difference_is_the_mean_s_whatever_the_numbers_of_seeds() -> None:
    found = Truth({"a": 0.9, "b": 0.8}, {"a": 5, "b": 2}).draw(np.random.default_rng(0))
    gap, back = found.difference("a", "b"), found.difference("b", "a")
    assert gap.mean == pytest.approx(found.means["a"] - found.means["b"])
    assert (back.mean, back.low, back.high) == pytest.approx((-gap.mean, -gap.high, -gap.low))


@given(st.integers(0, 10**6), st.integers(2, 6), st.sampled_from(["accuracy", "macro_f1"]))
def test_an_interval_holds_its_mean_and_stays_within_the_metric(start: int, seeds: int, metric: str) -> None:
    found = equals(2, accuracy=0.9, seeds=seeds, examples=30).draw(np.random.default_rng(start), metric)
    interval, gap = found.interval("a"), found.difference("a", "b")
    assert 0.0 <= interval.low <= interval.mean <= interval.high <= 1.0
    assert -1.0 <= gap.low <= gap.mean <= gap.high <= 1.0


def test_the_bootstrap_agrees_with_the_layout_where_both_apply() -> None:
    """Macro-F1 of balanced classes hardly differs from accuracy, and so must its interval."""
    found = {
        metric: equals(2, examples=2000, seeds=4).draw(np.random.default_rng(3), metric)
        for metric in ("accuracy", "macro_f1")
    }
    for one, other in (
        (found["accuracy"].interval("a"), found["macro_f1"].interval("a")),
        (found["accuracy"].difference("a", "b"), found["macro_f1"].difference("a", "b")),
    ):
        assert one.mean == pytest.approx(other.mean, abs=0.003)
        assert one.high - one.low == pytest.approx(other.high - other.low, rel=0.2)


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_can_be_resampled(metric: str) -> None:
    assert (metric in PER_EXAMPLE) != (metric in RESAMPLED)


@pytest.mark.parametrize("metric", PER_EXAMPLE)
def test_a_mean_over_examples_is_the_library_s_metric_under_any_weights(metric: str) -> None:
    random = np.random.default_rng(0)
    labels, predicted = random.integers(0, 3, 50), random.integers(0, 3, 50)
    weights = random.multinomial(50, np.full(50, 0.02)).astype(float)
    mean = float(weights @ PER_EXAMPLE[metric](labels, predicted)) / 50
    assert mean == pytest.approx(METRICS[metric](labels, predicted, weights))


@pytest.mark.parametrize("metric", RESAMPLED)
def test_many_resamples_at_once_are_the_library_s_metric_of_each(metric: str) -> None:
    random = np.random.default_rng(0)
    labels, predicted = random.integers(0, 4, 60), random.integers(1, 5, 60)
    weights = random.multinomial(60, np.full(60, 1 / 60), size=20).astype(float)
    expected = [METRICS[metric](labels, predicted, row) for row in weights]
    assert RESAMPLED[metric](labels, predicted, weights) == pytest.approx(expected)


def test_macro_f1_is_the_library_s() -> None:
    labels = np.tile([0, 1, 2], 100)
    wrong = np.zeros_like(labels)
    found = sample(labels, {"right": {0: labels, 1: labels}, "wrong": {0: wrong, 1: wrong}}, "macro_f1")
    assert found.means["right"] == 1.0
    assert found.means["wrong"] == pytest.approx(f1_score(labels, wrong, average="macro", zero_division=0))


def test_the_probabilities_of_being_best_sum_to_one_and_rank_as_the_scores_do() -> None:
    truth = Truth({"a": 0.9, "b": 0.8, "c": 0.7}, {"a": 3, "b": 2, "c": 1}, examples=2000)
    found = truth.draw(np.random.default_rng(0))
    best, worst = found.best_probability("max"), found.best_probability("min")
    assert sum(best.values()) == pytest.approx(1.0)
    assert best["a"] > 0.9
    assert worst["c"] > 0.9


def test_equals_are_best_about_equally_often_and_single_seeds_say_nothing() -> None:
    draws = [equals(4, seeds=5).draw(np.random.default_rng(start)).best_probability("max")["a"] for start in range(40)]
    assert 0.15 < float(np.mean(draws)) < 0.35
    alone = equals(3, seeds=1).draw(np.random.default_rng(0)).best_probability("max")
    assert all(math.isnan(value) for value in alone.values())


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_seeds_that_all_measured_every_example_are_crossed_as_ever(metric: str) -> None:
    labels, said = equals(2, seeds=3, examples=150).predictions(np.random.default_rng(3))
    every = {seed: np.arange(150) for seed in range(3)}
    for one, other in zip(
        sample(labels, said, metric).scores.values(), sample(labels, said, metric, every).scores.values(), strict=True
    ):
        assert one.by_seed == pytest.approx(other.by_seed)
        assert one.replicates == pytest.approx(other.replicates)


def test_what_a_seed_did_not_measure_changes_neither_its_mean_nor_its_variance() -> None:
    worth = (np.random.default_rng(1).random(40) < 0.8).astype(float)
    whole = spread_out(worth, np.arange(0, 200, 5), 200)
    assert whole.mean() == pytest.approx(worth.mean())
    assert whole.var() / 200 == pytest.approx(worth.var() / 40)


def test_splits_without_a_common_example_are_as_many_examples_as_they_have_together() -> None:
    """And splits that are the same are one: what several seeds measured counts once."""
    right = np.random.default_rng(2).random(600) < 0.8
    apart = {seed: np.arange(200 * seed, 200 * seed + 200) for seed in range(3)}
    found = sample(zeros(600), {"a": rows(*(right[each] for each in apart.values()))}, "accuracy", apart)
    (scores,) = found.scores.values()
    own = over_examples(scores.replicates.mean(axis=0), found.scale, found.examples).variance
    each = np.mean([right[one].var() for one in apart.values()])
    assert own == pytest.approx(each / 600 + 1 / 600**2, rel=0.01)
    alone = sample(zeros(200), {"a": rows(*[right[:200]] * 3)}, "accuracy")
    (crossed,) = alone.scores.values()
    once = over_examples(crossed.replicates.mean(axis=0), alone.scale, alone.examples).variance
    assert once == pytest.approx(right[:200].var() / 200 + 1 / 200**2, rel=0.01)

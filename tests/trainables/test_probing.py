"""What can be read from features is measured: planted signals are found, noise is not, intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trainables.probing import logme, probed, profile_lead, transfer_gain


def features(signal: float, *, count: int = 200, width: int = 20, classes: int = 2, seed: int = 0):
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    values = random.normal(size=(count, width))
    values[:, :classes] += signal * np.eye(classes)[labels]
    return values, labels


def truths(rate: float, count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(count) < rate


def test_a_probe_reads_a_planted_signal_and_nothing_from_noise() -> None:
    assert probed(*features(5.0)).mean() > 0.97
    assert 0.35 < probed(*features(0.0)).mean() < 0.65


def test_a_probe_never_sees_what_it_predicts() -> None:
    # More columns than samples: fitted and tested on the same samples it would be right everywhere.
    assert probed(*features(0.0, count=60, width=400)).mean() < 0.75


def test_the_scale_of_a_feature_does_not_matter() -> None:
    values, labels = features(2.0)
    scales = 10.0 ** np.arange(-10, 10)
    assert probed(values * scales, labels).mean() == pytest.approx(probed(values, labels).mean(), abs=0.02)


@pytest.mark.parametrize("classes", [2, 7])
def test_a_class_of_one_sample_and_broken_numbers_are_survived(classes: int) -> None:
    values, labels = features(4.0, classes=classes)
    values[0, 0], values[1, 1] = np.nan, np.inf
    labels[-1] = classes
    assert len(probed(values, labels)) == len(labels)


def test_the_gain_is_the_share_of_what_random_networks_leave_open() -> None:
    pretrained = np.arange(100) < 90
    random = [np.arange(100) < 60] * 3
    gain = transfer_gain(pretrained, random)
    assert gain.mean == pytest.approx(0.75)
    assert gain.low < 0.75 < gain.high
    assert transfer_gain(random[0], random).mean == 0
    assert transfer_gain(random[0], [pretrained] * 3).mean == pytest.approx(-3.0)


def test_nothing_is_left_to_gain_where_random_networks_are_right_everywhere() -> None:
    everywhere = np.ones(50, dtype=bool)
    gain = transfer_gain(everywhere, [everywhere] * 3)
    assert (gain.mean, gain.low, gain.high) == pytest.approx((0, 0, 0), abs=1e-9)


def test_the_interval_holds_the_true_gain_about_as_often_as_it_says() -> None:
    # Truth: (0.8 - 0.5) / 0.5 = 0.6, with networks that do not differ in their rate.
    found = [
        transfer_gain(truths(0.8, 200, 4 * draw), [truths(0.5, 200, 4 * draw + other) for other in (1, 2, 3)])
        for draw in range(60)
    ]
    held = sum(gain.low <= 0.6 <= gain.high for gain in found)
    assert 52 <= held <= 60


@settings(deadline=None, max_examples=30)
@given(st.integers(20, 200), st.floats(0, 1), st.floats(0, 1))
@example(69, 1.0, 0.0)
def test_the_interval_is_one_and_ends_at_the_whole_gain(count: int, one: float, other: float) -> None:
    gain = transfer_gain(truths(one, count, 0), [truths(other, count, seed) for seed in (1, 2, 3)])
    assert gain.low <= gain.high
    assert gain.high <= 1


def test_a_lead_of_an_earlier_boundary_is_found_and_chance_is_not() -> None:
    last = truths(0.6, 1000, 0)
    planted = last | truths(0.3, 1000, 1)
    lead = profile_lead([truths(0.3, 1000, 2), planted, last])
    assert lead is not None
    assert lead.low > 0
    equal = profile_lead([*(truths(0.6, 300, seed) for seed in range(1, 10)), truths(0.6, 300, 0)])
    assert equal is not None
    assert equal.mean > 0  # the best of nine
    assert equal.low < 0
    assert profile_lead([last]) is None


def test_more_boundaries_need_a_larger_lead() -> None:
    last, best, poor = truths(0.6, 500, 0), truths(0.7, 500, 1), truths(0.2, 500, 2)
    few, many = profile_lead([best, last]), profile_lead([best, *[poor] * 20, last])
    assert few is not None
    assert many is not None
    assert few.mean == many.mean
    assert few.low > many.low


def test_logme_is_higher_where_the_features_tell_more() -> None:
    found = [logme(*features(signal)) for signal in (0.0, 1.0, 3.0, 9.0)]
    assert found == sorted(found)
    assert found[-1] > found[0] + 0.5


def test_features_without_content_have_less_evidence_than_noise_has() -> None:
    values, labels = features(3.0)
    assert logme(np.zeros_like(values), labels) < logme(values, labels)


@pytest.mark.parametrize(("count", "width"), [(40, 8), (30, 50)])
def test_logme_is_the_evidence_at_its_maximum(count: int, width: int) -> None:
    values, labels = features(1.0, count=count, width=width)

    def evidence(alpha: float, beta: float, target: np.ndarray) -> float:
        covariance = np.eye(count) / beta + values @ values.T / alpha
        _, determinant = np.linalg.slogdet(covariance)
        return float(-0.5 * (target @ np.linalg.solve(covariance, target) + determinant + count * np.log(2 * np.pi)))

    grid = 10.0 ** np.linspace(-3, 5, 60)
    best = [
        max(evidence(alpha, beta, target) for alpha in grid for beta in grid) / count
        for target in ((labels == each).astype(float) for each in (0, 1))
    ]
    assert logme(values, labels) == pytest.approx(np.mean(best), abs=0.01)

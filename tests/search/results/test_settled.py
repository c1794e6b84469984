"""What a training settled at: the mean of the last quarter of its epochs."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.results.settled import settled, settled_by_trial

score = st.floats(0, 1)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.4], 0.4),
        ([0.1, 0.2, 0.3, 0.5], 0.5),
        ([0.1, 0.2, 0.3, 0.5, 0.7], 0.6),
        ([*[0.0] * 9, 0.6, 0.7, 0.8], 0.7),
    ],
)
def test_it_is_the_mean_of_the_last_quarter_rounded_up(scores: list[float], expected: float) -> None:
    assert settled(scores) == pytest.approx(expected)


@given(st.lists(score, min_size=1, max_size=12), score)
def test_early_epochs_do_not_count(scores: list[float], other: float) -> None:
    last = -(-len(scores) // 4)
    early = len(scores) - last
    assert settled([other] * early + scores[early:]) == settled(scores)
    assert min(scores[early:]) - 1e-12 <= settled(scores) <= max(scores[early:]) + 1e-12


def test_the_epochs_of_a_trial_are_put_in_order_first() -> None:
    rows = [("7", 3, 0.9), ("7", 1, 0.1), ("c0", 1, 0.4), ("7", 2, 0.2), ("7", 4, 0.7), ("7", 5, 0.8)]
    found = settled_by_trial(pd.DataFrame(rows, columns=["trial", "epoch", "score"]))
    assert found.to_dict() == pytest.approx({"7": 0.75, "c0": 0.4})

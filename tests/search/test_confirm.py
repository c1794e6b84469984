"""Who is trained again on fresh seeds."""

from __future__ import annotations

import pandas as pd
import pytest

from search.confirm import finalists

EPOCHS = 8  # of which the last two count
#        stage      state       stratum    key  last two scores
TRIALS = [
    ("search", "complete", "head", "a", (0.70, 0.70)),
    ("search", "complete", "partial", "lucky", (0.60, 0.99)),
    ("search", "complete", "partial", "b", (0.88, 0.88)),
    ("search", "complete", "partial", "c", (0.90, 0.90)),
    ("search", "pruned", "partial", "pruned", (0.97, 0.97)),
    ("search", "failed", "full", "failed", (0.98, 0.98)),
    ("search", "complete", "full", "d", (0.50, 0.50)),
    ("control", "complete", "full", "control", (0.95, 0.95)),
]


def _chosen(count: int, mode: str = "max") -> list[str]:
    columns = ["stage", "state", "stratum", "key"]
    trials = pd.DataFrame([row[:4] for row in TRIALS], columns=columns).assign(
        trial=[str(number) for number in range(len(TRIALS))]
    )
    early = (0.1,) * (EPOCHS - 2)
    curves = [
        (str(number), epoch, score)
        for number, (*_, last) in enumerate(TRIALS)
        for epoch, score in enumerate(early + last, 1)
    ]
    return finalists(trials, pd.DataFrame(curves, columns=["trial", "epoch", "score"]), count=count, mode=mode)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, ["c"]),
        (3, ["c", "a", "d"]),  # the best of each stratum before the second best of one
        (4, ["c", "b", "a", "d"]),
        (9, ["c", "b", "lucky", "a", "d"]),  # what was stopped, failed or is a control never is one
    ],
)
def test_finalists_are_the_best_of_each_stratum_then_the_best_of_the_rest(count: int, expected: list[str]) -> None:
    assert _chosen(count) == expected


def test_one_lucky_last_epoch_does_not_make_a_finalist() -> None:
    assert "lucky" not in _chosen(4)


def test_where_less_is_better_the_order_is_turned() -> None:
    assert _chosen(9, "min") == ["d", "a", "lucky", "b", "c"]

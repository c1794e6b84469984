"""Who gets the next seed: those that may still be the best, as long as the compute reaches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.truth import Truth, equals
from search.results.allocation import next_seeds

SO_FAR = Truth({"a": 0.9, "b": 0.89, "c": 0.5}, dict.fromkeys("abc", 2), examples=300).draw(np.random.default_rng(0))
COSTS = dict.fromkeys("abc", 10.0)


def test_who_is_far_behind_gets_none() -> None:
    assert set(next_seeds(SO_FAR, COSTS, done=2, seeds=5, left=1000, mode="max")) == {"a", "b"}
    assert next_seeds(SO_FAR, COSTS, done=2, seeds=5, left=1000, mode="min") == ("c",)


def test_who_has_all_its_seeds_gets_none() -> None:
    assert next_seeds(SO_FAR, COSTS, done=5, seeds=5, left=1000, mode="max") == ()


def test_where_the_compute_does_not_reach_the_better_come_first() -> None:
    first, second = next_seeds(SO_FAR, COSTS, done=2, seeds=5, left=20, mode="max")
    assert SO_FAR.means[first] >= SO_FAR.means[second]
    assert next_seeds(SO_FAR, COSTS, done=2, seeds=5, left=19, mode="max") == (first,)
    assert next_seeds(SO_FAR, COSTS, done=2, seeds=5, left=9, mode="max") == ()
    assert next_seeds(SO_FAR, COSTS | {first: 30.0}, done=2, seeds=5, left=20, mode="max") == (second,)


@given(st.integers(0, 1000), st.floats(0, 60), st.integers(1, 5))
def test_it_never_spends_more_than_is_left(start: int, left: float, seeds: int) -> None:
    sample = equals(5, seeds=seeds, examples=50).draw(np.random.default_rng(start))
    chosen = next_seeds(sample, dict.fromkeys("abcde", 10.0), done=seeds, seeds=9, left=left, mode="max")
    assert len(set(chosen)) == len(chosen) == min(len(chosen), int(left // 10))
    assert sample.means[chosen[0]] == pytest.approx(max(sample.means.values())) if chosen else left < 10

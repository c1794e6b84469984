"""A trial is repeated with its batches divided as they were."""

from __future__ import annotations

from typing import Any

import pytest

from search.again import parts_of

STRATEGY = {"strategy": {"batch_size": 24}}


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ({}, 1),
        ({"retried": {"accumulate": 2}}, 2),
        ({"retried": {"accumulate": 2}, "computing": {"workers": 3}}, 6),
        ({"micro_batch": 24}, 1),
        ({"micro_batch": 6}, 4),
        ({"micro_batch": 3, "retried": {"accumulate": 2}}, 8),
        ({"micro_batch": 2}, 12),
    ],
)
def test_the_parts_of_a_batch_are_those_of_workers_memory_and_retry(kept: dict[str, Any], expected: int) -> None:
    assert parts_of(STRATEGY | kept) == expected

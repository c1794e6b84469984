"""Cores are shared out among the slots, and no slot is lost for it."""

from __future__ import annotations

import pytest

from search.cluster.growth import Machine
from search.tuner import cpus_each

GPU_NODE = Machine(16.0, 1.0)


@pytest.mark.parametrize(
    ("nodes", "cpus", "gpus", "concurrent", "expected"),
    [
        ([Machine(16.0, 0.0)], 1, 0, 16, 1),
        ([Machine(16.0, 0.0)], 1, 0, 1, 16),
        ([Machine(16.0, 0.0)], 1, 0, 3, 5),
        ([Machine(2.0, 0.0)], 0.5, 0, 4, 0.5),
        ([Machine(2.0, 0.0)], 2, 0, 1, 2),
        ([Machine(8.0, 0.0), Machine(8.0, 0.0)], 1, 0, 3, 4),  # 5 of 16 would leave room for one a machine
        ([Machine(8.0, 0.0), Machine(64.0, 0.0)], 1, 0, 1, 64),
        ([GPU_NODE], 1, 1, 1, 16),
        ([GPU_NODE], 1, 0.25, 4, 4),
        ([GPU_NODE, Machine(64.0, 0.0)], 1, 1, 1, 16),  # the machine without a GPU runs none of them
    ],
)
def test_every_slot_gets_its_share_of_the_cores(nodes, cpus, gpus, concurrent: int, expected: float) -> None:
    assert cpus_each(nodes, cpus, gpus, concurrent) == expected

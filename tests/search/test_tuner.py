"""Cores are shared out among the slots, and no slot is lost for it; a start of Ray that fails is tried again."""

from __future__ import annotations

from typing import Any

import pytest

from search import tuner
from search.cluster import token
from search.cluster.growth import Machine
from search.errors import ExitCode, StudyFailed
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


@pytest.mark.parametrize(("address", "failures", "tried"), [("", 1, 2), ("", 2, 2), ("127.0.0.1:1", 1, 1)])
def test_a_start_of_ray_that_fails_is_tried_once_more_but_not_an_address_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, address: str, failures: int, tried: int
) -> None:
    starts: list[str] = []

    def init(address: str, **_: Any) -> None:
        starts.append(address)
        if len(starts) <= failures:
            raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(token, "ensure", lambda: None)
    monkeypatch.setattr(tuner.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(tuner.ray, "init", init)
    monkeypatch.setattr(tuner.ray, "shutdown", lambda: None)
    monkeypatch.setenv("RAY_ADDRESS", address)
    if failures < tried:
        with tuner.cluster():
            assert starts == ["local"] * tried
        return
    with pytest.raises(StudyFailed, match="timed out during startup") as error, tuner.cluster():
        pass
    assert error.value.code == ExitCode.CLUSTER
    assert len(starts) == tried

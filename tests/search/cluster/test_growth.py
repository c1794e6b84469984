"""Machines that are not up yet count, as far as the cluster's file or the study says that they may come."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.cluster import growth
from search.cluster.growth import Machine

HEAD, GPU, SMALL = Machine(4, 0), Machine(16, 4), Machine(8, 1)
ONE = Machine(1, 1)
FILE = """\
max_workers: {most}
head_node_type: head
available_node_types:
  head: {{resources: {{CPU: 4}}, max_workers: 0}}
  gpu_spot: {{resources: {{CPU: 8, GPU: 1}}, max_workers: 3}}
"""


@pytest.mark.parametrize(
    ("machine", "cpus", "gpus", "fits"),
    [(HEAD, 1, 0, 4), (HEAD, 1, 1, 0), (GPU, 1, 0.5, 8), (GPU, 8, 1, 2), (SMALL, 0.5, 0.25, 4), (SMALL, 16, 0, 0)],
)
def test_a_machine_runs_what_both_its_cpus_and_its_gpus_allow(
    machine: Machine, cpus: float, gpus: float, fits: int
) -> None:
    assert machine.fits(cpus, gpus) == fits


@pytest.mark.parametrize(("most", "machines"), [(3, 3), (2, 2), (100, 3)])
def test_the_launcher_s_file_says_which_workers_may_come(tmp_path: Path, most: int, machines: int) -> None:
    (tmp_path / "cluster.yaml").write_text(FILE.format(most=most))
    assert growth.planned(tmp_path / "cluster.yaml") == [SMALL] * machines


@pytest.mark.parametrize("text", ["", "[]", "available_node_types: 3", "available_node_types: {a: {}}", "a: [b"])
def test_a_file_that_says_nothing_promises_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "cluster.yaml").write_text(text)
    assert growth.planned(tmp_path / "cluster.yaml") == []
    assert growth.planned(tmp_path / "none.yaml") == []


@pytest.mark.parametrize(
    ("there", "coming", "asked", "expected"),
    [
        ([HEAD], [], None, [HEAD]),
        ([HEAD], [SMALL] * 3, None, [SMALL] * 3),  # nothing is up yet
        ([HEAD, SMALL], [SMALL] * 3, None, [SMALL] * 3),  # the one that is up is one of the three
        ([GPU, GPU], [SMALL] * 3, None, [GPU, GPU]),  # more is up than the file knows of
        ([HEAD], [], 3, [ONE] * 3),  # nothing is known of them
        ([HEAD, GPU], [], 2, [GPU, GPU]),
        ([GPU, GPU, GPU], [], 2, [GPU, GPU]),
        ([HEAD], [SMALL] * 3, 2, [SMALL] * 2),
    ],
)
def test_trials_count_on_machines_that_are_up_or_may_come(
    there: list[Machine], coming: list[Machine], asked: int | None, expected: list[Machine]
) -> None:
    assert growth.expected(there, coming, asked, ONE) == expected

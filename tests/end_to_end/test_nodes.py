"""A head and three nodes with a GPU each: a study uses all of them, and outlives the loss of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from search.results.load import load
from search.storage import load_study
from tests.end_to_end.tiny import MODULE, ROOT, STUDY, write_project

TRIALS = 24
# Slow enough for a node to be lost in the middle of it, and large enough for what is frozen to be recorded.
SLOW = (
    MODULE.replace(
        "    def forward(self, x):\n        return self.head(",
        "    def forward(self, x):\n        time.sleep(0.15 * torch.is_grad_enabled())\n        return self.head(",
    )
    .replace("import numpy", "import time\n\nimport numpy")
    .replace("16, 3, stride=2, padding=1", "128, 3, padding=1")
    .replace("Unit(16)", "Unit(128)")
    .replace("nn.Linear(16, 10)", "nn.Linear(128, 10)")
)
WIDE = "space: {preset: quick, head_lr: [0.003, 0.01, 0.03], lr_ratio: [0.1, 0.3, 1.0], reinit: [none, all]}"
NODES = STUDY.replace(STUDY.splitlines()[4], WIDE).replace("trials: 6", f"trials: {TRIALS}")
NODES = NODES.replace("{concurrent: 1}", "{gpus_per_trial: 1}")
# Ray waits half a minute before it takes a silent machine for lost.
SOON = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 6}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Machines:
    """A cluster of this machine's: a head without a GPU, and nodes with one each and a cache of their own."""

    def __init__(self, caches: Path) -> None:
        import search.tuner  # sets what Ray reads when its processes start  # noqa: F401, I001
        from ray.cluster_utils import Cluster

        self.caches = caches
        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "_system_config": SOON})
        self.nodes = [self.add() for _ in range(3)]

    def add(self) -> Any:
        """Start one more node."""
        cache = self.caches / f"node-{len(list(self.caches.iterdir()))}"
        cache.mkdir()
        return self.cluster.add_node(num_cpus=1, num_gpus=1, env_vars={"THAWLINE_CACHE": str(cache)})

    def lose(self, node: Any) -> None:
        """Kill a node and all its workers without warning."""
        self.cluster.remove_node(node, allow_graceful=False)


@pytest.fixture(scope="module")
def survived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Machines]]:
    """Return the folder of a study during which a node was lost and another one added, and the machines."""
    folder = write_project(tmp_path_factory.mktemp("nodes"), name="nodes", module=SLOW, study=NODES).parent
    machines = Machines(tmp_path_factory.mktemp("caches"))
    try:
        told = (folder / "told.txt").open("w")
        command = subprocess.Popen(
            [sys.executable, "-m", "search", "run", "study.yaml", "--run-dir", "run"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "RAY_ADDRESS": machines.cluster.address},
            stdout=told,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline and _ended(folder / "run") < TRIALS // 3:
            assert command.poll() is None, (folder / "told.txt").read_text()
            time.sleep(0.5)
        machines.lose(machines.nodes[1])
        machines.add()
        assert command.wait(timeout=600) == 0, (folder / "told.txt").read_text()
        yield folder / "run", machines
    finally:
        machines.cluster.shutdown()


def _ended(run_dir: Path) -> int:
    journal = run_dir / "optuna.journal"
    return journal.read_bytes().count(b'"end"') if journal.exists() else 0


def test_no_trial_is_lost_and_none_runs_twice(survived: tuple[Path, Machines]) -> None:
    run_dir, _ = survived
    trials, epochs = load(run_dir)
    searched = trials[(trials["stage"] == "search") & (trials["state"] != "reused")]
    assert len(searched) == TRIALS
    assert searched["key"].is_unique
    assert set(trials["state"]) <= {"complete", "pruned", "reused"}
    assert not epochs.duplicated(["trial", "epoch"]).any()
    for trial in trials[trials["state"] != "reused"].itertuples():
        own = epochs[epochs["trial"] == trial.trial]
        assert list(own["epoch"]) == list(range(1, trial.epochs + 1))
    confirmed = trials[trials["stage"] == "confirm"]
    assert not confirmed.duplicated(["key", "seed"]).any()
    verdict = json.loads((run_dir / "report" / "report.json").read_text())["verdict"]
    assert verdict["label"] in ("clear", "tie", "not enough evidence")


def test_what_the_lost_node_trained_went_on_elsewhere(survived: tuple[Path, Machines]) -> None:
    run_dir, _ = survived
    moved = {}
    for name in ("search", "confirm"):
        study = load_study(run_dir, name)
        assert study is not None
        moved |= {
            (name, trial.number): trial.user_attrs["moved"]
            for trial in study.get_trials()
            if "moved" in trial.user_attrs
        }
        assert not [trial.number for trial in study.get_trials() if "retried" in trial.user_attrs]
    assert len(moved) == 1  # a node trains one at a time
    assert [each["times"] for each in moved.values()] == [1]
    assert "its machine went away" in (run_dir.parent / "told.txt").read_text()


def test_every_node_worked_and_recorded_what_it_read_once(survived: tuple[Path, Machines]) -> None:
    run_dir, machines = survived
    trials, _ = load(run_dir)
    built = trials[trials["cache"] == "built"]
    recorded = {}
    for cache in machines.caches.iterdir():
        metas = (cache / "thawline" / "activations").glob("*/meta.json")
        recorded[cache.name] = [json.loads(path.read_text())["about"] for path in metas]
    assert all(recorded.values()), {name: len(found) for name, found in recorded.items()}
    for found in recorded.values():
        told = [(each["block"], each["split"]) for each in found]
        assert len(set(told)) == len(told)
    trained = {(name, each["block"]) for name, found in recorded.items() for each in found if each["split"] == "train"}
    assert 0 < len(built) <= len(trained)
    assert (trials["cache"] == "hit").sum() > len(built)


def test_ray_says_nothing_of_the_lost_node_between_our_lines(survived: tuple[Path, Machines]) -> None:
    told = (survived[0].parent / "told.txt").read_text()
    assert "raylet" not in told
    assert "Traceback" not in told

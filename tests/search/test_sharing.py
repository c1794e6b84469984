"""As many trials share a GPU as a step's memory allows; where that cannot be told, each has one to itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from search import sharing
from search.cluster.growth import Machine
from search.config import ResourcesConfig, study_space
from search.layering import resolve
from search.setup import Setup, control_strategies, template
from search.sharing import Measured, gpu_share, heaviest, most_on_one, trials_on_one
from spaces.strategy import Full, Strategy
from tests.end_to_end.tiny import STUDY, write_project

ROOT = Path(__file__).parents[2]
GB = 2**30
NODE, HEAD = Machine(16.0, 1.0), Machine(8.0, 0.0)
BLOCKS = 3


def setup_of(folder: Path, resources: str, space: str = "quick") -> tuple[Setup, list[str]]:
    """Return a study about to run, and the notes that it tells."""
    folder.mkdir(exist_ok=True)
    study = STUDY.replace("resources: {concurrent: 1}", f"resources: {resources}").replace("quick", space)
    resolved = resolve(write_project(folder, name="sharing", study=study))
    notes: list[str] = []
    return Setup(
        resolved.config,
        template(resolved),
        study_space(resolved.config, BLOCKS),
        control_strategies(resolved.config, BLOCKS),
        folder,
        lambda event: notes.append(event["message"]),  # type: ignore[arg-type]
    ), notes


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Callable[[Measured | Exception], None]:
    """Return what sets the outcome of a measurement."""

    def put(outcome: Measured | Exception) -> None:
        def measure(setup: Setup) -> Measured:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr(sharing, "_measure", measure)

    return put


@pytest.mark.parametrize(
    ("step", "usable", "most", "expected"),
    [
        (2 * GB, 14 * GB, 4, 4),  # 1.25 times 2, and 1 for the context: 3.5 each
        (2 * GB, 14 * GB - 1, 4, 3),
        (2 * GB, 14 * GB, 3, 3),
        (4 * GB, 12 * GB, 4, 2),
        (5 * GB, 12 * GB, 4, 1),
        (20 * GB, 12 * GB, 4, 1),
        (None, 80 * GB, 4, 1),
        (0, 80 * GB, 1, 1),
    ],
)
def test_a_step_of_each_has_room_beside_the_others(step: int | None, usable: int, most: int, expected: int) -> None:
    assert trials_on_one(Measured(step, usable), most) == expected


@pytest.mark.parametrize(
    ("machines", "wanted", "expected"),
    [
        ([HEAD], {}, 0),
        ([NODE, HEAD], {}, 4),
        ([Machine(3.0, 1.0)], {}, 3),
        ([Machine(8.0, 4.0)], {}, 2),
        ([Machine(1.0, 4.0)], {}, 1),
        ([NODE], {"cpus_per_trial": 8}, 2),
        ([NODE], {"concurrent": 1}, 1),
        ([NODE, NODE], {"concurrent": 3}, 2),
    ],
)
def test_no_more_share_a_gpu_than_would_run_at_once(machines, wanted, expected: int) -> None:
    assert most_on_one(machines, ResourcesConfig(**wanted)) == expected


@pytest.mark.parametrize(("space", "batch", "pull"), [("quick", 32, 0.0), ("thorough", 64, 1e-2)])
def test_what_takes_most_memory_is_measured(tmp_path: Path, space: str, batch: int, pull: float) -> None:
    setup, _ = setup_of(tmp_path, "{}", space)
    found = heaviest(setup.controls["full"], setup.space)
    assert (type(found.freezing), found.batch_size, found.l2_sp) == (Full, batch, pull)
    assert isinstance(found, Strategy)


def test_the_measured_part_is_told_with_its_reason(tmp_path: Path, measured) -> None:
    for number, (step, share, told) in enumerate(
        [
            (2 * GB, 0.25, "GPUs: a step of full fine-tuning takes 2.0 of 16.0 GB; 4 trials share one"),
            (12 * GB, 1.0, "GPUs: a step of full fine-tuning takes 12.0 of 16.0 GB; each trial has one to itself"),
            (None, 1.0, "GPUs: a step of full fine-tuning does not fit into one at once; each trial has one to itself"),
        ]
    ):
        setup, notes = setup_of(tmp_path / str(number), "{}")
        measured(Measured(step, 16 * GB))
        assert gpu_share(setup, [NODE, HEAD]) == share
        assert notes == [told]


def test_what_cannot_be_measured_is_said_with_a_way_out(tmp_path: Path, measured) -> None:
    setup, notes = setup_of(tmp_path, "{}")
    measured(ValueError("the network wants more\nand more"))
    assert gpu_share(setup, [NODE]) == 1.0
    (note,) = notes
    assert note == (
        "GPUs: it could not be measured what a step takes (ValueError: the network wants more); each trial has one to "
        "itself; name a fraction in resources.gpus_per_trial where several fit"
    )


def test_gpus_that_are_yet_to_come_are_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setup, notes = setup_of(tmp_path, "{}")
    monkeypatch.setattr(sharing.growth, "planned", lambda: [NODE])
    assert gpu_share(setup, [HEAD]) == 1.0
    assert "no GPU is up yet" in notes[0]


@pytest.mark.parametrize(
    ("resources", "machines"),
    [
        ("{gpus_per_trial: 0.5}", [NODE]),
        ("{workers_per_trial: 2}", [NODE]),
        ("{concurrent: 1}", [NODE]),
        ("{}", [HEAD]),
    ],
)
def test_nothing_is_measured_where_nothing_is_open(tmp_path: Path, measured, resources: str, machines) -> None:
    setup, notes = setup_of(tmp_path, resources)
    measured(AssertionError("nothing was to be measured"))
    assert gpu_share(setup, machines) == 1.0
    assert notes == []


# Ray believes in a GPU that it is told of; torch does not.
SHARING = """
import json, sys
from pathlib import Path
from search.tuner import slots
from search.sharing import gpu_share
import ray
from ray import tune
from tests.search.test_sharing import setup_of
from trainables.trial import gpus

ray.init(num_cpus=4, num_gpus=1, address="local", include_dashboard=False, logging_level="ERROR", log_to_driver=False)


class Telling(tune.Trainable):
    def step(self):
        return {"gpus": gpus(), "done": True}

    def save_checkpoint(self, folder):
        pass


setup, notes = setup_of(Path(sys.argv[1]), "{concurrent: 4}")
share = gpu_share(setup)
room = slots(setup.config.resources, 0.25)
part = tune.with_resources(Telling, {"cpu": 1, "gpu": room.gpus})
config = tune.RunConfig(storage_path=sys.argv[1], verbose=0)
found = [each.metrics["gpus"] for each in tune.Tuner(part, run_config=config).fit()]
print(json.dumps({"share": share, "notes": notes, "gpus": found, "concurrent": room.concurrent}))
"""


@pytest.mark.slow
def test_a_worker_knows_its_part_of_a_gpu_and_one_that_torch_does_not_see_is_not_shared(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("torch sees a GPU here")
    done = subprocess.run(
        [sys.executable, "-c", SHARING, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert told["share"] == 1.0
    assert "RuntimeError: torch sees no GPU where Ray has one" in told["notes"][0]
    assert (told["gpus"], told["concurrent"]) == ([0.25], 4)

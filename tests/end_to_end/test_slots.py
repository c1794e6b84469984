"""Every slot has a worker of its own, and none is destroyed while it starts: trials here are shorter than a start."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.end_to_end.tiny import MODULE, STUDY, write_project

# A trial takes a quarter of a second; all of them outlast the start of the last worker on a busy machine.
SLOTS, TRIALS = 4, 80
# Building the network writes down the process that did, and takes most of the trial's time.
TELLS = MODULE.replace(
    "def network(pretrained=True):\n",
    """\
def network(pretrained=True):
    import os, pathlib, time

    pathlib.Path(__file__).with_name(f"built-{os.getpid()}-{time.monotonic_ns()}").touch()
    time.sleep(0.2)
""",
)


@pytest.mark.slow
def test_short_trials_use_every_slot_and_no_worker_is_lost(local_ray: None, tmp_path: Path) -> None:
    from search.layering import resolve
    from search.proposals import Proposal
    from search.results.load import load
    from search.sampler import StudySearcher
    from search.setup import template
    from search.tuner import carry_out, slots
    from spaces.strategy import Probe, Strategy

    assert TELLS != MODULE
    one_epoch = STUDY.replace("epochs: 3", "epochs: 1").replace("concurrent: 1", "concurrent: auto")
    resolved = resolve(write_project(tmp_path, name="slots", module=TELLS, study=one_epoch))
    room = slots(resolved.config.resources)
    assert room.concurrent == SLOTS
    queue = [Proposal(Strategy(Probe(), head_lr=1e-3), "control", seed) for seed in range(TRIALS)]
    carry_out(StudySearcher(tmp_path, "search", template(resolved), queue), None, room)
    trials, _ = load(tmp_path)
    assert list(trials["state"]) == ["complete"] * TRIALS
    builds = Counter(path.name.split("-")[1] for path in tmp_path.glob("built-*"))
    assert len(builds) == SLOTS
    assert builds.total() == TRIALS

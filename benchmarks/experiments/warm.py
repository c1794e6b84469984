"""What a worker that has trained before spends from a trial's order to its first step, the recording there already.

CPU-seconds of one process on one thread, median of trials: build the network, find and check the recording,
read the first batch and run the head.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.frozen import MINILM, RESNET, Subject, cache_in, one_thread, seconds
from benchmarks.row import Row, at_most
from trainables.loop import train
from trainables.run import build

TRIALS, GOAL = 5, 0.2
SUBJECTS = (RESNET, MINILM)


class _Stepped(Exception):
    """The first step is about to be taken."""


def rows() -> list[Row]:
    """Measure a probe on every network."""
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        return [row(subject, Path(folder)) for subject in SUBJECTS]


def row(subject: Subject, folder: Path, trials: int = TRIALS) -> Row:
    """Start several trials after one that builds, and plans."""
    with cache_in(folder):
        _start(subject)
        spent = [seconds(lambda: _start(subject))[0] for _ in range(trials)]
        build_alone = median(seconds(lambda: build(subject.config(0, 2)))[0] for _ in range(trials))
    note = f"median of {trials} probes; {build_alone:.3g} of it builds network, head and optimiser"
    return at_most(f"{subject.name}, probe", round(median(spent), 3), GOAL, unit="CPU-s", note=note)


def _start(subject: Subject) -> None:
    run = build(subject.config(0, 2))  # of one seed: without a file of weights another one would draw others

    def stop(*_: Any) -> None:
        raise _Stepped

    run.optimizer.register_step_pre_hook(stop)
    try:
        list(train(run))
    except _Stepped:
        return
    raise RuntimeError("the training ended without a step")

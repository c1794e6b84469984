"""After how many epochs a recording has paid for itself: what making it costs over what an epoch saves.

All trials of a study that start at the same block share it, so it is paid once for all of them.
CPU-seconds of one thread; planning, which a process does once for a network, is not included.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from benchmarks.frozen import MINILM, RESNET, VIT, Subject, alternating, cache_in, depths, one_thread, recipe, seconds
from benchmarks.row import Row, at_most
from trainables.activations import folder as shelf
from trainables.activations.prefix import source
from trainables.finetuning.apply import freeze
from trainables.run import build

ROUNDS, BUILDS = 3, 3
SUBJECTS = (RESNET, MINILM, VIT)
GOAL = 1.3


def rows() -> list[Row]:
    """Measure every network at every depth."""
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        return [
            row(subject, name, blocks, Path(folder)) for subject in SUBJECTS for name, blocks in depths(subject).items()
        ]


def row(subject: Subject, name: str, blocks: int, folder: Path, rounds: int = ROUNDS, builds: int = BUILDS) -> Row:
    """Measure one network at one depth."""
    plain, cached = alternating(subject, blocks, rounds, folder)
    run = build(subject.config(blocks, rounds + 1))
    phase = run.plan.phase(0)
    freeze(run.network, phase)
    found = recipe(run)
    spent = []
    with cache_in(folder):
        for _ in range(builds):
            shelf.clear()
            spent.append(seconds(lambda: source(run, phase, rounds + 1))[0])
        size = sum(entry.bytes for entry in shelf.entries())
    saving = plain.cpu - cached.cpu
    note = (
        f"{median(spent):.3g} CPU-s to build, {saving:.3g} saved an epoch; {size / 1e6:.3g} MB in "
        f"{len(found.boundary.stored)} tensors a sample"
    )
    return at_most(f"{subject.name}, {name}", round(median(spent) / saving, 3), GOAL, unit="epochs", note=note)

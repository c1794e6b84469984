"""After how many epochs a recording has paid for itself: what making it costs over what an epoch saves.

All trials of a study that start at the same block share it, so it is paid once for all of them.
CPU-seconds of one thread, or seconds of a GPU; planning, which a process does once for a network, is not included.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

import torch

from benchmarks.frozen import CLOCKS, CPU, Subject, alternating, cache_in, every_depth, recipe, seconds
from benchmarks.row import Row, at_most
from trainables.activations import folder as shelf
from trainables.activations.prefix import source
from trainables.finetuning.apply import freeze
from trainables.run import build

DEVICES = ("cpu", "cuda")
ROUNDS, BUILDS = 3, 3
GOAL = 1.3


def rows(device: str = "cpu") -> list[Row]:
    """Measure every network at every depth."""
    return every_depth(row, device, uncached=0.0)


def row(
    subject: Subject,
    metric: str,
    blocks: int,
    folder: Path,
    device: torch.device = CPU,
    rounds: int = ROUNDS,
    builds: int = BUILDS,
) -> Row:
    """Measure one network at one depth.

    Raises:
        NotCached: nothing was read from the cache.
    """
    plain, cached = alternating(subject, blocks, rounds, folder, device)
    run = build(subject.config(blocks, rounds + 1), device)
    phase = run.plan.phase(0)
    freeze(run.network, phase)
    found = recipe(run)
    spent = []
    with cache_in(folder):
        for _ in range(builds):
            shelf.clear()
            spent.append(seconds(lambda: source(run, phase, rounds + 1), device)[0])
        size = sum(entry.bytes for entry in shelf.entries())
    saving = plain.own - cached.own
    note = (
        f"{median(spent):.3g} {CLOCKS[device.type]} to build, {saving:.3g} saved an epoch; {size / 1e6:.3g} MB in "
        f"{len(found.boundary.stored)} tensors a sample"
    )
    return at_most(metric, round(median(spent) / saving, 3), GOAL, unit="epochs", note=note)

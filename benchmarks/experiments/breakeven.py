"""After how many epochs a recording has paid for itself: what making it costs over what an epoch saves.

All trials of a study that start at the same block share it, so it is paid once for all of them.
CPU-seconds of one thread, or seconds of a GPU; planning, which a process does once for a network, is not included.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

import torch

from benchmarks.frozen import (
    CLOCKS,
    CPU,
    MINILM,
    RESNET,
    VIT,
    NotCached,
    Subject,
    alternating,
    cache_in,
    depths,
    one_thread,
    recipe,
    seconds,
)
from benchmarks.row import Row, at_most
from trainables.activations import folder as shelf
from trainables.activations.prefix import source
from trainables.finetuning.apply import freeze
from trainables.run import build

DEVICES = ("cpu", "cuda")
ROUNDS, BUILDS = 3, 3
SUBJECTS = (RESNET, MINILM, VIT)
GOAL = 1.3


def rows(device: str = "cpu") -> list[Row]:
    """Measure every network at every depth."""
    place = torch.device(device)
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        return [
            row(subject, name, blocks, Path(folder), device=place)
            for subject in SUBJECTS
            for name, blocks in depths(subject).items()
        ]


def row(
    subject: Subject,
    name: str,
    blocks: int,
    folder: Path,
    rounds: int = ROUNDS,
    builds: int = BUILDS,
    device: torch.device = CPU,
) -> Row:
    """Measure one network at one depth; no goal where a GPU computes what it could read."""
    metric = f"{subject.name}, {name}"
    try:
        plain, cached = alternating(subject, blocks, rounds, folder, device)
    except NotCached as told:
        if device == CPU:
            raise
        return Row(metric=metric, value=0.0, goal="", ok=None, note=str(told))
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

"""How much shorter an epoch is when the frozen part is read and not computed.

CPU-seconds of one thread, or seconds of a GPU, medians of epochs that alternate; training and validation, no
augmentation. The uncached training freezes as any script does: ``requires_grad=False``. Random weights but for MiniLM.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

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
    depths,
    most,
    one_thread,
)
from benchmarks.row import Row, at_least
from trainables.run import build

DEVICES = ("cpu", "cuda")
ROUNDS = 3
SUBJECTS = (RESNET, MINILM, VIT)
SHARE_OF_LIMIT, PROBE = 0.8, 400


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
    subject: Subject, name: str, blocks: int, folder: Path, rounds: int = ROUNDS, device: torch.device = CPU
) -> Row:
    """Measure one network at one depth; no goal where a GPU computes what it could read."""
    metric = f"{subject.name}, {name}"
    try:
        plain, cached = alternating(subject, blocks, rounds, folder, device)
    except NotCached as told:
        if device == CPU:
            raise
        return Row(metric=metric, value=1.0, goal="", ok=None, note=str(told))
    limit = most(build(subject.config(blocks, 1), device))
    goal = PROBE if blocks == 0 else round(SHARE_OF_LIMIT * limit, 3)
    samples = subject.samples
    note = (
        f"{1000 * plain.own / samples:.3g} and {1000 * cached.own / samples:.3g} "
        f"{CLOCKS[device.type].replace('s', 'ms')} a sample; "
        f"wall {plain.wall / cached.wall:.3g} times; operations {limit:.3g} times; median of {rounds} epochs each"
    )
    return at_least(metric, round(plain.own / cached.own, 3), goal, unit="times", note=note)

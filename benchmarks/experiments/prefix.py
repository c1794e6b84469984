"""How much shorter an epoch is when the frozen part is read and not computed.

CPU-seconds of one thread, or seconds of a GPU, medians of epochs that alternate; training and validation, no
augmentation. A probe's cached epochs, which are so short, are several in a row. The uncached training freezes as any
script does: ``requires_grad=False``. Random weights but for MiniLM.
"""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.frozen import CLOCKS, CPU, Subject, alternating, every_depth, in_a_row, most
from benchmarks.row import Row, at_least
from trainables.run import build

DEVICES = ("cpu", "cuda")
ROUNDS = 3
SHARE_OF_LIMIT, PROBE = 0.8, 400


def rows(device: str = "cpu") -> list[Row]:
    """Measure every network at every depth."""
    return every_depth(row, device, uncached=1.0)


def row(
    subject: Subject, metric: str, blocks: int, folder: Path, device: torch.device = CPU, rounds: int = ROUNDS
) -> Row:
    """Measure one network at one depth.

    Raises:
        NotCached: nothing was read from the cache.
    """
    plain, cached = alternating(subject, blocks, rounds, folder, device)
    limit = most(build(subject.config(blocks, 1), device))
    goal = PROBE if blocks == 0 else round(SHARE_OF_LIMIT * limit, 3)
    samples, together = subject.samples, in_a_row(blocks)
    cached_epochs = f", the cached {together} in a row" if together > 1 else ""
    note = (
        f"{1000 * plain.own / samples:.3g} and {1000 * cached.own / samples:.3g} "
        f"{CLOCKS[device.type].replace('s', 'ms')} a sample; "
        f"wall {plain.wall / cached.wall:.3g} times; operations {limit:.3g} times; median of {rounds} epochs each"
        f"{cached_epochs}"
    )
    return at_least(metric, round(plain.own / cached.own, 3), goal, unit="times", note=note)

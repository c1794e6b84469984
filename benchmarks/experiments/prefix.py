"""How much shorter an epoch is when the frozen part is read and not computed.

CPU-seconds of one thread, medians of epochs that alternate; training and validation, no augmentation. The
uncached training freezes as any script does: ``requires_grad=False``. Random weights but for MiniLM.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.frozen import MINILM, RESNET, VIT, Subject, alternating, depths, most, one_thread
from benchmarks.row import Row, at_least
from trainables.run import build

ROUNDS = 3
SUBJECTS = (RESNET, MINILM, VIT)
SHARE_OF_LIMIT, PROBE = 0.8, 400


def rows() -> list[Row]:
    """Measure every network at every depth."""
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        return [
            row(subject, name, blocks, Path(folder)) for subject in SUBJECTS for name, blocks in depths(subject).items()
        ]


def row(subject: Subject, name: str, blocks: int, folder: Path, rounds: int = ROUNDS) -> Row:
    """Measure one network at one depth."""
    plain, cached = alternating(subject, blocks, rounds, folder)
    limit = most(build(subject.config(blocks, 1)))
    goal = PROBE if blocks == 0 else round(SHARE_OF_LIMIT * limit, 3)
    samples = subject.samples
    note = (
        f"{1000 * plain.cpu / samples:.3g} and {1000 * cached.cpu / samples:.3g} CPU-ms a sample; "
        f"wall {plain.wall / cached.wall:.3g} times; operations {limit:.3g} times; median of {rounds} epochs each"
    )
    return at_least(f"{subject.name}, {name}", round(plain.cpu / cached.cpu, 3), goal, unit="times", note=note)

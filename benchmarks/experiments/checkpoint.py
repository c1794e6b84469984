"""What a trial keeps on the disk, as a share of the whole network's weights and its optimiser's state.

The latter is what a plain script saves. Kept for good are the confirmation's trials alone; progress lies
there while a trial may have to go on, and is deleted with its end.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import torch

from benchmarks.frozen import MINILM, Subject
from benchmarks.row import Row, at_most
from spaces.strategy import Full, Strategy, to_point
from trainables.checkpoint import save_progress, save_trained
from trainables.run import Run, build

CASES = {"probe": (0, 1 / 1000), "1 block": (1, 1 / 10)}


def rows() -> list[Row]:
    """Measure MiniLM with a trained head, and with a trained block."""
    return measured(MINILM)


def measured(subject: Subject) -> list[Row]:
    """Return for both what is kept for good, and what lies there while it trains."""
    whole = _everything(subject)
    with tempfile.TemporaryDirectory() as folder:
        return [
            row
            for name, (blocks, goal) in CASES.items()
            for row in _rows(subject, name, blocks, goal, whole, Path(folder) / name)
        ]


def _rows(subject: Subject, name: str, blocks: int, goal: float, whole: int, folder: Path) -> list[Row]:
    run = _stepped(build(subject.config(blocks, 2)))
    kept = save_trained(run.network, run.plan, folder).stat().st_size
    going = save_progress(run, 1, folder).stat().st_size
    note = f"{kept:,} of {whole:,} bytes"
    return [
        at_most(f"{subject.name}, {name}: kept", round(kept / whole, 6), goal, unit="of everything", note=note),
        Row(
            metric=f"{subject.name}, {name}: while it trains",
            value=round(going / whole, 6),
            goal="",
            ok=None,
            note=f"{going:,} bytes: trained tensors, their optimiser, random states",
        ),
    ]


def _everything(subject: Subject) -> int:
    """Return the bytes of all weights with the optimiser's state for all of them, as `torch.save` writes them."""
    config = subject.config(0, 2, strategy=to_point(Strategy(Full(), head_lr=1e-3, lr_ratio=0.1)))
    run = _stepped(build(config))
    buffer = io.BytesIO()
    torch.save({"model": run.network.state_dict(), "optimizer": run.optimizer.state_dict()}, buffer)
    return buffer.getbuffer().nbytes


def _stepped(run: Run) -> Run:
    """Let the optimiser take a step without a gradient, so that it holds its state."""
    for group in run.optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    run.optimizer.step()
    return run

"""Measure a network on one split. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from trainables.config import Split
from trainables.data.loaders import batches
from trainables.data.views import View
from trainables.devices import autocast
from trainables.metrics import METRICS
from trainables.run import Run

# At most 1.06 times the time of the best size between 8 and 128, on a CPU (benchmarks: layout).
BATCH = 32

Logits = Callable[[Split, torch.Tensor], torch.Tensor]  # of the samples at these rows of a split, shape (b, classes)


@dataclass(frozen=True)
class Evaluation:
    """Loss (mean cross-entropy), score (the study's metric) and the predicted class of every sample."""

    loss: float
    score: float
    predictions: NDArray[np.int64]


def whole(run: Run, view: View | None = None) -> Logits:
    """Return the logits of the whole network; ``view`` is what training images are seen in."""
    part = cache(lambda split: run.part(split, view if split == "train" else None))

    def logits(split: Split, rows: torch.Tensor) -> torch.Tensor:
        return run.task.forward(run.network, part(split).inputs.batch(rows, run.device))

    return logits


@torch.no_grad()
def evaluate(run: Run, split: Split, logits: Logits | None = None) -> Evaluation:
    """Measure the run's network, in eval mode, on ``split``; every module's mode is put back afterwards.

    ``logits`` takes the place of the whole network's. Each worker of a team computes its share of the batches.
    """
    part, logits = run.part(split), logits or whole(run)
    order = run.team.own(batches_of(len(part.labels), part.inputs.lengths))
    # Each of them: some modules are held in eval mode, so that the root's says nothing of the others.
    training = [module for module in run.network.modules() if module.training]
    run.network.eval()
    try:
        with autocast(run.config.precision, run.device):
            found = [logits(split, rows).float().cpu() for rows in order]
    finally:
        for module in training:
            module.training = True
    measured = torch.zeros(len(part.labels), len(run.dataset.classes))
    for rows, values in zip(order, found, strict=True):
        measured[rows] = values
    measured = run.team.sum(measured)
    predictions = measured.argmax(dim=1).numpy()
    return Evaluation(
        loss=functional.cross_entropy(measured, part.labels).item(),
        score=METRICS[run.config.metric](part.labels.numpy(), predictions),
        predictions=predictions,
    )


def batches_of(count: int, lengths: torch.Tensor | None) -> list[torch.Tensor]:
    """Return the indices of ``count`` samples in evaluation batches: in order, or the longest texts first."""
    return list(batches(count, BATCH, seed=None, epoch=0, lengths=lengths))

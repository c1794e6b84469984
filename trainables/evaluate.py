"""Measure a network on one split. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from trainables.config import Split
from trainables.data.loaders import batches
from trainables.devices import autocast
from trainables.metrics import METRICS
from trainables.run import Run

BATCH = 64


@dataclass(frozen=True)
class Evaluation:
    """Loss (mean cross-entropy), score (the study's metric) and the predicted class of every sample."""

    loss: float
    score: float
    predictions: NDArray[np.int64]


@torch.no_grad()
def evaluate(run: Run, split: Split) -> Evaluation:
    """Measure the run's network, in eval mode, on ``split``; every module's mode is put back afterwards."""
    part = run.part(split)
    # Of each module: some are held in eval mode, so that the root's says nothing of the others.
    modes = {module: module.training for module in run.network.modules()}
    run.network.eval()
    try:
        logits = torch.cat([_logits(run, part.inputs.batch(rows, run.device)) for rows in batches_of(len(part.labels))])
    finally:
        for module, mode in modes.items():
            module.training = mode
    predictions = logits.argmax(dim=1).numpy()
    return Evaluation(
        loss=functional.cross_entropy(logits, part.labels).item(),
        score=METRICS[run.config.metric](part.labels.numpy(), predictions),
        predictions=predictions,
    )


def batches_of(count: int) -> list[torch.Tensor]:
    """Return the indices of ``count`` samples in order, in evaluation batches."""
    return list(batches(count, BATCH, seed=None, epoch=0))


def _logits(run: Run, batch: object) -> torch.Tensor:
    with autocast(run.config.precision, run.device):
        return run.task.forward(run.network, batch).float().cpu()

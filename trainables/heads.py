"""Many linear heads on the same features, trained at once: one matrix product a batch serves them all.

For studying heads, as in probing; neither the search nor the confirmation trains this way. Each head
comes out as it would alone, but for rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from trainables.data.loaders import batch_count, batches
from trainables.loop import CLIP, schedule

BETAS, EPSILON = (0.9, 0.999), 1e-8


@dataclass(frozen=True)
class HeadConfig:
    """What one head has of its own; ``seed`` draws its first weights."""

    lr: float
    weight_decay: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Heads:
    """N trained heads: weights (N, classes, width), biases (N, classes)."""

    weights: torch.Tensor
    biases: torch.Tensor

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """Return the logits of every head for ``features`` (n, width), shape (N, n, classes)."""
        count, classes, width = self.weights.shape
        flat = torch.addmm(self.biases.reshape(-1), features, self.weights.reshape(count * classes, width).T)
        return flat.view(len(features), count, classes).transpose(0, 1)

    def predictions(self, features: torch.Tensor) -> torch.Tensor:
        """Return the classes that every head predicts, shape (N, n)."""
        return self.logits(features).argmax(2)


def initial(heads: Sequence[HeadConfig], classes: int, width: int) -> Heads:
    """Return each head's first weights, drawn from its own seed as `torch.nn.Linear` draws them."""
    bound = 1 / math.sqrt(width)
    drawn = []
    for head in heads:
        source = torch.Generator().manual_seed(head.seed)
        drawn.append(torch.empty(classes, width + 1).uniform_(-bound, bound, generator=source))
    both = torch.stack(drawn)
    return Heads(both[..., :-1].contiguous(), both[..., -1].contiguous())


@torch.no_grad()
def train_heads(
    features: torch.Tensor,
    labels: torch.Tensor,
    heads: Sequence[HeadConfig],
    *,
    classes: int,
    epochs: int,
    batch_size: int = 32,
    order: int = 0,
) -> Heads:
    """Train every head on ``features`` (n, width) and ``labels`` (n,), as a trial trains its own.

    Where the features lie: AdamW without decay on biases, warm-up and cosine, each head's gradient clipped at norm 1.
    All see the samples in the same order, which ``order`` seeds: that is what one product for all of them takes.
    """
    count, width, device = len(heads), features.shape[1], features.device
    start = initial(heads, classes, width)
    weights = _Adam(start.weights.to(device).view(count * classes, width))
    biases = _Adam(start.biases.to(device).view(-1, 1))
    lr = torch.tensor([head.lr for head in heads], device=device).repeat_interleave(classes).unsqueeze(1)
    decay = torch.tensor([head.weight_decay for head in heads], device=device).repeat_interleave(classes).unsqueeze(1)
    none = torch.zeros_like(decay)
    steps = epochs * batch_count(len(labels), batch_size)
    step = 0
    for epoch in range(1, epochs + 1):
        for rows in batches(len(labels), batch_size, seed=order, epoch=epoch):
            rows = rows.to(device)
            x, y = features.index_select(0, rows), labels.index_select(0, rows)
            logits = torch.addmm(biases.values.view(-1), x, weights.values.T)
            slope = _slope(logits.view(len(rows), count, classes), y)
            gradients = (slope.T @ x, slope.sum(0).unsqueeze(1))
            scale = _clipping(gradients, count)
            rate = lr * schedule(step, steps)
            step += 1
            weights.step(gradients[0].mul_(scale), rate, decay, step)
            biases.step(gradients[1].mul_(scale), rate, none, step)
    return Heads(weights.values.view(count, classes, width), biases.values.view(count, classes))


class _Adam:
    """AdamW (Loshchilov & Hutter 2019) with a rate and a decay for each row."""

    def __init__(self, values: torch.Tensor) -> None:
        self.values = values.clone()
        self._mean, self._square = torch.zeros_like(values), torch.zeros_like(values)

    def step(self, gradient: torch.Tensor, rate: torch.Tensor, decay: torch.Tensor, step: int) -> None:
        self._mean.lerp_(gradient, 1 - BETAS[0])
        self._square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        scale = self._square.sqrt().div_(math.sqrt(1 - BETAS[1] ** step)).add_(EPSILON)
        self.values.mul_(1 - rate * decay)
        self.values.sub_((self._mean / scale).mul_(rate / (1 - BETAS[0] ** step)))


def _slope(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the gradient of the mean cross-entropy by the logits (b, N, classes), shape (b, N · classes)."""
    slope = logits.softmax(2)
    slope[torch.arange(len(labels), device=labels.device), :, labels] -= 1
    return slope.div_(len(labels)).flatten(1)


def _clipping(gradients: tuple[torch.Tensor, torch.Tensor], count: int) -> torch.Tensor:
    """Return the factor of every row that keeps its head's gradient within the norm, as torch clips it."""
    squares = sum(each.view(count, -1).square().sum(1) for each in gradients)
    assert isinstance(squares, torch.Tensor)
    factors = (CLIP / (squares.sqrt() + 1e-6)).clamp(max=1.0)
    return factors.repeat_interleave(len(gradients[1]) // count).unsqueeze(1)

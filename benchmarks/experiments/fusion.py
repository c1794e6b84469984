"""Sixty-four heads on the same features: trained together against one after the other with torch's own tools.

CPU-seconds of one thread, or seconds of a GPU, medians of rounds that alternate; features as MiniLM gives
them: 384 wide.
"""

from __future__ import annotations

from statistics import median

import torch
from torch import nn

from benchmarks.frozen import CLOCKS, CPU, one_thread, seconds
from benchmarks.row import Row, at_least, at_most
from trainables.data.loaders import batch_count, batches
from trainables.heads import HeadConfig, Heads, initial, train_heads
from trainables.loop import CLIP, schedule

DEVICES = ("cpu", "cuda")
HEADS, WIDTH, CLASSES, TRAIN, VAL = 64, 384, 8, 1500, 500
EPOCHS, BATCH, ROUNDS = 3, 64, 3
GOAL = 12


def rows(device: str = "cpu") -> list[Row]:
    """Train all heads in both ways, in turn."""
    with one_thread():
        return measured(HEADS, ROUNDS, torch.device(device))


def measured(count: int, rounds: int, device: torch.device = CPU) -> list[Row]:
    """Return the ratio of the times, and the largest difference of an accuracy."""
    features, labels = (each.to(device) for each in _samples())
    heads = [HeadConfig(10 ** (-4 + 3 * n / count), 10 ** (-4 + n % 4), seed=n) for n in range(count)]
    train, val = slice(0, TRAIN), slice(TRAIN, None)
    made: dict[str, list[Heads]] = {"together": [], "alone": []}
    times: dict[str, list[float]] = {"together": [], "alone": []}
    ways = {
        "together": lambda: train_heads(
            features[train], labels[train], heads, classes=CLASSES, epochs=EPOCHS, batch_size=BATCH
        ),
        "alone": lambda: _one_by_one(features[train], labels[train], heads),
    }
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(seconds(lambda way=way, name=name: made[name].append(way()), device)[0])  # type: ignore[misc]
    one, other = ((found[-1].predictions(features[val]) == labels[val]).float().mean(1) for found in made.values())
    gap = float((one - other).abs().max())
    took = {name: median(each) for name, each in times.items()}
    note = f"{took['alone']:.3g} {CLOCKS[device.type]} one by one, {took['together']:.3g} together; median of {rounds}"
    accuracies = f"accuracies from {float(one.min()):.3f} to {float(one.max()):.3f} on {VAL} samples"
    return [
        at_least(f"{count} heads", round(took["alone"] / took["together"], 2), GOAL, unit="times", note=note),
        at_most("largest difference of a head's accuracy", gap, 1 / VAL, unit="", note=accuracies),
    ]


def _samples() -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(0)
    labels = torch.arange(TRAIN + VAL) % CLASSES
    centres = torch.randn(CLASSES, WIDTH, generator=source)
    return centres[labels] * 0.12 + torch.randn(len(labels), WIDTH, generator=source), labels


def _one_by_one(features: torch.Tensor, labels: torch.Tensor, heads: list[HeadConfig]) -> Heads:
    layers = [alone(features, labels, head, classes=CLASSES, epochs=EPOCHS, batch_size=BATCH) for head in heads]
    weights = torch.stack([layer.weight.detach() for layer in layers])
    return Heads(weights, torch.stack([layer.bias.detach() for layer in layers]))


def alone(
    features: torch.Tensor, labels: torch.Tensor, head: HeadConfig, *, classes: int, epochs: int, batch_size: int
) -> nn.Linear:
    """Train one head with torch's own layer, gradient, clipping and optimiser, as `train_heads` should."""
    layer, start = nn.Linear(features.shape[1], classes), initial([head], classes, features.shape[1])
    layer.load_state_dict({"weight": start.weights[0], "bias": start.biases[0]})
    layer.to(features.device)
    groups = [
        {"params": [layer.weight], "weight_decay": head.weight_decay},
        {"params": [layer.bias], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.0)
    steps, step = epochs * batch_count(len(labels), batch_size), 0
    for epoch in range(1, epochs + 1):
        for rows_ in batches(len(labels), batch_size, seed=0, epoch=epoch):
            rows_ = rows_.to(features.device)
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(layer(features[rows_]), labels[rows_]).backward()
            nn.utils.clip_grad_norm_(layer.parameters(), CLIP)
            for group in optimizer.param_groups:
                group["lr"] = head.lr * schedule(step, steps)
            optimizer.step()
            step += 1
    return layer

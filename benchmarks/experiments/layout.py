"""How networks of convolutions lie in memory, and in what batches they are evaluated: what each choice costs.

CPU-seconds of one thread, the fastest of rounds in which the choices alternate; random weights. A training step has
32 images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeVar

import torch
import torchvision.models as zoo
from torch import nn
from torch.nn import functional

from benchmarks.frozen import one_thread, seconds
from benchmarks.row import Row, at_least, at_most
from trainables.evaluate import BATCH

ROUNDS, STEP, CLASSES = 4, 32, 10
TRAINED = (("mobilenet_v2", 96), ("mobilenet_v2", 64), ("resnet18", 96), ("resnet18", 64), ("densenet121", 64))
SMALL = ("resnet18", 32)  # where the other layout is faster, and ours is that one
EVALUATED = (("mobilenet_v2", 96), ("mobilenet_v2", 64), ("resnet18", 96), ("densenet121", 64))
BATCHES, IMAGES = (8, 16, 32, 64, 128), 128
LAYOUTS = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}
SLACK, NO_SLOWER = 1.15, 0.95
Choice = TypeVar("Choice")


def rows() -> list[Row]:
    """Measure the training step in both layouts, then the evaluation in batches of several sizes."""
    with one_thread():
        steps = [step(name, size, NO_SLOWER) for name, size in TRAINED]
        return [*steps, step(*SMALL, None), *(evaluation(name, size) for name, size in EVALUATED)]


def step(name: str, size: int, goal: float | None) -> Row:
    """Return how many times faster a training step is with the channels last."""
    works = {}
    for layout, form in LAYOUTS.items():
        network = _network(name, form).train()
        optimizer = torch.optim.AdamW(network.parameters(), fused=True)
        works[layout] = partial(_train, network, optimizer, _images(STEP, size, form))
    first, last = _fastest(works).values()
    note = f"{1000 * first / STEP:.3g} and {1000 * last / STEP:.3g} CPU-ms an image; fastest of {ROUNDS} steps"
    metric, value = f"{name} at {size} px: a step, channels last", round(first / last, 3)
    if goal is None:
        return Row(metric=metric, value=value, goal="", ok=None, note=f"{note}; not used below 64 px")
    return at_least(metric, value, goal, unit="times", note=note)


def evaluation(name: str, size: int) -> Row:
    """Return what our evaluation batch takes over what the best one takes."""
    form = torch.channels_last
    network, images = _network(name, form).eval(), _images(IMAGES, size, form)
    found = _fastest({batch: partial(_evaluate, network, images.split(batch)) for batch in BATCHES})
    told = ", ".join(f"{batch}: {1000 * spent / IMAGES:.3g}" for batch, spent in found.items())
    value = round(found[BATCH] / min(found.values()), 3)
    metric = f"{name} at {size} px: evaluation in batches of {BATCH}, over the best"
    return at_most(metric, value, SLACK, unit="times", note=f"CPU-ms an image in batches of {told}")


def _network(name: str, form: torch.memory_format) -> nn.Module:
    torch.manual_seed(0)
    network: nn.Module = zoo.get_model(name, weights=None, num_classes=CLASSES)
    return network.to(memory_format=form)


def _images(count: int, size: int, form: torch.memory_format) -> torch.Tensor:
    return torch.randn(count, 3, size, size).contiguous(memory_format=form)


def _train(network: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor) -> None:
    optimizer.zero_grad()
    functional.cross_entropy(network(images), torch.arange(len(images)) % CLASSES).backward()
    optimizer.step()


@torch.no_grad()
def _evaluate(network: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    for images in batches:
        network(images)


def _fastest(works: Mapping[Choice, Callable[[], None]]) -> dict[Choice, float]:
    """Return the CPU-seconds of each, the fastest of rounds; a first round is left out."""
    times = [{choice: seconds(work)[0] for choice, work in works.items()} for _ in range(ROUNDS + 1)]
    return {choice: min(each[choice] for each in times[1:]) for choice in works}

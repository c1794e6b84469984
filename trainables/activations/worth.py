"""Does it pay to read what the frozen part computed, instead of computing it? It never changes what a trial sees.

An estimate from operations and bytes with one set of figures a kind of device, not a measurement: a
clock would decide otherwise from one run to the next, and a trial repeated would not repeat its last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from trainables.network.nested import tensors


@dataclass(frozen=True)
class Speed:
    """What a kind of device does in a second."""

    operations: float  # of a thread, of a GPU
    read: float  # bytes, from the page cache to where the network computes
    written: float  # bytes, to disk
    call: float  # seconds a batch that must be saved at least: replaying costs Python, and files cost care


# `python -m benchmarks.run prefix` shows how far off they are; what lies near the border may as well go either way.
SPEEDS: Mapping[str, Speed] = {
    "cpu": Speed(operations=5e10, read=3e9, written=5e8, call=1e-3),
    "cuda": Speed(operations=1e13, read=8e9, written=5e8, call=5e-4),
}


@dataclass(frozen=True)
class Use:
    """What would be recorded, and how often it would be read."""

    operations: float  # of the frozen part, a sample
    total: float  # of the whole network, a sample
    bytes: float  # a sample
    samples: int
    batch_size: int
    epochs: int  # in which it would be read
    shared: bool  # whether other trials start from the same values


@dataclass(frozen=True)
class Verdict:
    """Whether it pays, why, and the seconds that computing all of it takes."""

    pays: bool
    reason: str
    seconds: float


def judge(use: Use, device: torch.device, threads: int) -> Verdict:
    """Weigh operations against bytes.

    A recording that no other trial can share must pay for itself within the epochs of this one.
    """
    speed = SPEEDS.get(device.type, SPEEDS["cpu"])
    rate = speed.operations * (threads if device.type == "cpu" else 1)
    computed = use.operations / rate
    read = use.bytes / speed.read + speed.call / use.batch_size
    figures = (
        f"saves {_large(use.operations)} of {_large(use.total)} operations a sample and reads {_large(use.bytes)} bytes"
    )
    seconds = computed * use.samples
    if read >= computed:
        return Verdict(False, f"computing is cheaper than reading: it {figures}", seconds)
    if not use.shared and use.epochs * (computed - read) <= computed + use.bytes / speed.written:
        return Verdict(False, f"no other trial shares it and {use.epochs} epochs do not pay for it: {figures}", seconds)
    return Verdict(True, figures, seconds)


def operations(network: nn.Module, forward: Callable[[], object]) -> float:
    """Return the operations of the matrix products and convolutions that ``forward`` runs to their end.

    From the shapes of weights and outputs, two a multiplication. Attention's products of activations are left
    out: that undercounts long texts, and errs on the side of computing.
    """
    counted: list[float] = []
    with _counting(network, counted):
        forward()
    return sum(counted)


@contextmanager
def _counting(network: nn.Module, counted: list[float]) -> Iterator[None]:
    def count(weights: list[torch.Tensor], _: nn.Module, __: Any, output: Any) -> None:
        result = next(iter(tensors(output).values()), None)
        if result is not None:
            channels = result.shape[1] if weights[0].dim() > 2 else result.shape[-1]
            counted.append(2.0 * sum(weight.numel() for weight in weights) * result.numel() / channels)

    handles = [
        module.register_forward_hook(partial(count, weights))
        for module in network.modules()
        if (weights := _weights(module))
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _weights(module: nn.Module) -> list[torch.Tensor]:
    if isinstance(module, nn.Embedding):
        return []
    deep = isinstance(module, nn.MultiheadAttention)  # never calls the linear layer that it holds
    found = module.named_parameters(recurse=deep)
    return [tensor for name, tensor in found if name.endswith("weight") and tensor.dim() > 1]


def _large(value: float) -> str:
    """Return a large number with three digits and its unit."""
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"

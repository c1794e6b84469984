"""The order in which samples come: index batches, shuffled by seed and epoch. Loads nothing itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor


def batches(count: int, batch_size: int, *, seed: int | None, epoch: int) -> Iterator[Tensor]:
    """Yield the indices 0 … count - 1 in LongTensors of ``batch_size``, each index once.

    Shuffled by (seed, epoch), the same on every machine; in order where seed is None. A last batch of a single sample
    joins the one before it, because batch normalisation cannot train on one (not where batches of one are asked for).
    """
    order = torch.arange(count) if seed is None else torch.randperm(count, generator=_generator(seed, epoch))
    for number in range(batch_count(count, batch_size)):
        last = number == batch_count(count, batch_size) - 1
        yield order[number * batch_size : None if last else (number + 1) * batch_size]


def batch_count(count: int, batch_size: int) -> int:
    """Count the batches of an epoch."""
    full, left = divmod(count, batch_size)
    return full if left == 0 or (left == 1 and full > 0) else full + 1


def _generator(seed: int, epoch: int) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}/{epoch}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))

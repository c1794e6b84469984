"""The workers that train one trial together: each takes its share of every batch, what they found is summed.

A team of one, the default, does nothing at all. Starts no process: whoever does has joined them by torch.distributed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed
from torch.nn import Parameter

Item = TypeVar("Item")
CPU = torch.device("cpu")


class TeamBroken(Exception):
    """Another worker of the team is gone, so that this one cannot go on; why is known only of that one."""


@dataclass(frozen=True)
class Team:
    """One worker's place in its team. Every method is called by all of them, in the same order."""

    rank: int = 0
    size: int = 1
    device: torch.device = CPU

    @property
    def leads(self) -> bool:
        """Tell whether this worker is the one that writes files and speaks for the team."""
        return self.rank == 0

    def own(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return this worker's share: every ``size``-th, and none where there are too few."""
        return items[self.rank :: self.size]

    def seed(self, seed: int, epoch: int) -> int:
        """Return what this worker draws from in an epoch, dropout above all: of its own, and the same after a kill."""
        digest = hashlib.sha256(f"{seed}/{epoch}/{self.rank}".encode()).digest()
        return int.from_bytes(digest[:4], "big")

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over the team, the same bits for everyone; ``values`` may be overwritten."""
        if self.size == 1:
            return values
        total = values.to(self.device)
        with _together():
            distributed.all_reduce(total)
        return total.to(values.device)

    def any(self, found: bool) -> bool:
        """Tell whether it is so for one of them."""
        return found if self.size == 1 else bool(self.sum(torch.tensor([float(found)])).item())

    def sum_gradients(self, parameters: Iterable[Parameter], loss: float) -> float:
        """Put the sum over the team in the place of each gradient, and return that of ``loss``.

        A parameter without a gradient counts as zero, and keeps none where nobody has one: an optimiser leaves it
        alone then.
        """
        if self.size == 1:
            return loss
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        grads = [torch.zeros_like(each) if each.grad is None else each.grad for each in trained]
        sums = self.sum(torch.cat([grad.reshape(-1).to(self.device, torch.float32) for grad in grads]))
        # As the floats of Python that one worker adds up.
        told = [loss, *(float(parameter.grad is not None) for parameter in trained)]
        whole, *there = self.sum(torch.tensor(told, dtype=torch.float64)).tolist()
        each = sums.split([grad.numel() for grad in grads])
        for parameter, grad, total, found in zip(trained, grads, each, there, strict=True):
            parameter.grad = total.reshape(grad.shape).to(grad) if found else None
        return float(whole)

    @torch.no_grad()
    def share(self, tensors: Iterable[Tensor]) -> None:
        """Give everyone the leader's values, in place."""
        if self.size == 1:
            return
        for tensor in (each for each in tensors if each.numel()):
            there = tensor.to(self.device).contiguous()
            with _together():
                distributed.broadcast(there.reshape(-1).view(torch.uint8), 0)  # gloo knows no bool
            tensor.copy_(there)

    @torch.no_grad()
    def average(self, tensors: Iterable[Tensor]) -> None:
        """Give everyone the mean, in place; what is the same for all of them keeps its bits.

        Whole numbers become the leader's, who has a part of every batch that they count.
        """
        if self.size == 1:
            return
        for tensor in tensors:
            leaders = tensor.clone()
            self.share([leaders])
            if tensor.is_floating_point():
                leaders += self.sum(tensor - leaders) / self.size
            tensor.copy_(leaders)

    def leave(self) -> None:
        """Go, so that the others are told instead of waiting."""
        if distributed.is_initialized():
            distributed.destroy_process_group()


ALONE = Team()


@contextmanager
def _together() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise TeamBroken(f"another worker of the team is gone: {error}") from error

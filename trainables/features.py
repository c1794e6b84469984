"""What a network makes of its input at every boundary between blocks, one vector a sample. Trains nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainables.network.blocks import Block
from trainables.network.calls import evaluating
from trainables.network.nested import tensors
from trainables.tasks.task import Batch

Features = NDArray[np.float32]  # shape (samples, width)
OUTPUT = "output of the last block"
Forward = Callable[[nn.Module, Batch], torch.Tensor]


def boundary_features(
    network: nn.Module, blocks: Sequence[Block], forward: Forward, batches: Iterable[Batch]
) -> dict[str, Features]:
    """Return the input of every block but the stem, by block name in order, then the last block's own output.

    From one pass in eval mode; feature maps and token sequences are averaged over positions. What is not
    one row a sample is left out. The last two both follow the last block: a pooler may stand between them.
    """
    kept: dict[str, list[Features]] = {name: [] for name in (*(block.name for block in blocks[1:]), OUTPUT)}
    with evaluating(network), torch.no_grad():
        for batch in batches:
            seen: dict[str, torch.Tensor] = {}
            with _watching(network, blocks, seen):
                count = len(forward(network, batch))
            for name, rows in kept.items():
                if name in seen and len(seen[name]) == count:
                    rows.append(pooled(seen[name], _mask(batch)).float().cpu().numpy())
    total = max((sum(map(len, rows)) for rows in kept.values()), default=0)
    return {name: np.concatenate(rows) for name, rows in kept.items() if rows and sum(map(len, rows)) == total}


def pooled(values: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Return one vector a sample, shape (b, width): the mean over positions; ``mask`` (b, t) leaves padding out."""
    match values.dim():
        case 2:
            return values
        case 3 if mask is not None and mask.shape == values.shape[:2]:
            weight = mask.to(values.dtype).unsqueeze(-1)
            return (values * weight).sum(1) / weight.sum(1).clamp(min=1)
        case 3:
            return values.mean(1)
        # Images are square: two equal axes at the front are the positions of a network with channels last.
        case 4 if values.shape[1] == values.shape[2] != values.shape[3]:
            return values.mean((1, 2))
        case 4:
            return values.mean((2, 3))
    return values.flatten(1)


@contextmanager
def _watching(network: nn.Module, blocks: Sequence[Block], seen: dict[str, torch.Tensor]) -> Iterator[None]:
    """Keep the first floating tensor that each block's first call of a forward takes, and what the last block gives."""

    def keep(name: str, given: Any) -> None:
        found = [each for each in tensors(given).values() if each.is_floating_point() and each.dim() > 1]
        if found:
            seen[name] = found[0].detach().clone()  # what comes later may write in place

    def take(name: str, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if name not in seen:
            keep(name, (args, kwargs))

    modules = dict(network.named_modules())
    handles = [
        modules[module].register_forward_pre_hook(partial(take, block.name), with_kwargs=True)
        for block in blocks[1:]
        for module in block.modules
        if module in modules
    ]
    if last := modules.get(blocks[-2].name):
        handles.append(last.register_forward_hook(lambda _, __, output: keep(OUTPUT, output)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _mask(batch: Batch) -> torch.Tensor | None:
    found = batch.get("attention_mask") if isinstance(batch, Mapping) else None
    return found if isinstance(found, torch.Tensor) else None

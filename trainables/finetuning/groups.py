"""Optimiser groups: which parameters share a learning rate, a weight decay and a first epoch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from spaces.strategy import Strategy
from trainables.network.blocks import Block


@dataclass(frozen=True)
class Group:
    """Parameters that share a learning rate and a weight decay, and train from epoch ``start`` (from 0) on."""

    name: str
    parameters: tuple[str, ...]
    lr: float
    weight_decay: float
    start: int = 0


def groups(
    strategy: Strategy,
    blocks: Sequence[Block],
    trained: Mapping[str, int],
    vectors: Collection[str],
) -> tuple[Group, ...]:
    """Return the groups of every parameter in ``trained`` (name -> first epoch), from the stem to the head.

    All groups exist from the start, those that thaw later included. ``vectors`` are the parameters of
    at most one dimension (biases, norms): they never decay.
    """
    made = []
    for block in blocks:
        names = [name for name in block.parameters if name in trained]
        for start in sorted({trained[name] for name in names}):
            here = [name for name in names if trained[name] == start]
            lr = learning_rate(strategy, block, blocks)
            matrices = tuple(name for name in here if name not in vectors)
            flat = tuple(name for name in here if name in vectors)
            made.append(Group(block.name, matrices, lr, strategy.weight_decay, start))
            made.append(Group(f"{block.name} (no decay)", flat, lr, 0.0, start))
    return tuple(group for group in made if group.parameters)


def learning_rate(strategy: Strategy, block: Block, blocks: Sequence[Block]) -> float:
    """Return the block's learning rate: distance is counted over all blocks, frozen ones included.

    The last block has distance 0, the stem the greatest one (Howard & Ruder 2018, section 3.2).
    """
    if block.kind == "head":
        return strategy.head_lr
    distance = len(blocks) - 2 - block.index
    return strategy.head_lr * strategy.lr_ratio * strategy.layer_decay**distance

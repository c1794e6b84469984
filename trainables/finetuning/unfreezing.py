"""When which block begins to train. Decided over blocks and epochs; no tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

from spaces.freezing import probe_epochs
from spaces.strategy import Freezing, Full, Gradual, LpFt, NormBias, Probe, Top, Window
from trainables.network.blocks import Block, depth


def starts(freezing: Freezing, blocks: Sequence[Block], epochs: int) -> Mapping[int, int]:
    """Return index of a block that trains -> the epoch, counted from 0, in which it begins.

    The head always trains from the first epoch on. With ``norm_bias`` every block has parameters
    that train; which ones is decided in `plan`.
    """
    head = {blocks[-1].index: 0}
    match freezing:
        case Probe():
            joined: Mapping[int, int] = {}
        case Top(depth=unfrozen):
            joined = dict.fromkeys(_from_the_top(unfrozen, blocks), 0)
        case Window(start=first, length=length):
            joined = dict.fromkeys(range(first, first + length), 0)
        case Full() | NormBias():
            joined = dict.fromkeys(_from_the_top(depth(blocks), blocks), 0)
        case Gradual(depth=unfrozen, probe_share=share):
            joined = _one_by_one(unfrozen, blocks, probe_epochs(share, epochs), epochs)
        case LpFt(depth=unfrozen, probe_share=share):
            joined = dict.fromkeys(_from_the_top(unfrozen, blocks), probe_epochs(share, epochs))
        case _:
            assert_never(freezing)
    return head | dict(joined)


def _from_the_top(unfrozen: int, blocks: Sequence[Block]) -> list[int]:
    """Return the indices of the last ``unfrozen`` blocks, the top first; all of them take the stem along."""
    last = depth(blocks)
    indices = [last - distance for distance in range(min(unfrozen, last))]
    return [*indices, 0] if unfrozen >= last else indices


def _one_by_one(unfrozen: int, blocks: Sequence[Block], probe: int, epochs: int) -> dict[int, int]:
    """Return the epoch in which each block joins: block j from the top at P + floor((j - 1)(E - P) / (d + 1))."""
    indices = _from_the_top(unfrozen, blocks)
    steps = min(unfrozen, depth(blocks))
    joined = {index: probe + (j * (epochs - probe)) // (steps + 1) for j, index in enumerate(indices[:steps])}
    return joined | dict.fromkeys(indices[steps:], joined[indices[steps - 1]])  # the stem joins with block 1

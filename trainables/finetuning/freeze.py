"""Which blocks a strategy trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from spaces.strategy import Freezing, Full, Probe, Top
from trainables.network.blocks import Block, depth


def trained(freezing: Freezing, blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Return the blocks that train, in order; the head always does."""
    match freezing:
        case Probe():
            unfrozen = 0
        case Top(depth=wanted):
            unfrozen = wanted
        case Full():
            unfrozen = depth(blocks)
        case _:
            assert_never(freezing)
    # Depth L trains everything, the stem included: top L and full are the same strategy.
    first = 0 if unfrozen >= depth(blocks) else len(blocks) - 1 - unfrozen
    return tuple(blocks[first:])

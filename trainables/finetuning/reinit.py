"""Which blocks start from random values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from spaces.strategy import Keep, Reinit, ReinitAll, ReinitTop
from trainables.network.blocks import Block


def reinitialised(reinit: Reinit, trained: Sequence[Block]) -> tuple[Block, ...]:
    """Return the blocks whose pretrained values are thrown away. The head is new in any case."""
    backbone = [block for block in trained if block.kind != "head"]
    match reinit:
        case Keep():
            return ()
        case ReinitTop(blocks=count):
            return tuple(block for block in backbone if block.kind == "block")[-count:]
        case ReinitAll():
            return tuple(backbone)
        case _:
            assert_never(reinit)

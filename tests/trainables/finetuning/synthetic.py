"""Blocks without a network: plans are decided over names, so names are enough to hold them to their word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hypothesis import strategies as st

from spaces.strategy import Strategy
from trainables.finetuning.plan import Names, Plan, plan
from trainables.network.blocks import Block

EPOCHS = 8


@dataclass(frozen=True)
class Synthetic:
    """A network's blocks, its modules, and which of its parameters are vectors."""

    blocks: tuple[Block, ...]
    modules: tuple[str, ...]
    vectors: frozenset[str]

    @property
    def depth(self) -> int:
        return len(self.blocks) - 2

    @property
    def parameters(self) -> list[str]:
        return [name for block in self.blocks for name in block.parameters]

    def planned(self, strategy: Strategy, *, never: tuple[str, ...] = ()) -> Plan:
        known = Names(self.modules, self.vectors, never=frozenset(never))
        return plan(strategy, self.blocks, known, epochs=EPOCHS)


def _block(index: int, name: str, kind: Literal["stem", "block", "head"], layers: int) -> Block:
    modules = tuple(f"{name}.{layer}" for layer in range(layers))
    return Block(
        index=index,
        name=name,
        kind=kind,
        parameters=tuple(f"{module}.{each}" for module in modules for each in ("weight", "bias")),
        buffers=() if kind == "head" else tuple(f"{module}.mean" for module in modules),
        modules=(name, *modules),
        count=layers,
    )


UP_TO_NINE = st.integers(1, 9)


@st.composite
def names(draw: st.DrawFn, depths: st.SearchStrategy[int] = UP_TO_NINE) -> Synthetic:
    """Draw a network of so many blocks with 1 to 3 layers each; half of them lie in a container ``body``."""
    depth = draw(depths)
    layers = st.integers(1, 3)
    inside = draw(st.integers(0, depth))
    stem = _block(0, "stem", "stem", draw(layers))
    blocks = [
        _block(i, f"body.{i}" if i <= inside else f"late.{i}", "block", draw(layers)) for i in range(1, depth + 1)
    ]
    head = _block(depth + 1, "head", "head", draw(layers))
    every = (stem, *blocks, head)
    vectors = frozenset(name for block in every for name in block.parameters if name.endswith("bias"))
    return Synthetic(every, ("", "body", "late", *(name for block in every for name in block.modules)), vectors)

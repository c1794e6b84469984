"""A strategy carried over to a network's names: pure data, JSON. Nothing here touches a tensor."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spaces.strategy import Strategy
from trainables.finetuning.freeze import trained as blocks_that_train
from trainables.finetuning.groups import Group, groups
from trainables.finetuning.reinit import reinitialised
from trainables.network.blocks import Block


@dataclass(frozen=True)
class Plan:
    """What is frozen, what trains at which rate, and what starts anew."""

    frozen: tuple[str, ...]  # parameters
    frozen_buffers: tuple[str, ...]
    eval_modules: tuple[str, ...]  # stay in eval mode through every train()
    groups: tuple[Group, ...]
    reinit: tuple[str, ...]  # parameters and buffers

    @property
    def trainable(self) -> tuple[str, ...]:
        """The parameters that train, each exactly once."""
        return tuple(name for group in self.groups for name in group.parameters)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Read a plan that `to_json` wrote."""
        names = {key: tuple(data[key]) for key in ("frozen", "frozen_buffers", "eval_modules", "reinit")}
        read = tuple(Group(**{**group, "parameters": tuple(group["parameters"])}) for group in data["groups"])
        return cls(groups=read, **names)


def plan(
    strategy: Strategy,
    blocks: Sequence[Block],
    *,
    modules: Sequence[str],
    vectors: Collection[str],
    never: Collection[str] = (),
) -> Plan:
    """Return what ``strategy`` means for a network cut into ``blocks``.

    Args:
        strategy: In canonical form for this number of blocks.
        blocks: The network's blocks, from stem to head.
        modules: Every module's name, containers included.
        vectors: Parameters of at most one dimension.
        never: Parameters the architecture itself keeps fixed.
    """
    training = blocks_that_train(strategy.freezing, blocks)
    first = training[0]
    frozen = blocks[: first.index]
    anew = reinitialised(strategy.reinit, training)
    made = groups(strategy, blocks, training, vectors)
    kept = tuple(Group(g.name, tuple(n for n in g.parameters if n not in never), g.lr, g.weight_decay) for g in made)
    return Plan(
        frozen=tuple(name for block in blocks for name in block.parameters if block in frozen or name in never),
        frozen_buffers=tuple(name for block in frozen for name in block.buffers),
        eval_modules=_eval_modules(blocks, frozen, first, modules),
        groups=tuple(group for group in kept if group.parameters),
        reinit=tuple(name for block in anew for name in (*block.parameters, *block.buffers)),
    )


def _eval_modules(
    blocks: Sequence[Block], frozen: Sequence[Block], first: Block, modules: Sequence[str]
) -> tuple[str, ...]:
    """Return the frozen blocks' modules, the containers of nothing else, and those of the first trained block.

    A container that runs, or is still running, before the first trained block begins would otherwise
    apply its own dropout, layer drop or masking to what is supposed to be frozen.
    """
    if not frozen:
        return ()
    held = [name for block in frozen for name in block.modules]
    moving = [name for block in blocks[first.index :] for name in block.modules]
    starts = [name for name in first.modules if name.rpartition(".")[0] not in first.modules]
    containers = [name for name in modules if name not in {*held, *moving}]
    around = [
        name
        for name in containers
        if _contains(name, starts) or (_contains(name, held) and not _contains(name, moving))
    ]
    return (*held, *around)


def _contains(container: str, names: Sequence[str]) -> bool:
    return container == "" or any(name.startswith(f"{container}.") for name in names)

"""A strategy carried over to a network's names: pure data, JSON. Nothing here touches a tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spaces.strategy import NormBias, Strategy
from trainables.finetuning.groups import Group, groups
from trainables.finetuning.reinit import reinitialised
from trainables.finetuning.unfreezing import starts
from trainables.network.blocks import Block


@dataclass(frozen=True)
class Phase:
    """What is frozen from epoch ``start`` (from 0) on, until the next phase."""

    start: int
    frozen: tuple[str, ...]  # parameters
    frozen_buffers: tuple[str, ...]
    eval_modules: tuple[str, ...]  # stay in eval mode through every train()


@dataclass(frozen=True)
class Plan:
    """What is frozen in which epoch, what trains at which rate, what starts anew, what is pulled back."""

    phases: tuple[Phase, ...]
    groups: tuple[Group, ...]
    reinit: tuple[str, ...]  # parameters and buffers
    anchored: tuple[str, ...]  # parameters under L2-SP

    @property
    def trainable(self) -> tuple[str, ...]:
        """The parameters that ever train, each exactly once."""
        return tuple(name for group in self.groups for name in group.parameters)

    @property
    def frozen(self) -> tuple[str, ...]:
        """The parameters that never train."""
        return self.phases[-1].frozen

    @property
    def frozen_buffers(self) -> tuple[str, ...]:
        """The buffers that never change."""
        return self.phases[-1].frozen_buffers

    def phase(self, epoch: int) -> Phase:
        """Return the phase of ``epoch``, counted from 0."""
        return [phase for phase in self.phases if phase.start <= epoch][-1]

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Read a plan that `to_json` wrote."""
        names = ("frozen", "frozen_buffers", "eval_modules")
        return cls(
            phases=tuple(Phase(**{**phase, **{n: tuple(phase[n]) for n in names}}) for phase in data["phases"]),
            groups=tuple(Group(**{**group, "parameters": tuple(group["parameters"])}) for group in data["groups"]),
            reinit=tuple(data["reinit"]),
            anchored=tuple(data["anchored"]),
        )


@dataclass(frozen=True)
class Names:
    """What a plan needs to know of a network beside its blocks. Names only."""

    modules: tuple[str, ...]  # every module, containers included
    vectors: frozenset[str] = frozenset()  # parameters of at most one dimension
    norms: frozenset[str] = frozenset()  # parameters of normalisation layers
    never: frozenset[str] = frozenset()  # parameters the architecture itself keeps fixed


def plan(strategy: Strategy, blocks: Sequence[Block], names: Names, *, epochs: int) -> Plan:
    """Return what ``strategy``, in canonical form, means for a network cut into ``blocks``."""
    begins = starts(strategy.freezing, blocks, epochs)
    trained = {
        name: begins[block.index]
        for block in blocks
        if block.index in begins
        for name in block.parameters
        if name not in names.never and _trains(strategy, block, name, names)
    }
    anew = reinitialised(strategy.reinit, [block for block in blocks if block.index in begins])
    reinit = tuple(name for block in anew for name in (*block.parameters, *block.buffers))
    backbone = [name for block in blocks[:-1] for name in block.parameters if name in trained]
    return Plan(
        phases=tuple(
            _phase(strategy, blocks, names, trained, begins, start) for start in sorted({0, *trained.values()})
        ),
        groups=groups(strategy, blocks, trained, names.vectors),
        reinit=reinit,
        anchored=tuple(name for name in backbone if name not in reinit) if strategy.l2_sp else (),
    )


def frozen_prefix(blocks: Sequence[Block], phase: Phase) -> int:
    """Return how many blocks, counted from the input, do nothing in ``phase`` but compute the same again."""
    frozen, buffers, still = set(phase.frozen), set(phase.frozen_buffers), set(phase.eval_modules)
    return next(
        index
        for index, block in enumerate(blocks)
        if block.kind == "head"
        or not (frozen >= {*block.parameters} and buffers >= {*block.buffers} and still >= {*block.modules})
    )


def _trains(strategy: Strategy, block: Block, name: str, names: Names) -> bool:
    if block.kind == "head" or not isinstance(strategy.freezing, NormBias):
        return True
    return name in names.norms or name.rpartition(".")[2].endswith("bias")


def _phase(
    strategy: Strategy,
    blocks: Sequence[Block],
    names: Names,
    trained: Mapping[str, int],
    begins: Mapping[int, int],
    start: int,
) -> Phase:
    """Return what is frozen in the epochs from ``start`` on: all that has not begun to train."""
    training = {name for name, first in trained.items() if first <= start}
    begun = {index for index, first in begins.items() if first <= start}
    # The head belongs to the task: it is never frozen, even where it has no parameters of its own. Neither
    # is a stem without any that has begun.
    frozen = [
        block
        for block in blocks[:-1]
        if not training.intersection(block.parameters) and (block.parameters or block.index not in begun)
    ]
    if isinstance(strategy.freezing, NormBias):
        alive = {name.rpartition(".")[0] for name in training}
        with_own = {name.rpartition(".")[0] for block in blocks for name in block.parameters}
        still = tuple(name for name in names.modules if name in with_own and name not in alive)
        buffers = tuple(n for block in blocks[:-1] for n in block.buffers if n.rpartition(".")[0] not in alive)
    else:
        still = _still(blocks, frozen, names.modules)
        buffers = tuple(name for block in frozen for name in block.buffers)
    kept = tuple(name for block in blocks for name in block.parameters if name not in training)
    return Phase(start, kept, buffers, still)


def _still(blocks: Sequence[Block], frozen: Sequence[Block], modules: Sequence[str]) -> tuple[str, ...]:
    """Return the frozen blocks' modules, the containers of nothing else, and those of the first trained block.

    A container that runs, or is still running, before the first trained block begins would otherwise
    apply its own dropout, layer drop or masking to what is supposed to be frozen.
    """
    if not frozen:
        return ()
    first = next(block for block in blocks if block not in frozen)
    held = [name for block in frozen for name in block.modules]
    moving = [name for block in blocks if block not in frozen for name in block.modules]
    begins = [name for name in first.modules if name.rpartition(".")[0] not in first.modules]
    containers = [name for name in modules if name not in {*held, *moving}]
    around = [
        name
        for name in containers
        if _contains(name, begins) or (_contains(name, held) and not _contains(name, moving))
    ]
    return (*held, *around)


def _contains(container: str, names: Sequence[str]) -> bool:
    return container == "" or any(name.startswith(f"{container}.") for name in names)

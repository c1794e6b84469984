"""Cut a network into blocks from input to output. Names only; nothing here changes the network.

The structural rule: walk down through containers (lists, sequences, and modules that hold a list
of composite modules). What is met first and repeated is a block, as a residual unit, a transformer
layer or a dense block is. Whatever is called before the first block is the stem, what lies between
two blocks joins the later one, what follows the last block joins it, and the task's new layers are
the head.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

from trainables.network.families import role

Kind = Literal["stem", "block", "head"]


@dataclass(frozen=True)
class Block:
    """A unit of freezing; a network is stem, block 1 … block L, head."""

    index: int
    name: str
    kind: Kind
    parameters: tuple[str, ...]
    buffers: tuple[str, ...]
    modules: tuple[str, ...]
    count: int  # parameter elements


@dataclass
class Unit:
    """An indivisible part met while walking down, not yet assigned to a block."""

    name: str
    module: nn.Module
    starts_block: bool
    joins_previous: bool = False  # belongs to the block before it
    position: float = 0.0


def cut(network: nn.Module, head: Sequence[str], order: Mapping[str, int]) -> tuple[Block, ...]:
    """Return the blocks of ``network`` in the order of the forward call.

    ``head`` names the modules that belong to the task, ``order`` comes from `call_order`. Every
    parameter and buffer lies in exactly one block; a tied one in the first that uses it.
    """
    units = [unit for unit in _units(network, "", listed=False) if not within(unit.name, head)]
    _place(units, order)
    units.sort(key=lambda unit: unit.position)
    with_weights = [unit for unit in units if _has_tensors(unit.module)]
    if not any(unit.starts_block for unit in with_weights[1:]):  # the first one is the stem
        _cut_at_every_weight(with_weights)
    members = _gather(units, with_weights)
    names = [name for name, _ in members]
    owned = [[unit.name for unit in block] for _, block in members]
    members_of_head = [name for name in head if name]
    return describe(network, [*names, "head"], [*owned, members_of_head])


def depth(blocks: Sequence[Block]) -> int:
    """Return L, the number of blocks between stem and head."""
    return sum(block.kind == "block" for block in blocks)


def _units(module: nn.Module, name: str, *, listed: bool) -> Iterator[Unit]:
    """Walk down to the parts the rule does not divide further, in registration order."""
    children = [(f"{name}.{child}" if name else child, part) for child, part in module.named_children()]
    match role(type(module).__name__) if name else None:
        case "joins next" | "joins previous" | "whole" as kind:
            yield Unit(name, module, starts_block=False, joins_previous=kind == "joins previous")
            return
        case "block":
            yield Unit(name, module, starts_block=True)
            return
        case kind:
            staged = kind == "stage"
    if not children:
        yield Unit(name, module, starts_block=False)
    elif _is_container(module):
        for child, part in children:
            yield from _units(part, child, listed=True)
    elif name and not staged and (listed or not _holds_list(module)):
        yield Unit(name, module, starts_block=listed)
    else:
        classes = Counter(type(part) for _, part in children if list(part.children()))
        for child, part in children:
            repeated = classes[type(part)] > 1 and not _is_container(part)
            yield from _units(part, child, listed=repeated)


def _is_container(module: nn.Module) -> bool:
    """Tell whether the module only holds others: a list, or a sequence with the inherited forward."""
    for plain in (nn.Sequential, nn.ModuleList, nn.ModuleDict):
        if isinstance(module, plain):
            return type(module).forward is plain.forward
    return False


def _holds_list(module: nn.Module) -> bool:
    """Tell whether somewhere inside a container lists composite modules."""
    return any(
        _is_container(part) and any(not _is_container(child) and list(child.children()) for child in part.children())
        for part in module.modules()
        if part is not module
    ) or _repeats(module)


def _repeats(module: nn.Module) -> bool:
    """Tell whether the module names several composite children of one class, as conv2_x, conv3_x do."""
    classes = Counter(type(part) for part in module.children() if list(part.children()) and not _is_container(part))
    return any(count > 1 for count in classes.values())


def _has_tensors(module: nn.Module) -> bool:
    return any(True for _ in module.parameters()) or any(True for _ in module.buffers())


def within(name: str, owners: Sequence[str]) -> bool:
    """Tell whether the module ``name`` is one of ``owners`` or lies inside one."""
    return any(name == owner or name.startswith(f"{owner}.") for owner in owners)


def _place(units: list[Unit], order: Mapping[str, int]) -> None:
    """Give every unit its place in the forward call.

    One with weights that is never called may be read by any block (DeBERTa's relative positions), so it
    comes first and belongs to the stem; one without follows its neighbour.
    """
    previous = -1.0
    for unit in units:
        calls = [order[name] for name in order if within(name, [unit.name])]
        unit.position = float(min(calls)) if calls else -1.0 if _has_tensors(unit.module) else previous + 1e-6
        previous = unit.position


def _cut_at_every_weight(units: list[Unit]) -> None:
    """Nothing repeats (VGG, AlexNet, a small network of one's own): every layer with a weight matrix is a block."""
    for unit in units:
        unit.starts_block = any(parameter.dim() > 1 for parameter in unit.module.parameters())
        # A normalisation belongs to the layer whose output it normalises: both freeze together.
        unit.joins_previous = not unit.starts_block


def _gather(units: list[Unit], with_weights: list[Unit]) -> list[tuple[str, list[Unit]]]:
    """Join the units into a stem and blocks, in order; the first part is the stem even if it repeats."""
    starts = [unit for unit in with_weights if unit.starts_block]
    if starts and starts[0] is with_weights[0]:
        starts = starts[1:]
    gathered: list[tuple[str, list[Unit]]] = [("stem", [])]
    waiting: list[Unit] = []  # between two blocks: joins the later one
    for unit in units:
        if unit in starts:
            gathered.append((unit.name, [*waiting, unit]))
            waiting = []
        elif len(gathered) == 1 or unit.joins_previous:
            gathered[-1][1].extend([*waiting, unit])
            waiting = []
        else:
            waiting.append(unit)
    # What trails the last block joins it, but a bare dropout or pooling there stays with the head.
    gathered[-1][1].extend(unit for unit in waiting if _has_tensors(unit.module))
    return gathered


def describe(network: nn.Module, names: Sequence[str], owners: Sequence[Sequence[str]]) -> tuple[Block, ...]:
    """Name what each block owns; what no block owns, a container's own tensors, belongs to the stem."""
    # Under all its names: a module that two others share belongs to the first that uses it.
    modules = dict(network.named_modules(remove_duplicate=False))
    members = [{n for n in modules if within(n, owner)} for owner in owners]
    owner_of_module = {name: index for index, block in enumerate(members) for name in block}
    owner: dict[int, int] = {}
    for tensors in (network.named_parameters(remove_duplicate=False), network.named_buffers(remove_duplicate=False)):
        for name, tensor in tensors:
            index = owner_of_module.get(name.rpartition(".")[0], 0)
            owner[id(tensor)] = min(index, owner.get(id(tensor), index))
    last = len(names) - 1
    kinds: list[Kind] = ["stem", *["block"] * (last - 1), "head"]  # type: ignore[list-item]
    parameters = [(name, tensor) for name, tensor in network.named_parameters()]
    buffers = [(name, tensor) for name, tensor in network.named_buffers()]
    return tuple(
        Block(
            index=index,
            name=name,
            kind=kinds[index],
            parameters=tuple(n for n, tensor in parameters if owner[id(tensor)] == index),
            buffers=tuple(n for n, tensor in buffers if owner[id(tensor)] == index),
            modules=tuple(n for n in modules if n in members[index]),
            count=sum(tensor.numel() for _, tensor in parameters if owner[id(tensor)] == index),
        )
        for index, name in enumerate(names)
    )

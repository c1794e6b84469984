"""Cut a network into the blocks that its author declares, in place of the structural rule. Names only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from spaces.check import did_you_mean
from spaces.errors import BadInput, Problem
from trainables.network.blocks import Block, describe, within

Declared = tuple[tuple[str, ...], ...]
PLACE = "model"


def read(given: object) -> Declared:
    """Return a declaration in one shape: a list of blocks, each a module's name or a list of names.

    Raises:
        BadInput: it is neither.
    """
    if isinstance(given, Sequence) and not isinstance(given, str) and given:
        blocks = tuple((block,) if isinstance(block, str) else block for block in given)
        if all(
            isinstance(block, Sequence) and block and all(isinstance(name, str) and name for name in block)
            for block in blocks
        ):
            return tuple(tuple(block) for block in blocks)
    wanted = 'a list of blocks from input to output, each a module\'s name or a list of names, as ["conv1", "layer1"]'
    raise BadInput.at(PLACE, f"the declared blocks must be {wanted}; got {given!r:.80}")


def cut(network: nn.Module, head: Sequence[str], order: Mapping[str, int], declared: Declared) -> tuple[Block, ...]:
    """Return stem, the declared blocks and head.

    What is not declared joins the next declared block, as a norm between two stages does; before the
    first it is the stem (which may be empty), after the last it joins the last. ``order`` comes from
    `call_order`.

    Raises:
        BadInput: a name that the network does not have or never calls, that lies inside another or holds
            the head, or blocks in another order than the forward call's.
    """
    if problems := _problems(network, head, order, declared):
        raise BadInput(Problem(PLACE, message) for message in problems)
    starts = [min(_calls(name, order)[0] for name in block) for block in declared]
    owned: list[list[str]] = [[], *(list(block) for block in declared)]
    for name in _undeclared(network, [*head, *(name for block in declared for name in block)]):
        calls = _calls(name, order)
        # What is never called may be read by any block: it is there from the start.
        later = sum(start <= calls[0] for start in starts) if calls else 0
        owned[min(later + 1, len(declared)) if later else 0].append(name)
    names = ["stem", *(block[0] for block in declared), "head"]
    return describe(network, names, [*owned, list(head)])


def _problems(network: nn.Module, head: Sequence[str], order: Mapping[str, int], declared: Declared) -> list[str]:
    known = [name for name, _ in network.named_modules() if name]
    names = [name for block in declared for name in block]
    if strange := [name for name in names if name not in known]:
        return [f"the network has no module {name!r} to be a block{did_you_mean(name, known)}" for name in strange]
    problems = [f"the block {name!r} is declared twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    problems += [
        f"the block {inner!r} lies inside the block {outer!r}; declare one of them"
        for outer in names
        for inner in names
        if inner != outer and within(inner, [outer])
    ]
    problems += [
        f"the block {name!r} holds the head {last!r}; declare the parts before it"
        for name in names
        for last in head
        if within(last, [name])
    ]
    problems += [f"the block {name!r} is never called in a forward pass" for name in names if not _calls(name, order)]
    if problems:
        return problems
    spans = [sorted(call for name in block for call in _calls(name, order)) for block in declared]
    return [
        f"the block {later[0]!r} is called before {earlier[0]!r} has ended; declare blocks from input to output"
        for (earlier, first), (later, second) in zip(
            zip(declared, spans, strict=True), list(zip(declared, spans, strict=True))[1:], strict=False
        )
        if second[0] < first[-1]
    ]


def _calls(name: str, order: Mapping[str, int]) -> list[int]:
    """Return the positions at which the module or any part of it is first called."""
    return sorted(position for called, position in order.items() if within(called, [name]))


def _undeclared(network: nn.Module, taken: Sequence[str]) -> list[str]:
    """Return the largest modules that neither lie in one of ``taken`` nor hold one."""
    found: list[str] = []
    for name, _ in network.named_modules():
        outside = name and not within(name, [*taken, *found])
        if outside and not any(within(other, [name]) for other in taken):
            found.append(name)
    return found

"""Plan a boundary: what must be stored so that the network can start at block k. Changes nothing for good.

One traced forward tells which calls are over when block k starts. Each is replaced by a placeholder of
NaN; the NaN that arrive at block k, and those that arrive at the result by another way, are what must
be stored. What cannot be stored by sample (no batch axis, or a length squared) is computed anew from its
own children. Anything that stays unclear, and every plan that fails its own test, is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from trainables.network import boundary_check
from trainables.network.blocks import Block
from trainables.network.boundary_search import Setting, Unplannable, search
from trainables.network.calls import Batch, Call, Forward, Trace, evaluating, trace
from trainables.network.recording import Boundary

TOLERANCE = 1e-4  # of the difference between the samples' logits

Probes = tuple[Batch, Batch]


@dataclass(frozen=True)
class Refused:
    """Why the network cannot start at this block; it then runs whole in every step."""

    block: str
    index: int
    reason: str


def plan_boundary(
    network: nn.Module,
    blocks: Sequence[Block],
    index: int,
    forward: Forward,
    probes: Probes,
    *,
    trainable: Collection[str] | None = None,
    tolerance: float = TOLERANCE,
) -> Boundary | Refused:
    """Plan the boundary before block ``index``, 1 … L+1 (the head).

    ``forward`` returns only what is trained on: the logits. The ``probes`` are two tiny batches of
    different size, and of different length for texts, with padding. ``trainable`` names the
    parameters that train, by default those of block ``index`` and later.
    """
    return _plan(network, blocks, index, forward, probes, _traces(network, forward, probes), trainable, tolerance)


def plan_boundaries(
    network: nn.Module, blocks: Sequence[Block], forward: Forward, probes: Probes, *, tolerance: float = TOLERANCE
) -> tuple[Boundary | Refused, ...]:
    """Plan every boundary, 1 … L+1, from the same traces."""
    traces = _traces(network, forward, probes)
    return tuple(
        _plan(network, blocks, index, forward, probes, traces, None, tolerance) for index in range(1, len(blocks))
    )


def _traces(network: nn.Module, forward: Forward, probes: Probes) -> tuple[Trace, Trace]:
    with evaluating(network):
        return trace(network, forward, probes[0]), trace(network, forward, probes[1])


def _plan(
    network: nn.Module,
    blocks: Sequence[Block],
    index: int,
    forward: Forward,
    probes: Probes,
    traces: tuple[Trace, Trace],
    trainable: Collection[str] | None,
    tolerance: float,
) -> Boundary | Refused:
    block = blocks[index]
    if trainable is None:
        trainable = [name for later in blocks[index:] for name in later.parameters]
    try:
        with evaluating(network):
            call = _first_call(network, blocks, index, traces)
            setting = Setting(network, forward, probes, traces, call, tolerance)
            with torch.no_grad():
                found = search(setting, block.name, index)
                boundary_check.check(setting, found)
            boundary_check.check_gradients(setting, found, trainable)
    except Unplannable as refusal:
        return Refused(block.name, index, str(refusal))
    except Exception as failure:
        # Whatever a network makes of a placeholder; the reason goes to the user with the refusal.
        first = (str(failure).strip() or "no message").splitlines()[0]
        return Refused(
            block.name, index, f"The network fails without its first part: {type(failure).__name__}: {first}"
        )
    return found


def _first_call(network: nn.Module, blocks: Sequence[Block], index: int, traces: tuple[Trace, Trace]) -> Call:
    """Return the first call of any module of block ``index`` or later, or the dropout just before it."""
    if traces[0].shape != traces[1].shape:
        raise Unplannable("The network calls other modules, or in another order, depending on the batch.")
    calls = traces[0].calls
    suffix = {name for block in blocks[index:] for name in block.modules}
    made = [traced for traced in calls.values() if traced.call.module in suffix]
    if not made:
        raise Unplannable("No module of this block or a later one is ever called.")
    first = min(made, key=lambda traced: traced.start)
    owned = {name for block in blocks for name in block.modules}
    ends = {traced.end: traced for traced in calls.values()}
    start = first.start
    while True:
        # A dropout that no block owns (before the classifier) stays alive on this side; parents may open in between.
        opening = next((t for t in calls.values() if t.start == start - 1), None)
        before = ends.get(start - 1)
        if opening is not None:
            start = opening.start
        elif before is not None and before.call.module not in owned and _is_dropout(network, before.call):
            first, start = before, before.start
        else:
            return first.call


def _is_dropout(network: nn.Module, call: Call) -> bool:
    return isinstance(network.get_submodule(call.module), nn.modules.dropout._DropoutNd)

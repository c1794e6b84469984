"""Record what a boundary needs from one forward, and run only what follows it from that record.

Modes are the caller's: between a record and its replay the frozen modules, and every module that is
still running at the boundary, must be in eval mode. A replay may write into what it is given.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from trainables.network.calls import Answer, Batch, Call, Forward, Original, answering, replaced
from trainables.network.nested import rebuild, tensors
from trainables.network.placeholders import Fill, Template, dense_nan, nan, stand_in

Stored = dict[str, torch.Tensor]  # by the leaf's key; every tensor's first axis is the sample


@dataclass(frozen=True)
class Leaf:
    """One tensor: of the boundary call's arguments, of an earlier call's output, or of the batch."""

    origin: Literal["input", "output", "batch"]
    call: Call | None
    path: str
    dtype: str
    shape: tuple[int, ...]  # of one sample of the first probe
    axis: int = 0  # where the sample stands in the network; in the store it comes first

    @property
    def key(self) -> str:
        """The name under which it is stored."""
        match self.origin:
            case "input":
                return f">{self.path}"
            case "output":
                return f"{self.call}:{self.path}"
            case "batch":
                return f"batch:{self.path}"

    @property
    def bytes(self) -> int:
        """What one sample takes, at the first probe's size."""
        return math.prod(self.shape) * getattr(torch, self.dtype).itemsize  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Stub:
    """A call that a replay does not make, and the form of what it would return."""

    call: Call
    output: Template


@dataclass(frozen=True)
class Boundary:
    """What must be stored so that blocks ``index`` and later give the same result. Names and numbers only."""

    block: str
    index: int
    call: Call  # the first one that is made
    stored: tuple[Leaf, ...]
    stubs: tuple[Stub, ...]
    opened: tuple[Call, ...] = ()  # finished before, and made all the same: what they give cannot be stored by sample
    dense: bool = False  # something between the stubs writes in place

    @property
    def bytes_per_sample(self) -> int:
        """What one sample takes, at the first probe's size."""
        return sum(leaf.bytes for leaf in self.stored)


class _Reached(BaseException):
    """Ends a forward at the boundary; no ``except Exception`` of a network's holds it up."""


def record(network: nn.Module, boundary: Boundary, forward: Forward, batch: Batch) -> Stored:
    """Run the part before the boundary, without gradients, and return copies of what is to be stored."""
    with torch.no_grad():
        return capture(network, boundary.call, boundary.stored, forward, batch)


def replay(network: nn.Module, boundary: Boundary, forward: Forward, batch: Batch, stored: Stored) -> torch.Tensor:
    """Return the result of ``forward`` from what was ``stored``; nothing before the boundary is computed.

    Only integers of ``batch`` are read (token ids, masks), and the shapes of the rest.
    """
    return replay_with(network, boundary, forward, batch, stored, dense_nan if boundary.dense else nan)


def tail(network: nn.Module, boundary: Boundary, forward: Forward, batch: Batch) -> tuple[str, ...]:
    """Return the modules that make the result of the one tensor stored, each of what the one before it gave.

    A head's dropout and its layer, as a rule: then nothing else of the forward need run. Empty where
    something else lies between them, or more is stored.
    """
    steps: list[tuple[Call, torch.Tensor, torch.Tensor]] = []
    seen: Counter[str] = Counter()

    def follow(name: str, original: Original) -> Original:
        @functools.wraps(original)
        def noting(*args: Any, **kwargs: Any) -> Any:
            call = Call(name, seen[name])
            seen[name] += 1
            output = original(*args, **kwargs)
            if len(args) == 1 and not kwargs and isinstance(args[0], torch.Tensor) and isinstance(output, torch.Tensor):
                steps.append((call, args[0], output))
            return output

        return noting

    names = [name for name, _ in network.named_modules()]
    with replaced(network, {name: functools.partial(follow, name) for name in names}), torch.no_grad():
        result = forward(network, batch)
    if [leaf.origin for leaf in boundary.stored] != ["input"]:
        return ()
    found: list[str] = []
    taken: torch.Tensor | None = None
    for call, given, output in steps:
        if (call == boundary.call) if taken is None else (given is taken):
            found.append(call.module)
            taken = output
            if output is result:
                return tuple(found)
    return ()


def finish(network: nn.Module, names: Iterable[str], values: torch.Tensor) -> torch.Tensor:
    """Return what the modules of a `tail` make of ``values``."""
    for name in names:
        values = network.get_submodule(name)(values)
    return values


def error(network: nn.Module, boundary: Boundary, forward: Forward, batch: Batch) -> float:
    """Return the largest difference between a replay's result and the whole forward's; NaN if a placeholder shows."""
    with torch.no_grad():
        whole = forward(network, batch)
        again = replay(network, boundary, forward, batch, record(network, boundary, forward, batch))
        return float((again - whole).abs().max())


def capture(network: nn.Module, boundary: Call, wanted: Iterable[Leaf], forward: Forward, batch: Batch) -> Stored:
    """Run ``forward`` up to the call ``boundary`` and return copies of the ``wanted`` leaves, gradients and all."""
    leaves = tuple(wanted)
    stored: Stored = {}

    def keep(leaf: Leaf, found: Mapping[str, torch.Tensor]) -> None:
        if leaf.path not in found:
            raise RuntimeError(
                f"{leaf.key} is missing in this forward; the network takes another way than when planned"
            )
        stored[leaf.key] = (
            found[leaf.path].movedim(leaf.axis, 0).clone()
        )  # now: a later operation in place would change it

    def stop(_: Original, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = tensors((args, kwargs))
        for leaf in leaves:
            if leaf.origin == "input":
                keep(leaf, found)
        raise _Reached

    def make(call: Call, original: Original, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        output = original(*args, **kwargs)
        found = tensors(output)
        for leaf in leaves:
            if leaf.origin == "output" and leaf.call == call:
                keep(leaf, found)
        return output

    for leaf in leaves:
        if leaf.origin == "batch":
            keep(leaf, tensors(batch))
    live = {leaf.call for leaf in leaves if leaf.origin == "output" and leaf.call is not None}
    answers: dict[Call, Answer] = {call: functools.partial(make, call) for call in live}
    try:
        with answering(network, answers | {boundary: stop}):
            forward(network, batch)
    except _Reached:
        return stored
    raise RuntimeError(f"the forward never made the call {boundary}; the network takes another way than when planned")


def replay_with(
    network: nn.Module, boundary: Boundary, forward: Forward, batch: Batch, stored: Stored, fill: Fill
) -> torch.Tensor:
    """Do what `replay` does, with placeholders made by ``fill``."""
    device = next(iter(tensors(batch).values())).device
    axes = axes_of(tensors(batch)) | axes_of(stored)
    values = {leaf: stored[leaf.key].movedim(0, leaf.axis) for leaf in boundary.stored}
    inputs = {leaf.path: value for leaf, value in values.items() if leaf.origin == "input"}
    reals = {leaf.path: value for leaf, value in values.items() if leaf.origin == "batch"}
    reached = False

    def start(original: Original, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        nonlocal reached
        reached = True
        args, kwargs = rebuild((args, kwargs), lambda path, leaf: inputs.get(path, leaf))
        return original(*args, **kwargs)

    def skip(stub: Stub, *_: Any) -> Any:
        known = {
            leaf.path: value for leaf, value in values.items() if leaf.origin == "output" and leaf.call == stub.call
        }
        return stand_in(stub.output, axes, known, fill, device)

    def blank(path: str, leaf: Any) -> Any:
        if path in reals:
            return reals[path]
        floating = isinstance(leaf, torch.Tensor) and leaf.is_floating_point()
        return fill(tuple(leaf.shape), leaf.dtype, leaf.device) if floating else leaf

    answers: dict[Call, Answer] = {stub.call: functools.partial(skip, stub) for stub in boundary.stubs}
    with answering(network, answers | {boundary.call: start}):
        result = forward(network, rebuild(batch, blank))
    if not reached:
        raise RuntimeError(f"the forward never made the call {boundary.call}; it takes another way than when planned")
    return result


def axes_of(found: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """Return the sizes of all axes, named ``key:axis``."""
    return {f"{key}:{axis}": size for key, leaf in found.items() for axis, size in enumerate(leaf.shape)}

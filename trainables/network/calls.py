"""Which module calls a forward consists of, and a forward in which some of them are answered otherwise.

A call is the i-th time that a module's ``forward`` runs. Forwards are replaced on the instance, not on
the class and not through hooks, and put back whatever happens; a network is not thread-safe meanwhile.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from trainables.network.nested import copied

Batch = Any  # a tensor of images, or a mapping of tensors for texts
Forward = Callable[[nn.Module, Batch], torch.Tensor]
Original = Callable[..., Any]
Answer = Callable[[Original, tuple[Any, ...], dict[str, Any]], Any]


@dataclass(frozen=True)
class Call:
    """The ``occurrence``-th call of ``module``, counted from 0."""

    module: str
    occurrence: int

    def __str__(self) -> str:
        return f"{self.module}#{self.occurrence}"


@dataclass(frozen=True)
class Traced:
    """What one call received and returned, and when: ``start`` and ``end`` count the starts and ends of all calls."""

    call: Call
    parent: Call | None
    start: int
    end: int
    arguments: tuple[tuple[Any, ...], dict[str, Any]]
    output: Any


@dataclass(frozen=True)
class Trace:
    """Every call of one forward, in the order of their starts, and its result."""

    calls: dict[Call, Traced]
    result: torch.Tensor

    @property
    def shape(self) -> list[tuple[Call, Call | None]]:
        """The calls and their parents: what two batches must have in common."""
        return [(traced.call, traced.parent) for traced in self.calls.values()]


@contextmanager
def answering(network: nn.Module, answers: Mapping[Call, Answer]) -> Iterator[None]:
    """Let ``answers`` take the place of the calls they are given for; every other call runs as ever."""
    seen: Counter[str] = Counter()

    def answer(name: str, original: Original) -> Original:
        @functools.wraps(original)
        def forward(*args: Any, **kwargs: Any) -> Any:
            call = Call(name, seen[name])
            seen[name] += 1
            return answers[call](original, args, kwargs) if call in answers else original(*args, **kwargs)

        return forward

    names = {call.module for call in answers}
    with replaced(network, {name: functools.partial(answer, name) for name in names}):
        yield


@contextmanager
def replaced(network: nn.Module, wrappers: Mapping[str, Callable[[Original], Original]]) -> Iterator[None]:
    """Wrap the forward of the modules named, on the instance, and put the earlier ones back."""
    before: list[tuple[nn.Module, Any]] = []
    try:
        for name, wrapper in wrappers.items():
            module = network.get_submodule(name)
            before.append((module, module.__dict__.get("forward")))
            module.__dict__["forward"] = wrapper(module.forward)
        yield
    finally:
        for module, earlier in before:
            if earlier is None:
                module.__dict__.pop("forward", None)
            else:
                module.__dict__["forward"] = earlier


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put every module into eval mode and give each its own mode back."""
    modes = [(module, module.training) for module in network.modules()]
    try:
        network.eval()
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def trace(network: nn.Module, forward: Forward, batch: Batch) -> Trace:
    """Run one forward without gradients and return all its calls, with copies of what they took and gave."""
    seen: Counter[str] = Counter()
    stack: list[Call] = []
    calls: dict[Call, Traced] = {}
    clock = 0

    def follow(name: str, original: Original) -> Original:
        @functools.wraps(original)
        def traced_forward(*args: Any, **kwargs: Any) -> Any:
            nonlocal clock
            call, parent, start = Call(name, seen[name]), (stack[-1] if stack else None), clock
            arguments = copied((args, kwargs))
            calls[call] = Traced(call, parent, start, -1, arguments, None)  # keeps the order of the starts
            seen[name] += 1
            clock += 1
            stack.append(call)
            try:
                output = original(*args, **kwargs)
            finally:
                stack.pop()
            calls[call] = Traced(call, parent, start, clock, arguments, copied(output))
            clock += 1
            return output

        return traced_forward

    names = [name for name, _ in network.named_modules()]
    with replaced(network, {name: functools.partial(follow, name) for name in names}), torch.no_grad():
        result = forward(network, batch).detach().clone()
    return Trace(calls, result)

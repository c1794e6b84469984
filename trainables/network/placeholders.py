"""What stands in for a module's output: containers and tensors of the right shape, full of NaN.

NaN and not zero: whatever a placeholder reaches becomes NaN, so that a missed dependency is loud.
Shapes are learnt from two batches of different size and length and written as names and numbers.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from trainables.network.nested import assemble, children

Pair = tuple[int, int]
Axes = Mapping[str, int]  # "input_ids:1" -> its size in a batch
Fill = Callable[[tuple[int, ...], torch.dtype, torch.device], torch.Tensor]


@dataclass(frozen=True)
class Size:
    """An axis: ``times * product(axes) // by + plus``; a constant is ``plus`` alone, with ``times`` 0."""

    plus: int
    axes: tuple[str, ...] = ()
    times: int = 0
    by: int = 1

    def at(self, axes: Axes) -> int:
        """Return the size in a batch whose axes are ``axes``."""
        product = self.times
        for axis in self.axes:
            product *= axes[axis]
        return product // self.by + self.plus


@dataclass(frozen=True)
class Blank:
    """A tensor of which only shape and type are known."""

    shape: tuple[Size, ...]
    dtype: str


@dataclass(frozen=True)
class Constant:
    """A leaf that is no tensor and the same in every batch."""

    value: bool | int | float | str | None


@dataclass(frozen=True)
class Container:
    """A tuple, list, dict or ``module:Class`` of transformers, and its entries."""

    kind: str
    keys: tuple[str, ...]
    entries: tuple[Template, ...]


Template = Container | Blank | Constant | Size


def template(first: Any, second: Any, axes: Mapping[str, Pair]) -> Template | None:
    """Return what the outputs of the same call in two batches have in common; None where that is unclear."""
    entries, others = children(first), children(second)
    if entries is not None:
        if others is None or type(first) is not type(second) or [k for k, _ in entries] != [k for k, _ in others]:
            return None
        found = tuple(template(one, two, axes) for (_, one), (_, two) in zip(entries, others, strict=True))
        known = tuple(entry for entry in found if entry is not None)
        keys = tuple(key for key, _ in entries)
        return Container(_kind(type(first)), keys, known) if len(known) == len(found) else None
    if isinstance(first, torch.Tensor):
        if not isinstance(second, torch.Tensor) or first.dim() != second.dim():
            return None
        sizes = [size((one, two), axes) for one, two in zip(first.shape, second.shape, strict=True)]
        shape = tuple(one for one in sizes if one is not None)
        return Blank(shape, str(first.dtype).removeprefix("torch.")) if len(shape) == len(sizes) else None
    if type(first) is not type(second) or not (first is None or isinstance(first, bool | int | float | str)):
        return None
    if first == second:
        return Constant(first)
    return size((first, second), axes) if isinstance(first, int) and isinstance(second, int) else None


def size(pair: Pair, axes: Mapping[str, Pair]) -> Size | None:
    """Return the rule behind an axis of two sizes: constant, an input's axis, its multiple, part, shift, a product."""
    if pair[0] == pair[1]:
        return Size(pair[0])
    return next(itertools.chain(_scaled(pair, axes), _shifted(pair, axes), _product(pair, axes)), None)


def _scaled(pair: Pair, axes: Mapping[str, Pair]) -> Iterator[Size]:
    for name, known in sorted(axes.items(), key=lambda item: item[1] != pair):  # equal ones first
        if all(known) and pair[0] * known[1] == pair[1] * known[0]:
            if pair[0] % known[0] == 0:
                yield Size(0, (name,), times=pair[0] // known[0])
            elif known[0] % pair[0] == 0:
                yield Size(0, (name,), times=1, by=known[0] // pair[0])


def _shifted(pair: Pair, axes: Mapping[str, Pair]) -> Iterator[Size]:
    for name, known in axes.items():
        if pair[0] - known[0] == pair[1] - known[1]:
            yield Size(pair[0] - known[0], (name,), times=1)


def _product(pair: Pair, axes: Mapping[str, Pair]) -> Iterator[Size]:
    for (one, first), (two, second) in itertools.combinations(axes.items(), 2):
        product = (first[0] * second[0], first[1] * second[1])
        if all(product) and pair[0] * product[1] == pair[1] * product[0] and pair[0] % product[0] == 0:
            yield Size(0, (one, two), times=pair[0] // product[0])


def stand_in(
    part: Template, axes: Axes, known: Mapping[str, torch.Tensor], fill: Fill, device: torch.device, path: str = ""
) -> Any:
    """Return the output that ``part`` describes: ``known`` tensors by path, ``fill`` for every other."""
    match part:
        case Constant(value=value):
            return value
        case Size():
            return part.at(axes)
        case Blank(shape=shape, dtype=dtype):
            if path in known:
                return known[path]
            return fill(tuple(axis.at(axes) for axis in shape), getattr(torch, dtype), device)
        case Container(kind=kind, keys=keys, entries=entries):
            inside = [
                (key, stand_in(entry, axes, known, fill, device, f"{path}.{key}" if path else key))
                for key, entry in zip(keys, entries, strict=True)
            ]
            return assemble(_class(kind), inside)


def nan(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return NaN in ``shape``, four bytes for all of it; zeros for integers, which know no NaN."""
    value = float("nan") if dtype.is_floating_point or dtype.is_complex else 0
    return torch.full((), value, dtype=dtype, device=device).expand(shape)


def dense_nan(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return NaN in ``shape`` that may be written in place."""
    return nan(shape, dtype, device).clone(memory_format=torch.contiguous_format)


def noise(seed: int) -> Fill:
    """Return a fill of large numbers of both signs: what must not matter, whatever a comparison makes of it."""

    def fill(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        if not (dtype.is_floating_point or dtype.is_complex):
            return dense_nan(shape, dtype, device)
        generator = torch.Generator().manual_seed(seed)
        sign = 1.0 if seed % 2 else -1.0
        return (100.0 * (torch.randn(shape, generator=generator) + sign)).to(dtype=dtype, device=device)

    return fill


def _kind(container: type) -> str:
    for plain in (list, dict):
        if container is plain:
            return plain.__name__
    if issubclass(container, tuple) and not hasattr(container, "_fields"):
        return "tuple"
    return f"{container.__module__}:{container.__qualname__}"


def _class(kind: str) -> type:
    module, _, name = kind.rpartition(":")
    found: type = (
        getattr(importlib.import_module(module), name) if module else {"tuple": tuple, "list": list}.get(kind, dict)
    )
    return found

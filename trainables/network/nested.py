"""Nested arguments and outputs of modules: walk over their leaves, rebuild them with others. Knows no network.

A leaf's path is the keys that lead to it, joined by dots: ``0``, ``1.hidden_states``, empty for a bare tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch


def children(value: Any) -> list[tuple[str, Any]] | None:
    """Return the entries of a tuple, list or mapping (transformers' outputs included); None for a leaf."""
    if isinstance(value, tuple | list):
        return [(str(position), entry) for position, entry in enumerate(value)]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return list(value.items())
    return None


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (path, leaf) in order."""
    entries = children(value)
    if entries is None:
        yield path, value
        return
    for key, entry in entries:
        yield from leaves(entry, f"{path}.{key}" if path else key)


def tensors(value: Any) -> dict[str, torch.Tensor]:
    """Return the tensors among the leaves, by path."""
    return {path: leaf for path, leaf in leaves(value) if isinstance(leaf, torch.Tensor)}


def rebuild(value: Any, change: Callable[[str, Any], Any], path: str = "") -> Any:
    """Return ``value`` with every leaf replaced by ``change(path, leaf)``; parts without a change stay the same object.

    A list that the network goes on appending to therefore stays its list unless a leaf of it is replaced.
    """
    entries = children(value)
    if entries is None:
        return change(path, value)
    changed = [(key, rebuild(entry, change, f"{path}.{key}" if path else key)) for key, entry in entries]
    if all(new is old for (_, new), (_, old) in zip(changed, entries, strict=True)):
        return value
    return assemble(type(value), changed)


def assemble(kind: type, entries: list[tuple[str, Any]]) -> Any:
    """Return a container of class ``kind`` that holds ``entries``."""
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return kind(*(entry for _, entry in entries))
    if issubclass(kind, tuple | list):
        return kind(entry for _, entry in entries)
    if kind is dict:
        return dict(entries)
    return kind(**dict(entries))  # transformers' outputs are dataclasses


def copied(value: Any) -> Any:
    """Return ``value`` with its tensors cloned: a later operation in place would change them."""
    return rebuild(value, lambda _, leaf: leaf.detach().clone() if isinstance(leaf, torch.Tensor) else leaf)

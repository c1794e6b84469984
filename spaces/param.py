"""A dimension of the space: its name, its domain, and the condition under which it is drawn."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from spaces.domain import Domain, Value, as_json


@dataclass(frozen=True)
class When:
    """Drawn only where the earlier dimension ``name`` is one of ``among``."""

    name: str
    among: tuple[Value, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The dimensions that decide."""
        return (self.name,)

    def holds(self, point: Mapping[str, Value]) -> bool:
        """Tell whether the condition is met by ``point`` so far."""
        return point.get(self.name) in self.among


@dataclass(frozen=True)
class Unless:
    """Drawn but where the earlier dimensions have all of these values."""

    values: tuple[tuple[str, Value], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The dimensions that decide."""
        return tuple(name for name, _ in self.values)

    def holds(self, point: Mapping[str, Value]) -> bool:
        """Tell whether the condition is met by ``point`` so far."""
        return any(point.get(name) != value for name, value in self.values)


Condition = When | Unless


@dataclass(frozen=True)
class Param:
    """One dimension. One name has one domain in a study, whatever its conditions."""

    name: str
    domain: Domain
    when: tuple[Condition, ...] = ()

    def active(self, point: Mapping[str, Value]) -> bool:
        """Tell whether this dimension is drawn at ``point``, which holds the earlier ones."""
        return all(condition.holds(point) for condition in self.when)


@dataclass(frozen=True)
class Space:
    """The searched dimensions in drawing order, the values of the others, and the block count."""

    params: tuple[Param, ...]
    fixed: Mapping[str, Value]
    blocks: int

    def __iter__(self) -> Iterator[Param]:
        """Walk the dimensions in drawing order."""
        return iter(self.params)

    def __getitem__(self, name: str) -> Param:
        """Return the dimension called ``name``."""
        return next(param for param in self.params if param.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """The searched dimensions, in drawing order."""
        return tuple(param.name for param in self.params)

    @property
    def hash(self) -> str:
        """A short name of the space: two studies with the same hash draw from the same space."""
        params = [
            {"name": p.name, "domain": as_json(p.domain), "when": [list(asdict(each).values()) for each in p.when]}
            for p in self.params
        ]
        text = json.dumps({"params": params, "fixed": dict(self.fixed), "blocks": self.blocks}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

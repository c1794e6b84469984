"""The textbook rule: data size x similarity to the pretraining data -> quadrant -> strategies. A literal table.

The rule advises and orders; it never excludes a strategy. What it is decided from is measured elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from spaces.check import outside
from spaces.domain import Domain, Value, nearest
from spaces.errors import Problem
from spaces.param import Space
from spaces.strategy import Strategy, from_point

Size = Literal["small", "large"]
Similarity = Literal["similar", "dissimilar"]
Quadrant = tuple[Size, Similarity]

# The textbooks say small and large without a number. A hundred samples a class is where ImageNet-style
# transfer benchmarks put "few", and below a thousand in all a network of millions of weights only memorises.
SMALL_PER_CLASS = 100
SMALL_IN_ALL = 1000
# Of what a random network of the same shape leaves open, pretraining must supply a quarter: less is within
# what any image or text statistics give, and retraining the backbone then has more to offer than keeping it.
SIMILAR_GAIN = 0.25


@dataclass(frozen=True)
class Estimate:
    """A measured value with its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Share:
    """A depth as a share of the network's blocks."""

    of_blocks: float

    def depth(self, blocks: int) -> int:
        """Return the depth on a network of ``blocks`` blocks: rounded up, at least 1."""
        return max(1, math.ceil(self.of_blocks * blocks))


@dataclass(frozen=True)
class Near:
    """A number, or the one that the space lists within a tenth of it: its lists differ between images and texts."""

    value: float

    def among(self, domain: Domain | None) -> float:
        """Return the number for a dimension with ``domain``, or with none if it is not searched."""
        near = self.value if domain is None else float(nearest(domain, self.value))
        return near if abs(near - self.value) <= 0.1 * self.value else self.value


Row = Mapping[str, Value | Share | Near]

# What a row leaves out has the dimension's default. The first row of a quadrant is the rule's own choice.
QUADRANTS: Mapping[Quadrant, tuple[Row, ...]] = {
    ("small", "similar"): (
        {"freezing": "probe", "head_lr": 1e-2},
        {"freezing": "lp_ft", "unfrozen_depth": 1, "lr_ratio": 0.01},
        {"freezing": "top", "unfrozen_depth": 1, "lr_ratio": 0.1},
    ),
    ("large", "similar"): (
        {"freezing": "top", "unfrozen_depth": Share(0.75), "lr_ratio": 0.1},
        {"freezing": "full", "lr_ratio": 0.1, "layer_decay": Near(0.75)},
        {"freezing": "full", "lr_ratio": 0.3},
    ),
    ("small", "dissimilar"): (
        {"freezing": "top", "unfrozen_depth": Share(0.5), "lr_ratio": 0.3, "reinit": "top", "reinit_blocks": 1},
        {"freezing": "window", "window_start": 1, "window_length": 1},
        {"freezing": "gradual", "unfrozen_depth": Share(0.5)},
    ),
    ("large", "dissimilar"): (
        {"freezing": "full", "lr_ratio": 1.0, "reinit": "all"},
        {"freezing": "full", "lr_ratio": 1.0},
        {"freezing": "full", "reinit": "top", "reinit_blocks": 2},
    ),
}


@dataclass(frozen=True)
class RulePoint:
    """One row of the table on the network at hand, and why the space does not hold it, if so."""

    quadrant: Quadrant
    strategy: Strategy
    problems: tuple[Problem, ...] = ()


def size(samples: int, classes: int) -> Size:
    """Return whether ``samples`` labelled training samples of ``classes`` classes are few."""
    return "small" if samples < SMALL_IN_ALL or samples / classes < SMALL_PER_CLASS else "large"


def similarities(gain: Estimate | None, lead: Estimate | None) -> tuple[Similarity, ...]:
    """Return the similarity, or both with the likelier first where the interval straddles the cut-off.

    Args:
        gain: The transfer gain; None where it could not be measured.
        lead: How far the best intermediate boundary is ahead of the last one. Only a clear lead counts: the
            best of many is ahead of the last by chance alone.
    """
    if lead is not None and lead.low > 0:
        return ("dissimilar",)
    if gain is None:
        return ("similar", "dissimilar")
    likelier: Similarity = "similar" if gain.mean >= SIMILAR_GAIN else "dissimilar"
    if gain.low < SIMILAR_GAIN <= gain.high:
        return (likelier, "dissimilar" if likelier == "similar" else "similar")
    return (likelier,)


def points(quadrant: Quadrant, space: Space) -> tuple[RulePoint, ...]:
    """Return the quadrant's strategies on the network of ``space``, those outside the space included."""
    return tuple(_point(quadrant, row, space) for row in QUADRANTS[quadrant])


def advice(measured: Sequence[Quadrant], space: Space) -> tuple[RulePoint, ...]:
    """Return the points in the order in which they are tried: the measured quadrants', then each other's first."""
    first = [point for quadrant in measured for point in points(quadrant, space)]
    others = [points(quadrant, space)[0] for quadrant in QUADRANTS if quadrant not in measured]
    return (*first, *others)


def enqueued(advised: Sequence[RulePoint], taken: Sequence[str]) -> tuple[RulePoint, ...]:
    """Return which points are tried: inside the space, no key twice nor one of those ``taken``."""
    chosen: dict[str, RulePoint] = {}
    for point in advised:
        if not point.problems and point.strategy.key not in taken:
            chosen.setdefault(point.strategy.key, point)
    return tuple(chosen.values())


def _point(quadrant: Quadrant, row: Row, space: Space) -> RulePoint:
    named = {name: _on(space, name, value) for name, value in row.items()}
    # Of what the rule does not speak, it takes what the space has to offer: the default, or what is nearest to it.
    given = dict(space.fixed) | {param.name: nearest(param.domain, space.fixed[param.name]) for param in space}
    strategy = from_point(given | named).canonical(space.blocks)
    return RulePoint(quadrant, strategy, tuple(outside(space, strategy)))


def _on(space: Space, name: str, value: Value | Share | Near) -> Value:
    match value:
        case Share():
            return value.depth(space.blocks)
        case Near():
            return value.among(space[name].domain if name in space.names else None)
    return value

"""One point of the space: what trains, how fast, and what starts anew. Pure data, no tensors."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from typing import assert_never

from spaces.domain import Value
from spaces.errors import BadInput

Point = dict[str, Value]


@dataclass(frozen=True)
class Probe:
    """Only the head trains."""


@dataclass(frozen=True)
class Top:
    """The last ``depth`` blocks train, and the head."""

    depth: int


@dataclass(frozen=True)
class Full:
    """Everything trains, the stem included."""


Freezing = Probe | Top | Full


@dataclass(frozen=True)
class Keep:
    """Every pretrained value is kept."""


@dataclass(frozen=True)
class ReinitTop:
    """The last ``blocks`` trainable blocks start from random values (Zhang et al. 2021, section 4)."""

    blocks: int = 1


@dataclass(frozen=True)
class ReinitAll:
    """The whole network starts from random values: training from scratch."""


Reinit = Keep | ReinitTop | ReinitAll


@dataclass(frozen=True)
class Strategy:
    """How to fine-tune.

    The learning rate of block i is ``head_lr * lr_ratio * layer_decay ** distance from the top``.
    """

    freezing: Freezing
    head_lr: float
    lr_ratio: float = 0.1
    layer_decay: float = 1.0
    reinit: Reinit = Keep()
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values that no network could use."""
        if not 0 < self.head_lr < math.inf:
            raise BadInput.at("head_lr", f"must be finite and above 0, got {self.head_lr}")
        if not 0 <= self.lr_ratio < math.inf:
            raise BadInput.at("lr_ratio", f"must be finite and 0 or more, got {self.lr_ratio}")
        if not 0 < self.layer_decay <= 1:
            raise BadInput.at("layer_decay", f"must be above 0 and at most 1, got {self.layer_decay}")
        if not 0 <= self.weight_decay < math.inf:
            raise BadInput.at("weight_decay", f"must be finite and 0 or more, got {self.weight_decay}")
        if isinstance(self.freezing, Top) and self.freezing.depth < 1:
            raise BadInput.at("unfrozen_depth", f"must be 1 or more, got {self.freezing.depth}")
        if isinstance(self.reinit, ReinitTop) and self.reinit.blocks < 1:
            raise BadInput.at("reinit_blocks", f"must be 1 or more, got {self.reinit.blocks}")

    def canonical(self, blocks: int) -> Strategy:
        """Return the one form that every equivalent strategy shares on a network of ``blocks`` blocks.

        A probe ignores the backbone's fields, the top of everything is full, and what the
        architecture does not allow is clamped.
        """
        match self.freezing:
            case Probe():
                return Strategy(Probe(), self.head_lr, weight_decay=self.weight_decay)
            case Top(depth=depth) if depth < blocks:
                return replace(self, reinit=_clamped(self.reinit, depth))
            case Top() | Full():
                scratch = isinstance(self.reinit, ReinitAll)
                reinit = self.reinit if scratch else _clamped(self.reinit, blocks)
                return replace(self, freezing=Full(), reinit=reinit)
            case _:
                assert_never(self.freezing)

    @property
    def key(self) -> str:
        """A short name that equal strategies share; take it from the canonical form."""
        text = json.dumps(to_point(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def __str__(self) -> str:
        """Return the strategy in words, as the leaderboard shows it."""
        match self.freezing:
            case Probe():
                return f"probe, head LR {self.head_lr:g}"
            case Top(depth=depth):
                what = f"top {depth}"
            case Full():
                what = "from scratch" if isinstance(self.reinit, ReinitAll) else "full"
        words = [what, f"head LR {self.head_lr:g}", f"backbone LR x{self.lr_ratio:g}"]
        if self.layer_decay != 1:
            words.append(f"layer decay {self.layer_decay:g}")
        if isinstance(self.reinit, ReinitTop):
            words.append(f"top {self.reinit.blocks} re-initialised")
        return ", ".join(words)


def _clamped(reinit: Reinit, depth: int) -> Reinit:
    """Return ``reinit`` as far as ``depth`` trainable blocks allow it; `all` belongs to full alone."""
    match reinit:
        case Keep() | ReinitAll():
            return Keep()
        case ReinitTop(blocks=blocks):
            return ReinitTop(min(blocks, depth))


def to_point(strategy: Strategy) -> Point:
    """Return the strategy as dimension -> value, without the dimensions that do not apply."""
    point: Point = {"head_lr": strategy.head_lr, "weight_decay": strategy.weight_decay}
    match strategy.freezing:
        case Probe():
            return {"freezing": "probe"} | point
        case Top(depth=depth):
            point |= {"freezing": "top", "unfrozen_depth": depth}
        case Full():
            point |= {"freezing": "full"}
    point |= {"lr_ratio": strategy.lr_ratio, "layer_decay": strategy.layer_decay}
    match strategy.reinit:
        case Keep():
            return point | {"reinit": "none"}
        case ReinitTop(blocks=blocks):
            return point | {"reinit": "top", "reinit_blocks": blocks}
        case ReinitAll():
            return point | {"reinit": "all"}


def from_point(point: Point) -> Strategy:
    """Read a strategy from dimension -> value; the inverse of `to_point`.

    Raises:
        BadInput: a dimension is missing, or its value has no meaning.
    """
    fields = {
        name: float(point[name]) for name in ("head_lr", "lr_ratio", "layer_decay", "weight_decay") if name in point
    }
    if "head_lr" not in fields:
        raise BadInput.at("head_lr", "is missing from the point")
    return Strategy(freezing=_freezing(point), reinit=_reinit(point), **fields)


def _freezing(point: Point) -> Freezing:
    match point.get("freezing"):
        case "probe":
            return Probe()
        case "top" if "unfrozen_depth" in point:
            return Top(int(point["unfrozen_depth"]))
        case "top":
            raise BadInput.at("unfrozen_depth", "is missing: freezing top needs it")
        case "full":
            return Full()
        case other:
            raise BadInput.at("freezing", f"must be one of {', '.join(FREEZING_KINDS)}, got {other!r}")


def _reinit(point: Point) -> Reinit:
    match point.get("reinit", "none"):
        case "none":
            return Keep()
        case "top":
            return ReinitTop(int(point.get("reinit_blocks", 1)))
        case "all":
            return ReinitAll()
        case other:
            raise BadInput.at("reinit", f"must be one of {', '.join(REINIT_KINDS)}, got {other!r}")


FREEZING_KINDS = {
    "probe": "only the head trains",
    "top": "the last unfrozen_depth blocks and the head train",
    "full": "everything trains",
}
REINIT_KINDS = {
    "none": "every pretrained value is kept",
    "top": "the last reinit_blocks trainable blocks start from random values",
    "all": "the whole network starts from random values (full only)",
}

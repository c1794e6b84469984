"""One point of the space: what trains, how fast, and what starts anew. Pure data, no tensors."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from typing import assert_never

from spaces.domain import Value
from spaces.errors import BadInput
from spaces.freezing import (
    Freezing,
    Full,
    Gradual,
    Keep,
    LpFt,
    NormBias,
    Probe,
    Reinit,
    ReinitAll,
    ReinitTop,
    Top,
    Window,
    check_freezing,
    in_words,
)

__all__ = [
    "FREEZING_KINDS",
    "REINIT_KINDS",
    "Freezing",
    "Full",
    "Gradual",
    "Keep",
    "LpFt",
    "NormBias",
    "Point",
    "Probe",
    "Reinit",
    "ReinitAll",
    "ReinitTop",
    "Strategy",
    "Top",
    "Window",
    "from_point",
    "to_point",
]

Point = dict[str, Value]
KEEP = Keep()
NUMBERS = ("head_lr", "lr_ratio", "layer_decay", "weight_decay", "l2_sp", "label_smoothing")


@dataclass(frozen=True)
class Strategy:
    """How to fine-tune.

    The learning rate of block i is ``head_lr * lr_ratio * layer_decay ** distance from the top``.
    """

    freezing: Freezing
    head_lr: float
    lr_ratio: float = 0.1
    layer_decay: float = 1.0
    reinit: Reinit = KEEP
    weight_decay: float = 0.0
    l2_sp: float = 0.0  # pull towards the pretrained values (Li et al. 2018)
    label_smoothing: float = 0.0  # share of the target spread over all classes (Szegedy et al. 2016)
    batch_size: int = 32

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
        if not 0 <= self.l2_sp < math.inf:
            raise BadInput.at("l2_sp", f"must be finite and 0 or more, got {self.l2_sp}")
        if not 0 <= self.label_smoothing < 1:
            raise BadInput.at("label_smoothing", f"must be 0 or more and below 1, got {self.label_smoothing}")
        if self.batch_size < 1:
            raise BadInput.at("batch_size", f"must be 1 or more, got {self.batch_size}")
        check_freezing(self.freezing)
        if isinstance(self.reinit, ReinitTop) and self.reinit.blocks < 1:
            raise BadInput.at("reinit_blocks", f"must be 1 or more, got {self.reinit.blocks}")

    def canonical(self, blocks: int) -> Strategy:
        """Return the one form that every equivalent strategy shares on a network of ``blocks`` blocks.

        A probe ignores the backbone's fields, the top of everything is full, a window at the top is
        top, and what the architecture does not allow is clamped.
        """
        match self.freezing:
            case Probe():
                probe = Strategy(Probe(), self.head_lr, weight_decay=self.weight_decay)
                return replace(probe, label_smoothing=self.label_smoothing, batch_size=self.batch_size)
            case Top(depth=depth) if depth < blocks:
                return replace(self, reinit=_clamped(self.reinit, depth))
            case Top() | Full():
                if isinstance(self.reinit, ReinitAll):  # nothing pretrained is left to be pulled towards
                    return replace(self, freezing=Full(), l2_sp=0.0)
                return replace(self, freezing=Full(), reinit=_clamped(self.reinit, blocks))
            case Window(start=start, length=length):
                first = min(start, blocks)
                length = min(length, blocks - first + 1)
                at_the_top = first > 1 and first + length - 1 == blocks
                freezing = Top(length) if at_the_top else Window(first, length)
                return replace(self, freezing=freezing, reinit=_clamped(self.reinit, length))
            case Gradual(depth=depth) | LpFt(depth=depth):
                kept = replace(self.freezing, depth=min(depth, blocks))
                return replace(self, freezing=kept, reinit=_clamped(self.reinit, kept.depth))
            case NormBias():
                return replace(self, reinit=Keep())
            case _:
                assert_never(self.freezing)

    @property
    def key(self) -> str:
        """A short name that equal strategies share; take it from the canonical form."""
        text = json.dumps(to_point(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def __str__(self) -> str:
        """Return the strategy in words, as the leaderboard shows it."""
        scratch = isinstance(self.reinit, ReinitAll)
        words = ["from scratch" if scratch else in_words(self.freezing), f"head LR {self.head_lr:g}"]
        if not isinstance(self.freezing, Probe):
            words.append(f"backbone LR x{self.lr_ratio:g}")
            if self.layer_decay != 1:
                words.append(f"layer decay {self.layer_decay:g}")
            if isinstance(self.reinit, ReinitTop):
                words.append(f"top {self.reinit.blocks} re-initialised")
            if self.l2_sp:
                words.append(f"L2-SP {self.l2_sp:g}")
        if self.label_smoothing:
            words.append(f"label smoothing {self.label_smoothing:g}")
        if self.batch_size != Strategy.batch_size:
            words.append(f"batches of {self.batch_size}")
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
    point = _freezing_point(strategy.freezing)
    point |= {"head_lr": strategy.head_lr, "weight_decay": strategy.weight_decay}
    point |= {"label_smoothing": strategy.label_smoothing, "batch_size": strategy.batch_size}
    if isinstance(strategy.freezing, Probe):
        return point
    point |= {"lr_ratio": strategy.lr_ratio, "layer_decay": strategy.layer_decay}
    if not isinstance(strategy.reinit, ReinitAll):
        point |= {"l2_sp": strategy.l2_sp}
    if isinstance(strategy.freezing, NormBias):
        return point
    match strategy.reinit:
        case Keep():
            return point | {"reinit": "none"}
        case ReinitTop(blocks=blocks):
            return point | {"reinit": "top", "reinit_blocks": blocks}
        case ReinitAll():
            return point | {"reinit": "all"}


def _freezing_point(freezing: Freezing) -> Point:
    match freezing:
        case Probe():
            return {"freezing": "probe"}
        case Top(depth=depth):
            return {"freezing": "top", "unfrozen_depth": depth}
        case Window(start=start, length=length):
            return {"freezing": "window", "window_start": start, "window_length": length}
        case Full():
            return {"freezing": "full"}
        case Gradual(depth=depth, probe_share=share):
            return {"freezing": "gradual", "unfrozen_depth": depth, "probe_share": share}
        case LpFt(depth=depth, probe_share=share):
            return {"freezing": "lp_ft", "unfrozen_depth": depth, "probe_share": share}
        case NormBias():
            return {"freezing": "norm_bias"}
        case _:
            assert_never(freezing)


def from_point(point: Point) -> Strategy:
    """Read a strategy from dimension -> value; the inverse of `to_point`.

    Raises:
        BadInput: a dimension is missing, or its value has no meaning.
    """
    numbers = {name: float(point[name]) for name in NUMBERS if name in point}
    if "head_lr" not in numbers:
        raise BadInput.at("head_lr", "is missing from the point")
    batch_size = int(point.get("batch_size", Strategy.batch_size))
    return Strategy(freezing=_freezing(point), reinit=_reinit(point), batch_size=batch_size, **numbers)


def _freezing(point: Point) -> Freezing:
    match point.get("freezing"):
        case "probe":
            return Probe()
        case "top":
            return Top(int(_needed(point, "unfrozen_depth")))
        case "window":
            return Window(int(point.get("window_start", 1)), int(point.get("window_length", 1)))
        case "full":
            return Full()
        case "gradual":
            return Gradual(int(_needed(point, "unfrozen_depth")), float(point.get("probe_share", 0.25)))
        case "lp_ft":
            return LpFt(int(_needed(point, "unfrozen_depth")), float(point.get("probe_share", 0.25)))
        case "norm_bias":
            return NormBias()
        case other:
            raise BadInput.at("freezing", f"must be one of {', '.join(FREEZING_KINDS)}, got {other!r}")


def _needed(point: Point, name: str) -> Value:
    if name not in point:
        raise BadInput.at(name, f"is missing: freezing {point['freezing']} needs it")
    return point[name]


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
    "window": "window_length neighbouring blocks from window_start on and the head train",
    "full": "everything trains",
    "gradual": "the head trains for probe_share of the epochs, then block after block joins from the top",
    "lp_ft": "the head trains for probe_share of the epochs, then the last unfrozen_depth blocks join at once",
    "norm_bias": "normalisation and bias parameters of every block and the head train",
}
REINIT_KINDS = {
    "none": "every pretrained value is kept",
    "top": "the last reinit_blocks trainable blocks start from random values",
    "all": "the whole network starts from random values (full only)",
}

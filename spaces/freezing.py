"""What trains when, and what starts anew: the kinds of freezing and of re-initialisation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import assert_never

from spaces.errors import BadInput


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


@dataclass(frozen=True)
class Window:
    """``length`` neighbouring blocks train, from block ``start`` on (1 is next to the stem), and the head.

    The stem and the other blocks stay frozen (surgical fine-tuning: Lee et al. 2023).
    """

    start: int
    length: int = 1


@dataclass(frozen=True)
class Gradual:
    """The head trains alone, then block after block joins from the top, down to ``depth`` (Howard & Ruder 2018)."""

    depth: int
    probe_share: float = 0.25  # of the epochs


@dataclass(frozen=True)
class LpFt:
    """The head trains alone, then the last ``depth`` blocks join at once (Kumar et al. 2022)."""

    depth: int
    probe_share: float = 0.25  # of the epochs


@dataclass(frozen=True)
class NormBias:
    """The normalisation and bias parameters of the whole backbone train, and the head."""


Freezing = Probe | Top | Window | Full | Gradual | LpFt | NormBias


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


def probe_epochs(share: float, epochs: int) -> int:
    """Return for how many epochs the head trains alone; at least one epoch is left for the rest."""
    return min(math.ceil(share * epochs), epochs - 1)


def check_freezing(freezing: Freezing) -> None:
    """Refuse sizes that no network has."""
    match freezing:
        case Top(depth=depth) | Gradual(depth=depth) | LpFt(depth=depth) if depth < 1:
            raise BadInput.at("unfrozen_depth", f"must be 1 or more, got {depth}")
        case Window(start=start, length=length) if start < 1 or length < 1:
            raise BadInput.at("window_start, window_length", f"must be 1 or more, got {start}, {length}")
        case Gradual(probe_share=share) | LpFt(probe_share=share) if not 0 < share < 1:
            raise BadInput.at("probe_share", f"must lie between 0 and 1, got {share}")


def in_words(freezing: Freezing) -> str:
    """Return the freezing as the leaderboard shows it."""
    match freezing:
        case Probe():
            return "probe"
        case Top(depth=depth):
            return f"top {depth}"
        case Window(start=start, length=length):
            return f"block {start} alone" if length == 1 else f"blocks {start} to {start + length - 1}"
        case Full():
            return "full"
        case Gradual(depth=depth, probe_share=share):
            return f"gradual to {depth} after {share:.0%} probe"
        case LpFt(depth=depth, probe_share=share):
            return f"LP-FT {depth} after {share:.0%} probe"
        case NormBias():
            return "norms and biases"
        case _:
            assert_never(freezing)

"""How kinds of strategies look: colour, marker shape and name; and every colour of the report, light and dark.

The colours are those of Okabe and Ito (2008), which people tell apart whatever they see of red and green.
Where one of them is too pale on its background, the marker's outline is a darker or lighter shade of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from spaces.strata import SCRATCH


@dataclass(frozen=True)
class Look:
    """How one kind is drawn: its fill, its outline on light and on dark ground, its shape, its name."""

    fill: str
    on_light: str
    on_dark: str
    shape: str
    words: str


KINDS: Mapping[str, Look] = {
    "probe": Look("#56B4E9", "#1F78B0", "#56B4E9", "circle", "probe"),
    "norm_bias": Look("#CC79A7", "#A6447B", "#DE9DC1", "plus", "norms and biases"),
    "top": Look("#0072B2", "#005A8E", "#4FA8DC", "square", "top"),
    "window": Look("#E69F00", "#9A6A00", "#E69F00", "diamond", "window"),
    "full": Look("#D55E00", "#A84A00", "#EE7F2B", "triangle", "full"),
    "gradual": Look("#009E73", "#00704F", "#2BC79B", "triangle-down", "gradual"),
    "lp_ft": Look("#F0E442", "#7A7200", "#F0E442", "star", "LP-FT"),
    SCRATCH: Look("#7F7F7F", "#545454", "#B4B4B4", "cross", "from scratch"),
}
# Not a kind of strategy: what stands for itself in a figure.
PLAIN = {"plain": Look("#0072B2", "#005A8E", "#4FA8DC", "circle", "")}
LOOKS = {**KINDS, **PLAIN}

LIGHT = {
    **{"ground": "#ffffff", "raised": "#f6f7f9", "text": "#1b1f24", "muted": "#57606a", "rule": "#d5dae0"},
    **{"link": "#005a8e", "good": "#00694a", "warn": "#8a5a00", "bad": "#b02a0c", "mark": "#e8f1f8"},
    **{"faint": "#aab2bb"},
    **{name: look.fill for name, look in LOOKS.items()},
    **{f"{name}-line": look.on_light for name, look in LOOKS.items()},
}
DARK = LIGHT | {
    **{"ground": "#14181d", "raised": "#1c2229", "text": "#e7ebef", "muted": "#a3adb8", "rule": "#38414b"},
    **{"link": "#7cc0ec", "good": "#4fd0a5", "warn": "#f0b64a", "bad": "#ff8a66", "mark": "#1d3242"},
    **{"faint": "#59646f"},
    **{f"{name}-line": look.on_dark for name, look in LOOKS.items()},
}


def family(row: Mapping[Any, Any]) -> str:
    """Return the kind a trial or a strategy is drawn and compared as: its freezing, or from scratch."""
    return SCRATCH if row["reinit"] == "all" else str(row["freezing"])


def families(frame: pd.DataFrame) -> pd.Series[str]:
    """Return `family` for every row."""
    return frame["freezing"].astype("str").mask(frame["reinit"] == "all", SCRATCH)


def depths(frame: pd.DataFrame, blocks: int) -> pd.Series[float]:
    """Return how many blocks of ``blocks`` ever train; norms and biases belong to all of them."""
    everything = frame["freezing"].isin(["full", "norm_bias"])
    trained = frame["unfrozen_depth"].astype("Float64").fillna(frame["window_length"].astype("Float64")).fillna(0)
    return trained.mask(everything, blocks).astype("float64")


def figure_css(colours: Mapping[str, str]) -> str:
    """Return the rules that figures are drawn with; ``colours`` are values, or references to a page's variables."""
    kinds = "".join(
        f".k-{name}{{fill:{colours[name]};stroke:{colours[f'{name}-line']}}}"
        f".l-{name}{{fill:none;stroke:{colours[f'{name}-line']}}}"
        for name in LOOKS
    )
    return (
        f"svg.figure text{{font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:{colours['text']}}}"
        f"svg.figure .quiet{{fill:{colours['muted']}}}"
        f"svg.figure .grid{{stroke:{colours['rule']};stroke-width:1;fill:none}}"
        f"svg.figure .axis{{stroke:{colours['muted']};stroke-width:1;fill:none}}"
        f"svg.figure .whisker{{stroke:{colours['text']};stroke-width:1.6;fill:none}}"
        f"svg.figure .faint{{stroke:{colours['faint']};stroke-width:1;fill:none;stroke-opacity:.55}}"
        f"svg.figure .marks{{stroke-width:1.2;fill-opacity:.85}}"
        f"svg.figure .hollow{{fill-opacity:0;pointer-events:all}}"
        f"svg.figure .lines{{stroke-width:1.8;stroke-linejoin:round}}"
        f"svg.figure .dim{{opacity:.45}}"
        f"svg.figure .on{{fill:#fff}}"
        f"svg.figure .name{{paint-order:stroke;stroke:{colours['ground']};stroke-width:3px}}"
        f"{kinds}svg.figure .cell{{stroke:none}}"
    )

"""Whether a winner lies at the edge of what was searched, where a wider space might hold a better one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from spaces.domain import Choice, Domain, Float, Int, extremes
from spaces.param import Space

COLUMNS = ("dimension", "value", "low", "high", "border", "can_widen")
NEAR = 0.05  # of the range, on its own scale
# Beyond these there is nothing: `None` is the network's number of blocks.
ENDS: Mapping[str, tuple[float | None, float | None]] = {
    "unfrozen_depth": (1, None),
    "window_start": (1, None),
    "window_length": (1, None),
    "reinit_blocks": (1, None),
    "layer_decay": (0, 1),
    "lr_ratio": (0, math.inf),
    "weight_decay": (0, math.inf),
    "l2_sp": (0, math.inf),
    "label_smoothing": (0, 1),
    "batch_size": (1, math.inf),
    "probe_share": (0, 1),
    "head_lr": (0, math.inf),
}


def borders(point: Mapping[str, Any], space: Space) -> pd.DataFrame:
    """Return every searched dimension of numbers that ``point`` has, with where its value lies.

    Columns: dimension, value, low, high; border, ``low`` or ``high`` where the value lies within 5 % of an end,
    else empty; can_widen, whether the space could reach further on that side.
    """
    rows = []
    for param in space:
        value = point.get(param.name)
        if value is None or isinstance(value, str) or not _of_numbers(param.domain):
            continue
        low, high = extremes(param.domain)
        side = _side(float(value), param.domain)
        least, most = ENDS[param.name]
        end = {"low": least, "high": most}.get(side)
        limit = space.blocks if end is None else end
        reached = {"low": low <= limit, "high": high >= limit}.get(side, True)
        rows.append((param.name, float(value), low, high, side, not reached))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _of_numbers(domain: Domain) -> bool:
    return not (isinstance(domain, Choice) and (len(domain.values) < 2 or isinstance(domain.values[0], str)))


def _side(value: float, domain: Domain) -> str:
    low, high = extremes(domain)
    match domain:
        case Float(log=log):
            at, start, end = (math.log(x) if log else x for x in (value, low, high))
            near = NEAR * (end - start)
        case Int() | Choice():
            at, start, end, near = value, low, high, 0.0
    if start == end:
        return ""
    return "low" if at <= start + near else "high" if at >= end - near else ""

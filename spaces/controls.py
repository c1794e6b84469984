"""The controls: what a user would have done without a search, each at the default learning rate."""

from __future__ import annotations

from collections.abc import Mapping

from spaces.domain import Value
from spaces.strategy import Full, Probe, ReinitAll, Strategy


def controls(defaults: Mapping[str, Value]) -> dict[str, Strategy]:
    """Return the three baselines by name; ``defaults`` are those of `spaces.presets.defaults`."""
    head_lr, weight_decay = float(defaults["head_lr"]), float(defaults["weight_decay"])
    return {
        "probe": Strategy(Probe(), head_lr, weight_decay=weight_decay),
        "full": Strategy(Full(), head_lr, lr_ratio=0.1, weight_decay=weight_decay),
        # Nothing pretrained is left to protect: one rate for all.
        "scratch": Strategy(Full(), head_lr, lr_ratio=1.0, reinit=ReinitAll(), weight_decay=weight_decay),
    }

"""The families within which trials compete for early stopping: like with like."""

from __future__ import annotations

from spaces.strategy import ReinitAll, Strategy, to_point

# A slow starter judged against quick ones is stopped before it shows what it can do.
STRATUM_OF_FREEZING = {
    "probe": "head",
    "top": "direct",
    "window": "direct",
    "full": "direct",
    "gradual": "delayed",
    "lp_ft": "delayed",
    "norm_bias": "head",
}
SCRATCH = "scratch"
STRATA = ("head", "direct", "delayed", SCRATCH)


def stratum(strategy: Strategy) -> str:
    """Return the stratum in which ``strategy`` competes."""
    if isinstance(strategy.reinit, ReinitAll):
        return SCRATCH
    return STRATUM_OF_FREEZING[str(to_point(strategy)["freezing"])]

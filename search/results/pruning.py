"""What early stopping did: who came how far, and whether the order at a rung was that at the end."""

from __future__ import annotations

import pandas as pd

from search.clock import TIME_WAS_UP
from search.rungs import Rungs
from spaces.strata import STRATA

FUNNEL = ("stratum", "epoch", "reached", "stopped")
TOGETHER = "all"  # the one race in which every stratum runs, where there are no strata
AGREEMENT = ("stratum", "epoch", "reached", "n", "correlation", "rank_of_best")


def searched(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the search trials that trained."""
    return trials[(trials["stage"] == "search") & (trials["state"] != "reused")]


def funnel(trials: pd.DataFrame, epochs: pd.DataFrame, rungs: Rungs | None, *, apart: bool = True) -> pd.DataFrame:
    """Return for every rung, and for the last epoch, how many trials came to it and how many it stopped.

    Columns: stratum, epoch, reached, stopped. Trials that the clock stopped are not among the stopped. Where the
    strata do not run ``apart``, as with Ray's ASHA, all trials are one race.
    """
    own = _races(trials, apart)
    by_clock = own["reason"].fillna("").str.contains(TIME_WAS_UP, regex=False)
    pruned = own[(own["state"] == "pruned") & ~by_clock]
    rows = []
    for stratum, epoch in _places(own, rungs):
        there = _scores_at(own[own["stratum"] == stratum], epochs, epoch)
        stopped = ((pruned["stratum"] == stratum) & (pruned["epochs"] == epoch)).sum()
        rows.append({"stratum": stratum, "epoch": epoch, "reached": len(there), "stopped": int(stopped)})
    return pd.DataFrame(rows, columns=list(FUNNEL))


def agreement(
    trials: pd.DataFrame, epochs: pd.DataFrame, rungs: Rungs | None, mode: str, *, apart: bool = True
) -> pd.DataFrame:
    """Return for every rung how well its scores foretold the final ones; ``apart`` as in `funnel`.

    Columns: stratum, epoch, reached; n, the trials that also reached the last epoch; correlation, Spearman's
    between their scores at the rung and at the end (NaN below 3 trials; of survivors only, so that it
    understates the agreement); rank_of_best, the place that the later best of the stratum had among all
    that reached the rung.
    """
    own = _races(trials, apart)
    ascending = mode == "min"
    rows = []
    for stratum, epoch in _places(own, rungs, last=False):
        family = own[own["stratum"] == stratum]
        there = _scores_at(family, epochs, epoch)
        final = family[family["state"] == "complete"].set_index("trial")["score"]
        both = pd.concat([there.rename("then"), final.rename("end")], axis=1, join="inner")
        best = both["end"].sort_values(ascending=ascending).index[:1]
        ranks = there.rank(ascending=ascending, method="min")
        rows.append(
            {
                "stratum": stratum,
                "epoch": epoch,
                "reached": len(there),
                "n": len(both),
                "correlation": both["then"].corr(both["end"], method="spearman") if len(both) > 2 else float("nan"),
                "rank_of_best": int(ranks[best[0]]) if len(best) else None,
            }
        )
    frame = pd.DataFrame(rows, columns=list(AGREEMENT))
    return frame.astype({"correlation": "float64", "rank_of_best": "Int64"})


def _races(trials: pd.DataFrame, apart: bool) -> pd.DataFrame:
    """Return the search trials that trained, with the race that each ran in as its stratum."""
    own = searched(trials)
    return own if apart else own.assign(stratum=TOGETHER)


def _places(trials: pd.DataFrame, rungs: Rungs | None, *, last: bool = True) -> list[tuple[str, int]]:
    if rungs is None:
        return []
    seen = [stratum for stratum in (*STRATA, TOGETHER) if (trials["stratum"] == stratum).any()]
    ends = (rungs.epochs,) if last else ()
    return [(stratum, epoch) for stratum in seen for epoch in (*rungs.milestones(stratum), *ends)]


def _scores_at(trials: pd.DataFrame, epochs: pd.DataFrame, epoch: int) -> pd.Series[float]:
    there = epochs[(epochs["epoch"] == epoch) & epochs["trial"].isin(trials["trial"])]
    return there.set_index("trial")["score"].dropna()

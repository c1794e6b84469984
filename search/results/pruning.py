"""What early stopping did: who came how far, and whether the order at a rung was that at the end."""

from __future__ import annotations

import pandas as pd

from search.clock import TIME_WAS_UP
from search.rungs import ALL, Rungs
from spaces.strata import STRATA

FUNNEL = ("stratum", "epoch", "reached", "stopped")
AGREEMENT = ("stratum", "epoch", "reached", "n", "correlation", "rank_of_best")


def searched(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the search trials that trained."""
    return trials[(trials["stage"] == "search") & (trials["state"] != "reused")]


def funnel(trials: pd.DataFrame, epochs: pd.DataFrame, rungs: Rungs | None, *, apart: bool = True) -> pd.DataFrame:
    """Return for every rung, and for the last epoch, how many trials came to it and how many it stopped.

    Columns: stratum, or those that are compared with one another, `ALL` for every one; epoch, reached, stopped.
    Trials that the clock stopped are not among the stopped. Where the strata do not run ``apart``, as with Ray's
    ASHA, all trials are one race.
    """
    own = _races(trials, apart)
    by_clock = own["reason"].fillna("").str.contains(TIME_WAS_UP, regex=False)
    pruned = own[(own["state"] == "pruned") & ~by_clock]
    rows = []
    for name, epoch, strata in _places(own, rungs):
        there = _scores_at(own[own["stratum"].isin(strata)], epochs, epoch)
        stopped = (pruned["stratum"].isin(strata) & (pruned["epochs"] == epoch)).sum()
        rows.append({"stratum": name, "epoch": epoch, "reached": len(there), "stopped": int(stopped)})
    return pd.DataFrame(rows, columns=list(FUNNEL))


def agreement(
    trials: pd.DataFrame, epochs: pd.DataFrame, rungs: Rungs | None, mode: str, *, apart: bool = True
) -> pd.DataFrame:
    """Return for every rung how well its scores foretold the final ones; ``apart`` as in `funnel`.

    Columns: stratum, epoch, reached; n, the trials that also reached the last epoch; correlation, Spearman's
    between their scores at the rung and at the end (NaN below 3 trials; of survivors only, so that it
    understates the agreement); rank_of_best, the place that the later best of those compared had among
    all that reached the rung.
    """
    own = _races(trials, apart)
    ascending = mode == "min"
    rows = []
    for name, epoch, strata in _places(own, rungs, last=False):
        family = own[own["stratum"].isin(strata)]
        there = _scores_at(family, epochs, epoch)
        final = family[family["state"] == "complete"].set_index("trial")["score"]
        both = pd.concat([there.rename("then"), final.rename("end")], axis=1, join="inner")
        best = both["end"].sort_values(ascending=ascending).index[:1]
        ranks = there.rank(ascending=ascending, method="min")
        rows.append(
            {
                "stratum": name,
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
    return own if apart else own.assign(stratum=ALL)


def _places(trials: pd.DataFrame, rungs: Rungs | None, *, last: bool = True) -> list[tuple[str, int, list[str]]]:
    """Return what is compared where: a name, the epoch and the strata; what several share comes last."""
    if rungs is None:
        return []
    races: dict[tuple[str, int], list[str]] = {}
    ends = (rungs.epochs,) if last else ()
    seen = [name for name in (*STRATA, ALL) if (trials["stratum"] == name).any()]
    for stratum in seen:
        for epoch in (*rungs.milestones(stratum), *ends):
            races.setdefault((rungs.race(stratum, epoch), epoch), []).append(stratum)
    found = [(_name(strata, seen), epoch, strata) for (_, epoch), strata in races.items()]
    return sorted(found, key=lambda place: (len(place[2]) > 1) * place[1])


def _name(strata: list[str], seen: list[str]) -> str:
    return ALL if len(strata) > 1 and strata == seen else ", ".join(strata)


def _scores_at(trials: pd.DataFrame, epochs: pd.DataFrame, epoch: int) -> pd.Series[float]:
    there = epochs[(epochs["epoch"] == epoch) & epochs["trial"].isin(trials["trial"])]
    return there.set_index("trial")["score"].dropna()

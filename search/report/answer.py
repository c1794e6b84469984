"""The answer as sentences and tables of text, the same for every page: what to take, what lost, what the rule said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from search.report import sentences
from search.report.content import Report
from search.report.rounding import number, plain, points, share
from search.results.intervals import LEVEL, Interval
from search.results.leaderboard import by_key, interval_of
from search.results.picks import Pick

METHOD = (
    "Winner, ties and recommendation were decided on the validation scores of the confirmation and written "
    "down before the test set was opened. Intervals are 95 %, over seeds and examples, which are crossed: for a "
    "mean over examples by the variance components of the two-way layout, else by a bootstrap of the examples "
    "beside the variance between seeds; degrees of freedom are Satterthwaite's. Differences are paired over "
    "examples. That a rival is beaten is corrected for the number of rivals by Holm's procedure; a tie, which claims "
    "that all of them lie within the margin, needs no correction. Two or three seeds that differ by far more than the "
    "examples explain make intervals too narrow: in simulations they held the truth in 91 to 93 %. P(best) is the "
    "probability of being the best of the table on validation."
)
RESPLIT = (
    "Every fresh seed dealt train and validation anew, so that the intervals know that chance too; the test set is "
    "one. A validation example that several seeds measured counts as one."
)


def method(content: Report) -> str:
    """Return how winner and intervals came about."""
    return f"{METHOD} {RESPLIT}" if content.resplit else METHOD


def gains(content: Report) -> list[str]:
    """Return both gains as sentences."""
    return sentences.gains(content.gains.get("searching"), content.gains.get("strategy"))


def pick_facts(pick: Pick, metric: str) -> dict[str, str]:
    """Return what is to be known of a pick, by what it is."""
    gap = points(pick.gap) if pick.gap else "the winner"
    return {
        f"test {metric} [95 %]": plain(pick.test),
        "behind on validation": gap,
        "cost of a training": cost(pick.cost_share),
        "weights trained": share(pick.trainable_share),
        "peak memory": f"{number(pick.peak_memory_mb, 0)} MB",
    }


def tied(content: Report) -> list[str]:
    """Return what is not told apart from the winner."""
    told = content.verdict
    if not told["tied"]:
        return []
    if told["strategy"] == told["winner"]:
        return [f"Not told apart from it: {'; '.join(told['tied'])}."]
    others = [f"{told['winner']} (the winner on validation)", *told["tied"]]
    return [f"Not told apart from it: {'; '.join(each for each in others if each != told['strategy'])}."]


def cost_of(content: Report, key: str) -> str:
    """Return what a training of the strategy ``key`` costs."""
    own = by_key(content.pareto)[key]["cost_share"]
    return cost(None if pd.isna(own) else float(own))


def cost(cost_share: float | None) -> str:
    """Return the cost of a training against that of the control ``full``."""
    return "-" if cost_share is None else f"{share(cost_share)} of full fine-tuning's"


def picks(content: Report) -> pd.DataFrame:
    """Return what to take for accuracy, cost and size, a row each."""
    rows = [
        {"If you care about": pick.purpose, "take": pick.strategy, **pick_facts(pick, content.metric)}
        for pick in content.picks
    ]
    return pd.DataFrame(rows)


def lost(content: Report) -> pd.DataFrame:
    """Return the winner's rivals, and by how much they lost."""
    rows = [
        {
            "Strategy": row["strategy"],
            "Role": row["role"],
            "Seeds": str(row["seeds"]),
            "Behind on validation [95 %]": points(interval_of(row, "gap")),
            "p (Holm)": "< 0.001" if row["p_holm"] < 0.001 else f"{row['p_holm']:.3f}",
            "Shown to be behind": "yes" if row["beaten"] else f"no, at {1 - LEVEL:.0%}",
            "Behind on test [95 %]": points(interval_of(row, "test_gap")),
        }
        for row in content.lost.to_dict("records")
    ]
    return pd.DataFrame(rows)


def rule(told: Mapping[str, Any] | None) -> list[str]:
    """Return what the textbook rule was told, what it chose, and what searching gained over it."""
    if told is None:
        return []
    gain = told["measured"].get("gain")
    shown = f"transfer gain {plain(Interval(gain['mean'], gain['low'], gain['high']))}" if gain else "no transfer gain"
    unsure = "; its interval holds the cut-off, so that both quadrants were tried first" if told["unsure"] else ""
    data = (
        f"Data: {told['size']} ({told['samples']} training samples, {told['classes']} classes) and "
        f"{told['similarity']} to what the network was pretrained on ({shown}{unsure}). "
        f"Measuring took {told['share']:.1%} of the study's time."
    )
    return [told["sentence"], data, *([told["note"]] if told["note"] else [])]

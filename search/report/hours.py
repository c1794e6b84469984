"""What the report says of a study whose time was up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from search.clock import TIME_UP, TIME_WAS_UP
from search.storage import CONFIRM, SEARCH

NAMES = {SEARCH: "search", CONFIRM: "confirmation"}
Cut = dict[str, dict[str, Any]]


def what_was_cut(facts: Mapping[str, Any], trials: pd.DataFrame) -> Cut:
    """Return what each stage could not do: when its time was up, the trials stopped early, how many never began."""
    found: Cut = {}
    for study, name in NAMES.items():
        kept = facts.get(TIME_UP.format(study))
        if kept:
            here = trials[(trials["stage"] == "confirm") == (study == CONFIRM)]
            stopped = here["reason"].fillna("").str.contains(TIME_WAS_UP, regex=False)
            found[name] = {**kept, "stopped": here.loc[stopped, "trial"].tolist()}
    return found


def cut_lines(cut: Cut, hours: float | None) -> list[str]:
    """Say it in sentences, one a stage."""
    limit = f" (budget.hours: {hours:g})" if hours else ""
    return [
        f"Time was up in the {name}{limit}: {_trials(len(kept['stopped']))} stopped early, "
        f"{_trials(kept['not_started'])} never begun."
        for name, kept in cut.items()
    ]


def _trials(count: int) -> str:
    return f"{count} trial{'' if count == 1 else 's'}"

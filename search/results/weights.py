"""How far each block moved in the trials of a strategy, as its workers measured it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from search.storage import CONFIRM, load_study

Changes = dict[str, Mapping[str, float]]


def weight_changes(run_dir: Path, trials: Collection[str]) -> Changes:
    """Return, for each confirmation in ``trials`` that came to its end, block -> relative change, input first."""
    study = load_study(run_dir, CONFIRM)
    found = study.get_trials(deepcopy=False) if study else []
    kept = {f"c{trial.number}": trial.user_attrs.get("weight_change") for trial in found}
    return {name: change for name, change in kept.items() if change and name in trials}

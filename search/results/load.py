"""Optuna's storage as two DataFrames: one row per trial, one row per epoch. Reads, never writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from search.storage import CONFIRM, SEARCH, load_studies
from spaces.domain import Choice, Float, Int
from spaces.presets import DIMENSION_NAMES, Setting, widest
from spaces.strategy import Strategy, from_point

TRIAL_COLUMNS = (
    *("trial", "stage", "state", "reason", "stratum", "key", *DIMENSION_NAMES, "seed", "epochs", "score", "seconds"),
    *("peak_memory_mb", "trainable_params", "total_params", "boundary", "cache", "cache_reason", "certificate", "host"),
    *("role", "strategy", "cost", "reused_of", "test_score", "micro_batch"),
)
EPOCH_COLUMNS = ("trial", "stage", "epoch", "train_loss", "val_loss", "score", "seconds", "cost")
CHANGE_COLUMNS = ("trial", "block", "change")
EPOCH = "epoch/"
STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
WHOLE = ("seed", "epochs", "trainable_params", "total_params", "boundary", "micro_batch", "epoch", "rank", "seeds")
WORDS = (
    *("trial", "stage", "state", "reason", "stratum", "key", "cache", "cache_reason", "certificate", "host"),
    *("role", "strategy", "reused_of"),
)
TRUTHS = ("tied_with_best",)


@dataclass(frozen=True)
class Recorded:
    """What the journal holds of a run, still going or not."""

    trials: pd.DataFrame
    epochs: pd.DataFrame
    weight_change: pd.DataFrame  # trial, block, change: relative to the block's norm, in the network's order
    facts: Mapping[str, Any]  # what the study's stages wrote down
    computing: tuple[Mapping[str, Any], ...]  # what trials computed on, each way once, with the number of its trials


def read(run_dir: Path) -> Recorded:
    """Read the journal of a run, once."""
    studies = load_studies(run_dir)
    found = _labelled(studies)
    epochs = pd.DataFrame([row for label, trial in found for row in _epochs(label, trial)], columns=list(EPOCH_COLUMNS))
    moved = [
        (label, block, float(change))
        for label, trial in found
        for block, change in trial.user_attrs.get("weight_change", {}).items()
    ]
    change = pd.DataFrame(moved, columns=list(CHANGE_COLUMNS))
    return Recorded(trials_of(studies), typed(epochs), change, _facts(studies), _computing(found))


def trials_of(studies: Mapping[str, optuna.Study]) -> pd.DataFrame:
    """Return the trials of studies that are open; only what was written since is read."""
    rows = [_row(label, trial) for label, trial in _labelled(studies)]
    return typed(pd.DataFrame(rows, columns=list(TRIAL_COLUMNS)))


def load(run_dir: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the trials and the epochs of a run, those of a run still going included."""
    recorded = read(run_dir)
    return recorded.trials, recorded.epochs


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return ``frame`` with each column of the tables in its own type, whether or not it holds a value.

    Otherwise a column in which nothing stands yet would have another type in every run.
    """
    return frame.astype({name: _type(name) for name in frame.columns})


def _type(name: str) -> str:
    dimensions = widest(Setting("image", "adamw", 1))
    match dimensions.get(name):
        case Int():
            return "Int64"
        case Float():
            return "float64"
        case Choice(values=values):
            return {str: "str", int: "Int64"}.get(type(values[0]), "float64")
    if name in WORDS:
        return "str"
    return "Int64" if name in WHOLE else "bool" if name in TRUTHS else "float64"


def attributes(run_dir: Path) -> dict[str, Any]:
    """Return what the study's stages wrote down: hashes, finalists, the decision, the opening of the test set."""
    return _facts(load_studies(run_dir))


def strategy_of(row: pd.Series[Any] | Mapping[str, Any]) -> Strategy:
    """Return the strategy of a row of `load`'s trials."""
    given = {name: row[name] for name in DIMENSION_NAMES if pd.notna(row[name])}
    return from_point({name: value.item() if hasattr(value, "item") else value for name, value in given.items()})


def _facts(studies: Mapping[str, optuna.Study]) -> dict[str, Any]:
    known = [studies[name].user_attrs for name in (SEARCH, CONFIRM) if name in studies]
    return {name: value for attrs in known for name, value in attrs.items()}


def _labelled(studies: Mapping[str, optuna.Study]) -> list[tuple[str, FrozenTrial]]:
    return [
        (f"{prefix}{trial.number}", trial)
        for name, prefix in ((SEARCH, ""), (CONFIRM, "c"))
        if name in studies
        for trial in studies[name].get_trials(deepcopy=False)
        if "strategy" in trial.user_attrs  # else it was asked for and never handed out: the run ended in between
    ]


def _row(label: str, trial: FrozenTrial) -> dict[str, Any]:
    kept = trial.user_attrs
    steps = trial.intermediate_values
    return {
        **{name: kept.get(name) for name in TRIAL_COLUMNS},
        **{name: value for name, value in kept["strategy"].items() if name in DIMENSION_NAMES},
        "trial": label,
        "state": _state(trial),
        "epochs": max(steps, default=0),
        "score": steps[max(steps)] if steps else None,
        "strategy": str(from_point(kept["strategy"])),
        "cost": sum(record["cost"] for record in _records(trial).values()),
        "cache": kept.get("cache", "off"),  # a trial that never trained read nothing
    }


def _computing(found: Sequence[tuple[str, FrozenTrial]]) -> tuple[Mapping[str, Any], ...]:
    """Return the different ways in which trials computed, the commonest first."""
    ways = [trial.user_attrs["computing"] for _, trial in found if "computing" in trial.user_attrs]
    counted = Counter(tuple(sorted(way.items())) for way in ways)
    return tuple({**dict(way), "trials": count} for way, count in counted.most_common())


def _state(trial: FrozenTrial) -> str:
    """Return the state, by the decision where it is written down already but not carried out."""
    if "reused_of" in trial.user_attrs:
        return "reused"
    end: Mapping[str, Any] = trial.user_attrs.get("end", {})
    running = trial.state in (TrialState.RUNNING, TrialState.WAITING)
    return STATES.get(end.get("state", "") if running else trial.state.name, "running")


def _records(trial: FrozenTrial) -> dict[int, Mapping[str, Any]]:
    return {int(name.removeprefix(EPOCH)): kept for name, kept in trial.user_attrs.items() if name.startswith(EPOCH)}


def _epochs(label: str, trial: FrozenTrial) -> list[dict[str, Any]]:
    return [
        {
            "trial": label,
            "stage": trial.user_attrs["stage"],
            "epoch": epoch,
            "score": trial.intermediate_values.get(epoch),
            **record,
        }
        for epoch, record in sorted(_records(trial).items())
    ]

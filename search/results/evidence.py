"""What confirmation left behind: its complete trials, their predictions, and the names it is kept under."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from search.results import load
from search.results.intervals import Sample, sample
from trainables import predictions
from trainables.config import Split
from trainables.metrics import Labels

# Attributes of the study `confirm`, in the order in which they are written.
FINALISTS, DECISION, TEST_OPENED = "finalists", "decision", "test_opened"


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def confirmed_trials(run_dir: Path) -> pd.DataFrame:
    """Return the rows of confirmations that came to their end."""
    return confirmed_of(load.load(run_dir)[0])


def confirmed_of(trials: pd.DataFrame) -> pd.DataFrame:
    """Return those of ``trials`` that are confirmations and came to their end."""
    return trials[(trials["stage"] == "confirm") & (trials["state"] == "complete")]


def tested(trials: pd.DataFrame, facts: Mapping[str, Any]) -> bool:
    """Tell whether the test set was measured for all that the last decision names.

    Not while an opening goes on, and not where a longer search has decided anew and not opened it again.
    """
    openings = facts.get(TEST_OPENED) or []
    if DECISION not in facts or not openings:
        return False
    confirmed, order = confirmed_of(trials), set(facts[DECISION]["order"])
    scored = confirmed[confirmed["test_score"].notna()]
    wanted = {name for opening in openings for name in opening["trials"]}
    if facts[DECISION]["at"] > openings[-1]["at"]:
        wanted |= set(confirmed.loc[confirmed["key"].isin(order), "trial"])
    return order <= set(scored["key"]) and wanted <= set(scored["trial"])


def measured_on(run_dir: Path, split: Split, metric: str, confirmed: pd.DataFrame | None = None) -> Sample:
    """Return the scores of the confirmed strategies on ``split``, by key, from the kept predictions.

    ``confirmed`` are the complete confirmations to go by; all of them if left out. Where seeds have splits of
    their own, an example is the same in all of them by its id.
    """
    rows = confirmed_trials(run_dir) if confirmed is None else confirmed
    predicted: dict[str, dict[int, Labels]] = {}
    splits: dict[int, pd.Series[Any]] = {}  # by seed: labels by id
    for row in rows.itertuples():
        frame, seed = predictions.read(folder(run_dir, str(row.trial)), split), int(str(row.seed))
        splits.setdefault(seed, frame.set_index("id")["label"])
        predicted.setdefault(str(row.key), {})[seed] = frame["prediction"].to_numpy()
    if not splits:
        raise ValueError("nothing was confirmed")
    first = next(iter(splits.values()))
    if all(each.index.equals(first.index) for each in splits.values()):
        return sample(first.to_numpy(np.int64), predicted, metric)
    together = pd.concat(splits.values())
    together = together[~together.index.duplicated()]
    measured = {seed: together.index.get_indexer(each.index) for seed, each in splits.items()}
    return sample(together.to_numpy(np.int64), predicted, metric, measured)


def all_predictions(run_dir: Path, confirmed: pd.DataFrame) -> pd.DataFrame:
    """Return every kept prediction of the ``confirmed`` trials: trial, split, id, label, prediction."""
    found = [
        predictions.read(folder(run_dir, trial), split).assign(trial=trial, split=split)
        for trial in confirmed["trial"]
        for split in ("val", "test")
        if predictions.path(folder(run_dir, trial), split).exists()
    ]
    columns = ["trial", "split", "id", "label", "prediction"]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def folder(run_dir: Path, trial: str) -> Path:
    """Return where a trial's weights and predictions are kept."""
    return run_dir / "checkpoints" / trial

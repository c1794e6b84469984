"""``thawline trial``: one trial of a run once more, in this process and without Ray, from what Optuna holds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.errors import require_run
from search.layering import resolve
from spaces.check import did_you_mean
from spaces.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from trainables.config import TrialConfig


@dataclass(frozen=True)
class Compared:
    """An epoch as it came out now beside what was recorded; NaN where nothing was."""

    epoch: int
    score: float
    train_loss: float
    val_loss: float
    recorded_score: float
    recorded_train_loss: float
    recorded_val_loss: float
    failure: str | None = None

    @property
    def same(self) -> bool | None:
        """Tell whether all three numbers came out the same; None where nothing was recorded."""
        if math.isnan(self.recorded_train_loss):
            return None
        now = (self.score, self.train_loss, self.val_loss)
        return now == (self.recorded_score, self.recorded_train_loss, self.recorded_val_loss)

    def __str__(self) -> str:
        """Return the epoch as a line."""
        pairs = {
            "score": (self.score, self.recorded_score),
            "train loss": (self.train_loss, self.recorded_train_loss),
            "val loss": (self.val_loss, self.recorded_val_loss),
        }
        told = ", ".join(f"{name} {now:.6f} (recorded {_shown(then)})" for name, (now, then) in pairs.items())
        return f"epoch {self.epoch}: {told}"


def trial(run_dir: str | Path, label: str) -> Iterator[Compared]:
    """Train the trial ``label`` of a run again, epoch by epoch, for the whole budget.

    Reads the run folder and writes nothing. Computes on as many threads as its worker did; numbers agree
    to the last digit only with a run on the same kind of device.

    Raises:
        BadInput: there is no such run or trial, or the trial was never trained.
    """
    run_dir = Path(run_dir)
    return _epochs(recorded(run_dir, label))


@dataclass(frozen=True)
class Recorded:
    """What a trial was told to do, what it computed on, and its epochs by number."""

    config: TrialConfig
    gpu: bool
    threads: int
    epochs: Mapping[int, Mapping[str, Any]]


def recorded(run_dir: Path, label: str) -> Recorded:
    """Return what the run recorded of a trial."""
    from search.results.leaderboard import plain
    from search.results.load import attributes, load, strategy_of
    from search.setup import template
    from spaces.strategy import to_point

    require_run(run_dir)
    trials, epochs = load(run_dir)
    row = row_of(trials, label)
    resolved = resolve(run_dir / "study.yaml", look=False)
    kept = attributes_of(run_dir, label)
    changes = {
        "strategy": to_point(strategy_of(row)),
        "seed": int(row["seed"]),
        "resplit": row["stage"] == "confirm" and resolved.config.finalists.resplit,
        "accumulate": parts_of(kept),
        "code_path": attributes(run_dir)["folder"],  # where the modules that the study names lie
    }
    own = epochs[epochs["trial"] == label]
    return Recorded(
        template(resolved).model_copy(update=changes),
        resolved.config.resources.gpus_per_trial != 0,
        int(kept.get("threads", 1)),  # a trial that failed at once recorded none
        {int(each["epoch"]): plain(each) for each in own.to_dict("records")},
    )


def attributes_of(run_dir: Path, label: str) -> Mapping[str, Any]:
    """Return what Optuna keeps of a trial that is there."""
    from search.storage import CONFIRM, SEARCH, load_study

    study = load_study(run_dir, CONFIRM if label.startswith("c") else SEARCH)
    assert study is not None, "the trial has a row"
    kept: Mapping[str, Any] = study.get_trials(deepcopy=False)[int(label.removeprefix("c"))].user_attrs
    return kept


def parts_of(kept: Mapping[str, Any]) -> int:
    """Return the parts its batches were divided into: by its workers, by a GPU's memory, or after that ran out."""
    from search.record import COMPUTING, RETRIED

    told = int(kept.get(RETRIED, {}).get("accumulate", 1)) * int(kept.get(COMPUTING, {}).get("workers", 1))
    if "micro_batch" not in kept:
        return told
    return max(told, math.ceil(int(kept["strategy"]["batch_size"]) / int(kept["micro_batch"])))


def row_of(trials: pd.DataFrame, label: str) -> pd.Series[Any]:
    """Return the row of a trial that was trained; refuse any other label."""
    known = trials["trial"].tolist()
    if label not in known:
        searched = sum(not name.startswith("c") for name in known)
        message = f"has no trial {label!r}{did_you_mean(label, known)}"
        confirmed = len(known) - searched
        there = [f"0 to {searched - 1} of the search"] if searched else []
        there += [f"c0 to c{confirmed - 1} of the confirmation"] if confirmed else []
        raise BadInput.at("TRIAL", f"the run {message}; it has {' and '.join(there) or 'none yet'} (tables/trials.csv)")
    row = trials[trials["trial"] == label].iloc[0]
    if row["state"] == "reused":
        message = f"{label} was not trained: it repeats the strategy of trial {row['reused_of']}"
        raise BadInput.at("TRIAL", f"{message}; name that one")
    return row


def _epochs(told: Recorded) -> Iterator[Compared]:
    import torch

    from trainables.devices import choose

    before = torch.get_num_threads()
    torch.set_num_threads(told.threads)  # the order of sums, and so the last digit, depends on them
    try:
        yield from _compared(told.config, choose(float(told.gpu)), told.epochs)
    finally:
        torch.set_num_threads(before)


def _compared(
    config: TrialConfig, device: torch.device, records: Mapping[int, Mapping[str, Any]]
) -> Iterator[Compared]:
    from trainables.loop import train
    from trainables.run import build

    nothing = {"score": math.nan, "train_loss": math.nan, "val_loss": math.nan}
    for epoch in train(build(config, device)):
        then = {name: _number(value) for name, value in {**nothing, **records.get(epoch.epoch, {})}.items()}
        yield Compared(
            epoch=epoch.epoch,
            score=epoch.score,
            train_loss=epoch.train_loss,
            val_loss=epoch.val_loss,
            recorded_score=then["score"],
            recorded_train_loss=then["train_loss"],
            recorded_val_loss=then["val_loss"],
            failure=epoch.failure,
        )


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.6f}"

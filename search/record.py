"""What Optuna keeps of a trial while Tune carries it out: every epoch, the decision about its end, then the end.

The order is what lets a run go on after a kill at any moment. An epoch's attributes come before its
step, the decision before the last step, the last step before the state: a trial without a decision
trains on from its last step, one with a decision is told without training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from optuna.trial import Trial, TrialState

from search.faults import Remedy
from search.progress import Event
from search.proposals import Proposal
from search.rungs import Stopping
from spaces.strata import stratum

ATTRIBUTES = (
    *("peak_memory_mb", "trainable_params", "total_params", "certificate", "host", "threads"),
    *("boundary", "cache", "cache_reason", "micro_batch"),
)
CHANGE, COMPUTING = "weight_change", "computing"
NESTED = (CHANGE, COMPUTING)  # Tune hands on nested values under joined names
RETRIED, MOVED = "retried", "moved"
MOST_MOVES = 5  # machines that a trial may lose before it has recorded a further epoch
Result = Mapping[str, Any]


@dataclass
class Live:
    """A trial that is to be carried out, or is; ``epoch`` is the last one recorded."""

    trial: Trial
    proposal: Proposal
    epoch: int = 0
    score: float = math.nan
    seconds: float = 0.0
    reported: int = 0  # the last step that Optuna has
    accumulate: int = 1
    retried: bool = False
    moves: int = 0  # machines lost since its last recorded epoch
    error: str | None = None
    remedy: Remedy = Remedy.FAIL
    told: dict[str, Any] = field(default_factory=dict)  # the attributes that Optuna has

    @property
    def label(self) -> str:
        """The trial's name in the run."""
        return f"c{self.trial.number}" if self.proposal.stage == "confirm" else str(self.trial.number)


def begin(live: Live) -> Live:
    """Write down what is to be trained; ``strategy`` comes last and says that all of it stands. Return ``live``."""
    for name, value in live.proposal.attributes.items():
        live.trial.set_user_attr(name, value)
    return live


def epoch(live: Live, result: Result) -> None:
    """Write an epoch's attributes; one that stands already, trained again, is left as it was."""
    number = result.get("epoch")
    if not isinstance(number, int) or number <= live.epoch:
        return
    live.epoch, live.score, live.moves = number, float(result["score"]), 0
    live.seconds += float(result["seconds"])
    record = {name: result[name] for name in ("train_loss", "val_loss", "seconds", "cost")}
    live.trial.set_user_attr(f"epoch/{number}", _finite(record))
    _note(live, {name: result[name] for name in ATTRIBUTES if name in result})
    for name in NESTED:
        if inside := {key.removeprefix(f"{name}/"): kept for key, kept in result.items() if key.startswith(f"{name}/")}:
            _note(live, {name: inside})
    _note(live, {"seconds": live.seconds})


def _note(live: Live, attributes: Mapping[str, Any]) -> None:
    """Write those attributes that are not what they were: most stay from a trial's first epoch to its last."""
    for name, value in attributes.items():
        if name not in live.told or live.told[name] != value:
            live.trial.set_user_attr(name, value)
            live.told[name] = value


def step(live: Live) -> None:
    """Report the last epoch's score, unless it is no number or stands already."""
    if live.epoch > live.reported and math.isfinite(live.score):
        live.trial.report(live.score, step=live.epoch)
        live.reported = live.epoch


def may_go_on(live: Live) -> bool:
    """Tell whether the trial is handed out again after its error."""
    match live.remedy:
        case Remedy.MOVE:
            return live.moves < MOST_MOVES
        case Remedy.RETRY | Remedy.HALVE:
            return not live.retried
    return False


def retry(live: Live) -> None:
    """Write down that the trial is handed out again, and how."""
    if live.remedy is Remedy.MOVE:
        live.moves += 1
        live.trial.set_user_attr(MOVED, {"after": live.epoch, "times": live.moves})
        return
    live.retried = True
    live.accumulate *= 2 if live.remedy is Remedy.HALVE else 1
    kept = {"reason": live.error, "after": live.epoch, "accumulate": live.accumulate}
    live.trial.set_user_attr(RETRIED, kept)


def end(live: Live, state: TrialState, reason: str | None) -> None:
    """Write the decision, then the last step, then the state.

    A confirmation that came to its end is told only after the test set was opened.
    """
    if reason:
        live.trial.set_user_attr("reason", reason)
    value = live.score if state != TrialState.FAIL else None
    live.trial.set_user_attr("end", {"state": state.name, "value": value, "epoch": live.epoch})
    if state != TrialState.FAIL:
        step(live)
    carry_out_end(live, state)


def carry_out_end(live: Live, state: TrialState) -> None:
    """Tell the state that was decided."""
    if not (live.proposal.stage == "confirm" and state == TrialState.COMPLETE):
        value = live.score if state == TrialState.COMPLETE else None
        live.trial.study.tell(live.trial.number, values=value, state=state)


def event(live: Live, epochs: int, rungs: Stopping | None) -> Event:
    """Return where the trial stands, as progress tells it."""
    family = stratum(live.proposal.strategy)
    staged = rungs if live.proposal.stage == "search" else None
    return {
        "trial": live.label,
        "stage": live.proposal.stage,
        "stratum": family,
        "strategy": str(live.proposal.strategy),
        "epoch": live.epoch,
        "epochs": epochs,
        "score": live.score,
        "rung": staged.rung(family, live.epoch) if staged else None,
        "rungs": len(staged.milestones(family)) if staged else None,
    }


def _finite(record: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in record.items()}

"""What an earlier session left in Optuna: who has ended, who goes on and from where. A new study leaves nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from search import record
from search.proposals import Proposal
from search.record import RETRIED, Live
from spaces.strata import stratum
from spaces.strategy import from_point

Asked = tuple[str, str, int]  # stage, key and seed: what is asked for once


@dataclass(frozen=True)
class Past:
    """The earlier sessions of one study of a run."""

    ended: tuple[FrozenTrial, ...]  # the decision about them stands; those that reused another's score are not among
    unfinished: tuple[Live, ...]  # handed out again, in the order of their numbers
    torn: Trial | None  # asked for, and the session ended before it stood what it would train
    asked: frozenset[Asked]
    tried: dict[str, int]  # key -> number of the trial that tried it
    trained: int  # search trials that count in the budget


def past(study: optuna.Study) -> Past:
    """Read the journal, and carry out what was decided in it and not done."""
    for trial in study.get_trials(deepcopy=False):
        if trial.state == TrialState.RUNNING and "strategy" in trial.user_attrs:
            _carry_out(study, trial)
    trials = study.get_trials(deepcopy=False)
    known = [trial for trial in trials if "strategy" in trial.user_attrs and "reused_of" not in trial.user_attrs]
    going_on = [trial for trial in known if trial.state == TrialState.RUNNING and "end" not in trial.user_attrs]
    torn = [trial for trial in trials if trial.state == TrialState.RUNNING and "strategy" not in trial.user_attrs]
    tried: dict[str, int] = {}
    for trial in known:
        tried.setdefault(trial.user_attrs["key"], trial.number)
    return Past(
        ended=tuple(trial for trial in known if trial not in going_on),
        unfinished=tuple(live(study, trial) for trial in going_on),
        torn=Trial(study, torn[0]._trial_id) if torn else None,
        asked=frozenset((t.user_attrs["stage"], t.user_attrs["key"], t.user_attrs["seed"]) for t in known),
        tried=tried,
        trained=sum(trial.user_attrs["stage"] == "search" for trial in known),
    )


def live(study: optuna.Study, trial: FrozenTrial) -> Live:
    """Return a trial as it stood after its last recorded epoch."""
    kept, steps = trial.user_attrs, trial.intermediate_values
    last = max(steps, default=0)
    retried = kept.get(RETRIED)
    return Live(
        trial=Trial(study, trial._trial_id),
        proposal=Proposal(from_point(kept["strategy"]), kept["stage"], kept["seed"], kept["role"]),
        epoch=last,
        score=steps.get(last, math.nan),
        seconds=sum(kept[f"epoch/{epoch}"]["seconds"] for epoch in steps),
        reported=last,
        accumulate=retried["accumulate"] if retried else 1,
        retried=retried is not None,
        error=retried["reason"] if retried else None,
        told=dict(kept),
    )


def _carry_out(study: optuna.Study, trial: FrozenTrial) -> None:
    if "reused_of" in trial.user_attrs:
        twin = study.get_trials(deepcopy=False)[int(trial.user_attrs["reused_of"])]
        repeat(Trial(study, trial._trial_id), twin)
    elif "end" in trial.user_attrs:
        end, told = trial.user_attrs["end"], live(study, trial)
        if end["value"] is not None:
            told.epoch, told.score = end["epoch"], end["value"]
            record.step(told)
        record.carry_out_end(told, TrialState[end["state"]])


def repeat(trial: Trial, twin: FrozenTrial) -> None:
    """Tell a duplicate with its twin's last score, PRUNED; where there is none, FAIL."""
    value = twin.user_attrs.get("end", {}).get("value")
    if value is None:  # its twin is still training, or failed
        trial.study.tell(trial.number, state=TrialState.FAIL)
        return
    step = twin.user_attrs["end"]["epoch"]
    if step not in trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values:
        trial.report(value, step=step)
    trial.study.tell(trial.number, state=TrialState.PRUNED)


def rung_records(study: optuna.Study) -> Iterator[tuple[int, str, int, float]]:
    """Yield what the rungs of a study have seen: every recorded epoch of its search trials."""
    for trial in study.get_trials(deepcopy=False):
        kept = trial.user_attrs
        if "strategy" in kept and kept["stage"] == "search" and "reused_of" not in kept:
            family = stratum(from_point(kept["strategy"]))
            yield from ((trial.number, family, epoch, score) for epoch, score in trial.intermediate_values.items())

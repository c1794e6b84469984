"""The Ray adapter of `rungs`: asks it at every result, and keeps warm workers warm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray import cloudpickle
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.stopper import Stopper

from search.faults import Lost
from search.rungs import Stopping
from search.sampler import StudySearcher

CONTINUE, STOP = str(TrialScheduler.CONTINUE), str(TrialScheduler.STOP)


class StratifiedScheduler(FIFOScheduler):
    """Stops a search trial where its rung says so; controls and confirmations run to the end."""

    def __init__(self, searcher: StudySearcher, rungs: Stopping | None) -> None:
        super().__init__()
        self._searcher = searcher
        self._rungs = rungs

    def choose_trial_to_run(self, tune_controller: Any, **_options: Any) -> Trial | None:
        """Leave the choice to Tune, which then serves waiting trials in order.

        FIFO would hand a free worker to the oldest trial, whose own worker is still starting, and
        destroy that one: with short trials everything ends up on a single worker.
        """
        return None

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Tell Tune whether the trial goes on."""
        if self._searcher.fault:
            return STOP
        number, stratum = self._searcher.place(trial.trial_id)
        if self._rungs and stratum and not self._searcher.recorded(trial.trial_id, result["epoch"]):
            # Before the time is asked for: a rung has then seen all that the journal holds of it.
            on = self._rungs.decide(number, stratum, result["epoch"], result["score"])
            if not on:
                return STOP
        return STOP if self._searcher.time_is_up() else CONTINUE

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Hand the reason to the searcher, which Tune tells only that there was an error."""
        self._searcher.note_error(trial.trial_id, _error_of(trial))


class StopAtFault(Stopper):
    """Stops everything at once when nothing more can be recorded."""

    def __init__(self, searcher: StudySearcher) -> None:
        self._searcher = searcher

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Leave a single trial to the scheduler."""
        return False

    def stop_all(self) -> bool:
        """Tell whether the study has to stop."""
        return self._searcher.fault is not None


def _error_of(trial: Trial) -> Exception | None:
    """Return what the trial's worker raised. Tune has it in a local file; its own getter looks where it is not yet."""
    path = trial.pickled_error_file
    if path and Path(path).exists():
        error: Exception = cloudpickle.loads(Path(path).read_bytes())
        return error
    told = trial.error_file
    return Lost(Path(told).read_text(encoding="utf-8")) if told and Path(told).exists() else None

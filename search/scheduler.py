"""The Ray adapter of `rungs`: asks it at every result, and keeps warm workers warm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray import cloudpickle
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from search.rungs import Rungs
from search.sampler import StudySearcher

CONTINUE, STOP = str(TrialScheduler.CONTINUE), str(TrialScheduler.STOP)


class StratifiedScheduler(FIFOScheduler):
    """Stops a search trial where its rung says so; controls and confirmations run to the end."""

    def __init__(self, searcher: StudySearcher, rungs: Rungs | None) -> None:
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
        number, stratum = self._searcher.place(trial.trial_id)
        if self._rungs is None or stratum is None:
            return CONTINUE
        on = self._rungs.decide(number, stratum, result["epoch"], result["score"])
        return CONTINUE if on else STOP

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Hand the reason to the searcher, which Tune tells only that there was an error."""
        self._searcher.note_error(trial.trial_id, _error_of(trial))


def _error_of(trial: Trial) -> Exception | None:
    """Return what the trial's worker raised. Tune has it in a local file; its own getter looks where it is not yet."""
    path = trial.pickled_error_file
    if path is None or not Path(path).exists():
        return None
    error: Exception = cloudpickle.loads(Path(path).read_bytes())
    return error

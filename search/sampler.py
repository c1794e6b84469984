"""Our Ray Tune Searcher over Optuna's ask and tell: Ray executes, Optuna remembers.

Every epoch is reported with its step, a stopped trial is told PRUNED, one that diverged or raised
FAIL with its reason. Nothing here raises into Tune's loop for what a trial did.
"""

from __future__ import annotations

import hashlib
import math
import re
import traceback
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.samplers import BaseSampler
from optuna.trial import Trial, TrialState
from ray.tune.search import Searcher

from search.progress import Tell, silent
from search.proposals import Proposal
from search.rungs import Rungs
from search.storage import open_study
from search.variants import VARIANTS
from spaces.check import drawn
from spaces.param import Space
from spaces.strata import stratum
from spaces.strategy import to_point
from trainables.config import TrialConfig
from trainables.trial import Order

COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # Ray colours its tracebacks
DUPLICATES_IN_A_ROW = 5  # then the next point is drawn at random
EXHAUSTED_AFTER = 50
ATTRIBUTES = ("seconds", "peak_memory_mb", "trainable_params", "total_params", "certificate", "host", "weight_change")


@dataclass(frozen=True)
class Sampling:
    """Where search trials come from once the queue is empty."""

    space: Space
    budget: int
    seed: int
    sampler: str = "tpe"


@dataclass
class Live:
    """A trial that Tune is carrying out."""

    trial: Trial
    proposal: Proposal
    label: str
    epoch: int = 0
    score: float = math.nan
    seconds: float = 0.0
    error: str | None = None


def sampler_of(name: str, seed: int, number: int) -> BaseSampler:
    """Return the sampler of one ask: a function of the study's seed and the trial's number.

    So that a study that was interrupted proposes what one that was not would have.
    """
    own = int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4], "big")
    return VARIANTS[name].sampler(own)


class StudySearcher(Searcher):
    """Hands out queued proposals, then samples the space until the budget of trained trials is spent."""

    def __init__(
        self,
        run_dir: Path,
        study: str,
        template: TrialConfig,
        queue: Iterable[Proposal],
        sampling: Sampling | None = None,
        rungs: Rungs | None = None,
        tell: Tell = silent,
    ) -> None:
        super().__init__(metric="score", mode=template.mode)
        self._run_dir = run_dir
        self._name = study
        self._template = template
        self._queue = deque(queue)
        self._sampling = sampling
        self._rungs = rungs
        self._tell = tell
        self._study = open_study(run_dir, study, template.mode)
        self._live: dict[str, Live] = {}
        self._handed_out = 0
        self._finished: dict[str, tuple[int, float]] = {}  # key -> last epoch, score
        self._handed: dict[str, int] = {}  # key -> number of the trial that tries it
        self.exhausted = False

    # Tune pickles its searcher for a restore that is never made: the run's journal is the memory.
    def __getstate__(self) -> dict[str, Any]:
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Save nothing."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing."""

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """Return the next trial's order, or say that there is none left."""
        chosen = self._next()
        if chosen is None:
            return str(Searcher.FINISHED)
        trial, proposal = chosen
        label = f"c{trial.number}" if proposal.stage == "confirm" else str(trial.number)
        self._live[trial_id] = Live(trial, proposal, label)
        for name, value in proposal.attributes.items():
            trial.set_user_attr(name, value)
        config = self._template.model_copy(update={"strategy": to_point(proposal.strategy), "seed": proposal.seed})
        keep = self._run_dir.absolute() / "checkpoints" / label if proposal.stage == "confirm" else None
        if keep:
            trial.set_user_attr("checkpoint", f"checkpoints/{label}")
        return {"label": label, **Order(config, keep).plain()}

    def place(self, trial_id: str) -> tuple[int, str | None]:
        """Return the trial's number and the stratum it competes in, None where it competes in none."""
        live = self._live[trial_id]
        return live.trial.number, stratum(live.proposal.strategy) if live.proposal.stage == "search" else None

    def note_error(self, trial_id: str, error: Exception | None) -> None:
        """Keep the reason of an error, and its traceback in the trial's log."""
        live = self._live.get(trial_id)
        if live is None:
            return
        cause = getattr(error, "cause", None) or error
        live.error = _reason(cause)
        log = self._run_dir / "logs" / f"trial-{live.label}.txt"
        log.parent.mkdir(parents=True, exist_ok=True)
        told = "".join(traceback.format_exception(error)) if error else "no traceback\n"
        log.write_text(COLOUR.sub("", told), encoding="utf-8")

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Write one epoch to Optuna."""
        live = self._live.get(trial_id)
        if live is None:
            return
        self._report(live, result)
        if (
            self._rungs
            and live.proposal.stage == "search"
            and self._rungs.rung(stratum(live.proposal.strategy), live.epoch)
        ):
            self._tell({"event": "rung", **self._event(live)})

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:
        """Tell Optuna how the trial ended: complete, pruned, or failed with a reason."""
        live = self._live.pop(trial_id, None)
        if live is None:
            return
        if result and not error:
            self._report(live, result)
        reason = self._failure(live, result, error)
        if reason:
            self._end(live, TrialState.FAIL, reason)
        elif live.epoch < self._template.epochs:
            self._end(live, TrialState.PRUNED, f"stopped at epoch {live.epoch}")
        else:
            self._end(live, TrialState.COMPLETE, None)

    def abandon(self, reason: str) -> None:
        """Mark every trial still running as failed, for a study that stops early."""
        for trial_id in list(self._live):
            self._end(self._live.pop(trial_id), TrialState.FAIL, reason)

    def _next(self) -> tuple[Trial, Proposal] | None:
        if self._queue:
            proposal = self._queue.popleft()
            self._handed_out += proposal.stage == "search"
            return self._ask_for(proposal), proposal
        if self._sampling is None or self._handed_out >= self._sampling.budget or self.exhausted:
            return None
        return self._sample(self._sampling)

    def _ask_for(self, proposal: Proposal) -> Trial:
        """Open the trial of a queued proposal; where the space holds it, the sampler learns from it too."""
        space = self._sampling.space if self._sampling else None
        point = drawn(space, proposal.strategy) if space else None
        if self._sampling and point is not None:
            # What the point leaves open is drawn, and drawn again by a study of the same seed.
            self._study.sampler = sampler_of("random", self._sampling.seed, len(self._study.trials))
            self._study.enqueue_trial(point)
        trial = self._study.ask()
        if self._sampling and point is not None:
            VARIANTS[self._sampling.sampler].walk(self._sampling.space, trial)  # type: ignore[arg-type]
        self._handed[proposal.strategy.key] = trial.number
        return trial

    def _sample(self, sampling: Sampling) -> tuple[Trial, Proposal] | None:
        """Draw until a strategy comes that was not tried; a duplicate of a finished one is told as reused."""
        for attempt in range(EXHAUSTED_AFTER):
            name = sampling.sampler if attempt < DUPLICATES_IN_A_ROW else "random"
            number = len(self._study.get_trials(deepcopy=False))
            self._study.sampler = sampler_of(name, sampling.seed, number)
            trial = self._study.ask()
            strategy = VARIANTS[sampling.sampler].walk(sampling.space, trial)  # type: ignore[arg-type]
            if strategy.key not in self._handed:
                self._handed[strategy.key] = trial.number
                self._handed_out += 1
                return trial, Proposal(strategy, "search", sampling.seed)
            self._reuse(trial, Proposal(strategy, "search", sampling.seed))
        self.exhausted = True
        self._tell(
            {"event": "note", "message": f"space exhausted: {EXHAUSTED_AFTER} draws in a row were tried already"}
        )
        return None

    def _reuse(self, trial: Trial, proposal: Proposal) -> None:
        """Tell a duplicate PRUNED at the earlier score and step; it is no evidence and costs no budget."""
        for name, value in proposal.attributes.items():
            trial.set_user_attr(name, value)
        trial.set_user_attr("reused_of", str(self._handed[proposal.strategy.key]))
        earlier = self._finished.get(proposal.strategy.key)
        if earlier is None:  # its twin is still training, or failed: there is no score to repeat
            self._study.tell(trial, state=TrialState.FAIL)
            return
        epoch, score = earlier
        trial.report(score, step=epoch)
        self._study.tell(trial, state=TrialState.PRUNED)

    def _report(self, live: Live, result: Mapping[str, Any]) -> None:
        epoch = result.get("epoch")
        if not isinstance(epoch, int) or epoch <= live.epoch:
            return
        live.epoch, live.score = epoch, float(result["score"])
        live.seconds += float(result["seconds"])
        record = {name: result[name] for name in ("train_loss", "val_loss", "seconds", "cost")}
        live.trial.set_user_attr(f"epoch/{epoch}", _finite(record))
        for name in ATTRIBUTES:
            if name in result:
                live.trial.set_user_attr(name, result[name])
        live.trial.set_user_attr("seconds", live.seconds)
        if math.isfinite(live.score):
            live.trial.report(live.score, step=epoch)

    def _failure(self, live: Live, result: Mapping[str, Any] | None, error: bool) -> str | None:
        if error:
            return live.error or "the worker died"
        if result and result.get("failure"):
            return str(result["failure"])
        if live.epoch == 0 or not math.isfinite(live.score):
            return "ended without a score"
        return None

    def _end(self, live: Live, state: TrialState, reason: str | None) -> None:
        """Write the decision, then carry it out. Confirmations are told after the test set was opened."""
        if reason:
            live.trial.set_user_attr("reason", reason)
        end = {"state": state.name, "value": live.score if state != TrialState.FAIL else None, "epoch": live.epoch}
        live.trial.set_user_attr("end", end)
        if state != TrialState.FAIL:
            self._finished[live.proposal.strategy.key] = (live.epoch, live.score)
        told_later = live.proposal.stage == "confirm" and state == TrialState.COMPLETE
        if not told_later:
            value = live.score if state == TrialState.COMPLETE else None
            self._study.tell(live.trial, values=value, state=state)
        names = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned"}
        self._tell({"event": "trial_end", "state": names.get(state, "failed"), "reason": reason, **self._event(live)})

    def _event(self, live: Live) -> dict[str, Any]:
        rungs = self._rungs if live.proposal.stage == "search" else None
        family = stratum(live.proposal.strategy)
        return {
            "trial": live.label,
            "stage": live.proposal.stage,
            "stratum": family,
            "strategy": str(live.proposal.strategy),
            "epoch": live.epoch,
            "epochs": self._template.epochs,
            "score": live.score,
            "rung": rungs.rung(family, live.epoch) if rungs else None,
            "rungs": len(rungs.milestones(family)) if rungs else None,
        }


def _reason(error: BaseException | None) -> str:
    if error is None:
        return "the worker died"
    first = (str(error).strip() or "no message").splitlines()[0]
    return f"{type(error).__name__}: {first}"


def _finite(record: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in record.items()}

"""Our Ray Tune Searcher over Optuna's ask and tell: Ray executes, Optuna remembers.

Every epoch is reported with its step, a stopped trial is told PRUNED, one that diverged or raised
FAIL with its reason. Nothing here raises into Tune's loop: what a trial did is recorded, and what
makes going on impossible is kept as `StudySearcher.fault`. What an earlier session began goes on first.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.trial import Trial, TrialState
from ray.tune.search import Searcher

from search import faults, record
from search.clock import TIME_UP, TIME_WAS_UP, USED, Clock
from search.faults import Remedy
from search.mirror import Mirror, checkpoints
from search.progress import Tell, silent
from search.proposals import Proposal
from search.reconcile import past, repeat, rung_records
from search.record import Live
from search.results.evidence import now
from search.rungs import Stopping
from search.sampling import EXHAUSTED_AFTER, Openings, Sampling, given, new
from search.storage import CONFIRM, open_study
from spaces.strata import stratum
from spaces.strategy import to_point
from trainables import checkpoint
from trainables.config import TrialConfig
from trainables.order import Order
from trainables.remote import Place


class StudySearcher(Searcher):
    """Hands out queued proposals, then samples the space until the budget of trained trials is spent."""

    def __init__(
        self,
        run_dir: Path,
        study: str,
        template: TrialConfig,
        queue: Iterable[Proposal],
        sampling: Sampling | None = None,
        rungs: Stopping | None = None,
        tell: Tell = silent,
        clock: Clock | None = None,
        mirror: Mirror | None = None,
    ) -> None:
        super().__init__(metric="score", mode=template.mode)
        self.run_dir = run_dir
        self._name = study
        self._template = template
        self._sampling = sampling
        self._rungs = rungs
        self._tell = tell
        self._clock = clock or Clock()
        self._mirror = mirror
        self._study = open_study(run_dir, study, template.mode)
        self._live: dict[str, Live] = {}
        self.exhausted = False
        self.fault: Exception | None = None  # why nothing more can be recorded, and the study has to stop
        before = past(self._study)
        asked = before.asked
        self._queue = deque(each for each in queue if (each.stage, each.strategy.key, each.seed) not in asked)
        self._again = deque(before.unfinished)
        self._openings = Openings(self._study, before.torn)
        self._handed_out = before.trained
        self._handed = before.tried
        self.ended = len(before.ended)
        for trial in before.ended:
            self._forget_progress(trial.number)
        if rungs:
            rungs.rebuild(rung_records(self._study))
        if not self.time_is_up() and self._study.user_attrs.get(TIME_UP.format(study)):
            self._study.set_user_attr(TIME_UP.format(study), None)  # this session was given more time

    @property
    def has_work(self) -> bool:
        """Tell whether there is a trial to be handed out, as far as can be told without drawing one."""
        return bool(self._again or self._queue or self._draws_left)

    @property
    def _draws_left(self) -> int:
        return max(0, self._sampling.budget - self._handed_out) if self._sampling and not self.exhausted else 0

    # Tune pickles its searcher for a restore that is never made: the run's journal is the memory.
    def __getstate__(self) -> dict[str, Any]:
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Save nothing."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing."""

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the next trial's order, or say that there is none left, or none before another one has ended."""
        if self.fault:
            return str(Searcher.FINISHED)
        with self._guarded():
            live = self._next()
            if live:
                self._live[trial_id] = live
                self._tell({"event": "trial_begin", **record.event(live, self._template.epochs, self._rungs)})
                return {"label": live.label, **self._order(live).plain()}
        # A trial that is still training may have to be handed out again.
        return None if self._live and not self.fault else str(Searcher.FINISHED)

    def _order(self, live: Live) -> Order:
        proposal, folder = live.proposal, self._folder(live.trial.number)
        after = checkpoint.newest_progress(folder, live.epoch) if live.epoch else 0
        if live.epoch and not after:
            message = f"trial {live.label} starts again: its progress up to epoch {live.epoch} is not in {folder}"
            self._tell({"event": "warning", "message": message})
        changes = {"strategy": to_point(proposal.strategy), "seed": proposal.seed, "accumulate": live.accumulate}
        keep = folder if proposal.stage == "confirm" else None
        if keep:
            live.trial.set_user_attr("checkpoint", f"checkpoints/{live.label}")
        return Order(self._template.model_copy(update=changes), keep, folder, after, self._ends(proposal))

    def _ends(self, proposal: Proposal) -> tuple[int, ...] | None:
        """Return the epochs after which a trial may be stopped, beside its last one; None where time may stop any."""
        if self._clock.hours is not None:
            return None
        staged = self._rungs if proposal.stage == "search" else None
        return staged.milestones(stratum(proposal.strategy)) if staged else ()

    def place(self, trial_id: str) -> tuple[int, str | None]:
        """Return the trial's number and the stratum it competes in, None where it competes in none."""
        live = self._live[trial_id]
        return live.trial.number, stratum(live.proposal.strategy) if live.proposal.stage == "search" else None

    def recorded(self, trial_id: str, epoch: int) -> bool:
        """Tell whether an epoch stands in the journal: it was decided on then, and is not decided on again."""
        return epoch <= self._live[trial_id].epoch

    def time_is_up(self) -> bool:
        """Tell whether what is training has to stop at its next epoch."""
        return self._clock.is_up(self._name)

    def note_error(self, trial_id: str, error: Exception | None) -> None:
        """Keep the reason of an error, and its traceback in the trial's log."""
        live = self._live.get(trial_id)
        if live is None:
            return
        again = f" (tried twice; the first time: {live.error})" if live.retried else ""
        live.error, live.remedy = f"{faults.reason(error)}{again}", faults.remedy(error)
        if live.remedy is Remedy.STOP:
            self.fault = self.fault or error
            return
        with self._guarded():
            faults.keep_traceback(self.run_dir, live.label, error)

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Write one epoch to Optuna."""
        live = self._live.get(trial_id)
        if self._mirror and self._mirror.taken:
            self.fault = self.fault or self._mirror.taken
        if live is None or self.fault:
            return
        with self._guarded():
            record.epoch(live, result)
            record.step(live)
            self._note_time()
            told = record.event(live, self._template.epochs, self._rungs)
            self._tell({"event": "rung" if told["rung"] else "epoch", **told})

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:
        """Tell Optuna how the trial ended: complete, pruned, or failed with a reason; or hand it out again."""
        live = self._live.pop(trial_id, None)
        if live is None or self.fault:
            return
        with self._guarded():
            if error and record.may_go_on(live):
                record.retry(live)
                self._again.append(live)
                self._tell({"event": "note", "message": f"trial {live.label} is tried again: {live.error}"})
                return
            if result and not error:
                record.epoch(live, result)
            self._note_time()
            reason = self._failure(live, result, error)
            if reason:
                self._end(live, TrialState.FAIL, reason)
            elif live.epoch < self._template.epochs:
                self._stop_early(live)
            else:
                if self._mirror and live.proposal.stage == "confirm":
                    self._mirror.bring(live.label, "val")
                self._end(live, TrialState.COMPLETE, None)

    def _next(self) -> Live | None:
        if self.time_is_up() and self.has_work:
            self._give_up_for_time()
            return None
        if self._again:
            return self._again.popleft()
        if self._queue:
            proposal = self._queue.popleft()
            self._handed_out += proposal.stage == "search"
            trial = given(self._openings, proposal.strategy, self._sampling)
            self._handed[proposal.strategy.key] = trial.number
            return record.begin(Live(trial, proposal))
        return self._sample(self._sampling) if self._sampling and self._draws_left else None

    def _sample(self, sampling: Sampling) -> Live | None:
        """Draw until a strategy comes that was not tried; a duplicate of a finished one is told as reused."""
        for trial, strategy in new(self._openings, sampling, self._handed):
            proposal = Proposal(strategy, "search", sampling.seed)
            if strategy.key not in self._handed:
                self._handed[strategy.key] = trial.number
                self._handed_out += 1
                return record.begin(Live(trial, proposal))
            self._reuse(trial, proposal)
        self.exhausted = True
        count = len(sampling.every or ())
        why = f"all of its {count} strategies" if count else f"{EXHAUSTED_AFTER} draws in a row"
        self._tell({"event": "note", "message": f"space exhausted: {why} were tried already"})
        return None

    def _reuse(self, trial: Trial, proposal: Proposal) -> None:
        """Tell a duplicate PRUNED at the earlier score and step; it is no evidence and costs no budget."""
        twin = self._handed[proposal.strategy.key]
        trial.set_user_attr("reused_of", str(twin))
        record.begin(Live(trial, proposal))
        repeat(trial, self._study.get_trials(deepcopy=False)[twin])

    def _failure(self, live: Live, result: Mapping[str, Any] | None, error: bool) -> str | None:
        if error:
            return live.error or "the worker died"
        if result and result.get("failure"):
            return str(result["failure"])
        if live.epoch == 0 or not math.isfinite(live.score):
            return "ended without a score"
        return None

    def _stop_early(self, live: Live) -> None:
        why = f": {TIME_WAS_UP}" if self.time_is_up() else ""
        self._end(live, TrialState.PRUNED, f"stopped at epoch {live.epoch}{why}")
        if why:
            self._cut()

    def _end(self, live: Live, state: TrialState, reason: str | None) -> None:
        record.end(live, state, reason)
        self._forget_progress(live.trial.number)
        names = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned"}
        event = record.event(live, self._template.epochs, self._rungs)
        self._tell({"event": "trial_end", "state": names.get(state, "failed"), "reason": reason, **event})

    def _give_up_for_time(self) -> None:
        """End what an earlier session began and no time is left for; write down that the study was cut."""
        self._cut()
        while self._again:
            live = self._again.popleft()
            if live.epoch:
                self._stop_early(live)
            else:
                self._end(live, TrialState.FAIL, f"{TIME_WAS_UP} before its first epoch")

    def _cut(self) -> None:
        kept = {"at": now(), "not_started": sum(each.stage != "search" for each in self._queue) + self._draws_left}
        self._study.set_user_attr(TIME_UP.format(self._name), kept)

    def _note_time(self) -> None:
        if self._clock.hours is not None:
            self._study.set_user_attr(USED, self._clock.used)

    def _folder(self, number: int) -> Place:
        return checkpoints(self.run_dir, self._mirror, self._label(number))

    def _label(self, number: int) -> str:
        return f"{'c' if self._name == CONFIRM else ''}{number}"

    def _forget_progress(self, number: int) -> None:
        if self._mirror:
            self._mirror.forget(self._label(number))
        else:
            checkpoint.forget_progress(self._folder(number))

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Keep an exception as the study's fault: in Tune's loop it would end in a hang."""
        try:
            yield
        except Exception as error:
            self.fault = self.fault or error

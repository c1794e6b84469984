"""A fixed list of trials through this project's own search stage: study file, checks, searcher, Ray Tune, journal.

python -m benchmarks.own STUDY.yaml JOB.json OUTCOME.json RUN_DIR
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from search.tuner import carry_out, cluster, slots  # isort: skip  # sets what Ray reads when it is imported
from benchmarks.plain.job import Job, Outcome
from search.layering import resolve
from search.progress import Progress
from search.proposals import Proposal
from search.results.load import load
from search.sampler import StudySearcher
from search.setup import Setup, check
from search.storage import SEARCH
from search.study import prepare
from spaces.strategy import Probe, Strategy, Top


class Noting(StudySearcher):
    """Hands out a fixed list, and notes which processes trained."""

    def __init__(self, setup: Setup, queue: Sequence[Proposal]) -> None:
        super().__init__(setup.run_dir, SEARCH, setup.template, queue, tell=setup.progress)
        self.workers: set[int] = set()

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:
        """Note the process, then record as ever."""
        self.workers |= {result["pid"]} if result else set()
        super().on_trial_complete(trial_id, result, error)


def run(study: Path, job: Job, run_dir: Path) -> Outcome:
    """Carry out the search stage over the job's points; no early stopping, no confirmation."""
    progress = Progress(total=len(job.points), metric="accuracy", quiet=True)
    setup = prepare(check(resolve(study)), run_dir, progress)
    queue = [Proposal(_strategy(job, n), "search", point.seed) for n, point in enumerate(job.points)]
    with cluster():
        searcher, begun = Noting(setup, queue), time.perf_counter()
        carry_out(searcher, None, slots(setup.config.resources))
        seconds = time.perf_counter() - begun
    trials, epochs = load(run_dir)
    if list(trials["state"]) != ["complete"] * len(queue):
        raise RuntimeError(f"not every trial came to its end:\n{trials[['trial', 'state', 'reason']]}")
    last = epochs[epochs["epoch"] == job.epochs].set_index("trial")["val_loss"]
    losses = [float(last[trial]) for trial in trials["trial"]]
    return Outcome([float(score) for score in trials["score"]], losses, len(searcher.workers), seconds)


def _strategy(job: Job, number: int) -> Strategy:
    point = job.points[number]
    freezing = Top(point.depth) if point.depth else Probe()
    return Strategy(freezing, point.head_lr, job.lr_ratio, batch_size=job.batch_size).canonical(job.blocks)


if __name__ == "__main__":
    given, job_file, outcome, folder = map(Path, sys.argv[1:])
    run(given, Job.read(job_file), folder).write(outcome)

"""Run a trainable over a job's points with Ray Tune and OptunaSearch, as the documentation does; no early stopping."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.search.optuna import OptunaSearch

from benchmarks.plain.job import Job, Outcome


def run(job: Job, trainable: Any, *, reuse_actors: bool, checkpoints: tune.CheckpointConfig) -> Outcome:
    """Train every point of ``job``; return what came of it in the points' order."""
    ray.init(address="local", num_cpus=job.slots, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    space = {
        "depth": tune.randint(0, job.blocks + 1),
        "head_lr": tune.loguniform(1e-5, 1e-1),
        "seed": tune.randint(0, 2**16),
    }
    points = [asdict(point) for point in job.points]
    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(trainable, job=job), {"cpu": 1}),
            param_space=space,
            tune_config=tune.TuneConfig(
                metric="score",
                mode="max",
                search_alg=OptunaSearch(points_to_evaluate=points),
                num_samples=len(points),
                max_concurrent_trials=job.slots,
                reuse_actors=reuse_actors,
            ),
            run_config=tune.RunConfig(name="plain", storage_path=folder, checkpoint_config=checkpoints, verbose=0),
        )
        begun = time.perf_counter()
        found = tuner.fit()
        seconds = time.perf_counter() - begun
    if found.num_errors:
        raise found.errors[0]
    # Optuna has the points as they were given, in the order of the list.
    ended = {(r.config["depth"], r.config["head_lr"], r.config["seed"]): r.metrics for r in found}
    told = [ended[point.depth, point.head_lr, point.seed] for point in job.points]
    ray.shutdown()
    workers = len({metrics["pid"] for metrics in told})
    return Outcome([each["score"] for each in told], [each["val_loss"] for each in told], workers, seconds)


def main(trainable: Any, *, reuse_actors: bool, checkpoints: tune.CheckpointConfig) -> None:
    """Read the job that the command line names, run it, write the outcome."""
    job, outcome = map(Path, sys.argv[1:])
    run(Job.read(job), trainable, reuse_actors=reuse_actors, checkpoints=checkpoints).write(outcome)

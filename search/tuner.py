"""Assemble Ray Tune: start Ray, choose the slots, and carry out what a searcher hands out."""

from __future__ import annotations

import math
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# Read by Ray when it is imported, or when its processes start.
ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_DEDUP_LOGS": "1",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # else a driver started by uv makes Ray pack the working directory
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_worker_prestart": "0",  # Tune's workers have an environment of their own: these would idle
    "RAY_prestart_worker_first_driver": "0",
    "RAY_worker_niceness": "0",  # Ray's own 15 starves trials on a shared machine
    "RAY_raylet_start_wait_time_s": "180",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # an interrupt ends the study at once; what is finished stands in the journal
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_THRESHOLD_S": "30",
}
for _name, _value in ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

import logging  # noqa: E402

import ray  # noqa: E402
from ray import tune  # noqa: E402

from search.cluster import token  # noqa: E402
from search.config import ResourcesConfig  # noqa: E402
from search.errors import ExitCode, StudyFailed  # noqa: E402
from search.faults import stopped_by  # noqa: E402
from search.rungs import Stopping  # noqa: E402
from search.sampler import StudySearcher  # noqa: E402
from search.scheduler import StopAtFault, StratifiedScheduler  # noqa: E402
from trainables.trial import StrategyTrial, open_test  # noqa: E402

# Of the driver, for `storage.runs`. Tune hands them to its trials; whoever opens the test set needs them as well.
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")


@dataclass(frozen=True)
class Slots:
    """What one trial gets, and how many run at once. Ray has a worker compute on as many threads as it gets CPUs."""

    cpus: float
    gpus: float
    concurrent: int


@contextmanager
def cluster() -> Iterator[None]:
    """Use the Ray that is connected or that RAY_ADDRESS names, or start one on this machine for the time being.

    In a job Ray itself sets RAY_ADDRESS to the cluster it runs on. A Ray that is started here asks for a token.

    Raises:
        StudyFailed: Ray could not be started or reached.
    """
    if ray.is_initialized():
        yield
        return
    address = "auto" if os.environ.get("RAY_ADDRESS") else "local"
    on_terminate = signal.getsignal(signal.SIGTERM)
    try:
        if address == "local":
            token.ensure()
        ray.init(
            address=address,
            include_dashboard=None if address == "auto" else False,
            logging_level="ERROR",
            log_to_driver=False,
            configure_logging=True,
        )
    except Exception as error:  # of no common class: a start that takes too long raises a plain Exception
        raise StudyFailed(f"Ray could not be started or reached: {error}", ExitCode.CLUSTER) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_terminate)  # Ray has put its own in the place of ours
    try:
        yield
    finally:
        ray.shutdown()


def slots(wanted: ResourcesConfig) -> Slots:
    """Return the slots of the connected cluster. CPUs that no further trial would use go to those that run.

    Raises:
        StudyFailed: one trial asks for more than the whole cluster has.
    """
    there = ray.cluster_resources()
    cpus, gpus = there.get("CPU", 0.0), there.get("GPU", 0.0)
    per_trial = wanted.gpus_per_trial if wanted.gpus_per_trial != "auto" else (1.0 if gpus else 0.0)
    if wanted.cpus_per_trial > cpus or per_trial > gpus:
        asked = f"{wanted.cpus_per_trial:g} CPU and {per_trial:g} GPU a trial"
        message = f"resources: {asked} are asked for, the cluster has {cpus:g} CPU and {gpus:g} GPU"
        raise StudyFailed(f"{message}; lower resources.cpus_per_trial or gpus_per_trial", ExitCode.USAGE)
    room = min(cpus / wanted.cpus_per_trial, gpus / per_trial if per_trial else math.inf)
    most = max(1, math.floor(room))
    concurrent = most if wanted.concurrent == "auto" else min(wanted.concurrent, most)
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    # Ray may have been told of more CPUs than there are; how many there are is known of this machine alone.
    cores = float(os.cpu_count() or 1) if len(nodes) == 1 else math.inf
    each = [(min(cores, node.get("CPU", 0.0)), node.get("GPU", 0.0)) for node in nodes]
    return Slots(cpus_each(each, wanted.cpus_per_trial, per_trial, concurrent), per_trial, concurrent)


def cpus_each(nodes: Sequence[tuple[float, float]], cpus: float, gpus: float, concurrent: int) -> float:
    """Return the most whole CPUs with which ``concurrent`` trials of ``gpus`` GPUs still find room at once.

    At least ``cpus``, the share that was asked for; ``nodes`` are the CPUs and GPUs of each machine.
    """

    def fit(share: int) -> int:
        return sum(math.floor(min(node / share, there / gpus if gpus else math.inf)) for node, there in nodes)

    most = math.floor(max((node for node, _ in nodes), default=0.0))
    shares = range(most, math.floor(cpus), -1)
    return next((float(share) for share in shares if fit(share) >= concurrent), cpus)


def carry_out(searcher: StudySearcher, rungs: Stopping | None, room: Slots, most: int) -> None:
    """Run everything ``searcher`` hands out, ``most`` trials at the most. What came of it stands in Optuna.

    Raises:
        StudyFailed: the run folder cannot be written any more.
    """
    if not searcher.has_work:
        return
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # what a trial did, our own lines tell
    folder = tempfile.mkdtemp(prefix="thawline-tune-")  # Tune insists on one; nothing in it is ever read
    try:
        tune.Tuner(
            tune.with_resources(StrategyTrial, {"cpu": room.cpus, "gpu": room.gpus}),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=StratifiedScheduler(searcher, rungs),
                num_samples=2 * most,  # each may be handed out again once
                max_concurrent_trials=room.concurrent,
                reuse_actors=True,
                trial_dirname_creator=_label,
                trial_name_creator=_label,
            ),
            run_config=tune.RunConfig(
                name="session",
                storage_path=folder,
                verbose=0,
                stop=StopAtFault(searcher),
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if searcher.fault:
        raise stopped_by(searcher.fault, searcher.run_dir)


def measure_test(orders: Sequence[dict[str, Any]], room: Slots) -> list[float]:
    """Open the test set for kept trials, spread over the slots; one score an order, in order."""
    share = min(room.concurrent, len(orders))
    known = {name: os.environ[name] for name in CREDENTIALS if name in os.environ}
    environment = {"env_vars": known} if known else None
    task = ray.remote(num_cpus=room.cpus, num_gpus=room.gpus, max_retries=1, runtime_env=environment)(open_test)
    parts = ray.get([task.remote(list(orders[start::share])) for start in range(share)])
    return [parts[index % share][index // share] for index in range(len(orders))]


def _label(trial: Any) -> str:
    return f"trial-{trial.config.get('label', trial.trial_id)}"

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
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # or the death of a node is told on stdout, between our own lines
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

from search.cluster import growth, token  # noqa: E402
from search.cluster.growth import Machine  # noqa: E402
from search.config import ResourcesConfig  # noqa: E402
from search.errors import ExitCode, StudyFailed  # noqa: E402
from search.faults import stopped_by  # noqa: E402
from search.progress import Tell  # noqa: E402
from search.record import MOST_MOVES  # noqa: E402
from search.rungs import Stopping  # noqa: E402
from search.sampler import StudySearcher  # noqa: E402
from search.scheduler import StopAtFault, StratifiedScheduler  # noqa: E402
from trainables.team_trial import Members, TeamTrial  # noqa: E402
from trainables.trial import StrategyTrial, open_test  # noqa: E402

LOOK = 2.0  # seconds between two looks at the machines
# Of the driver, for `storage.runs`. Tune hands them to its trials; whoever opens the test set needs them as well.
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")


@dataclass(frozen=True)
class Slots:
    """What each worker gets, how many trials run at once, on how many machines, and how many workers train a trial.

    Ray has a worker compute on as many threads as it gets CPUs.
    """

    cpus: float
    gpus: float
    concurrent: int
    machines: int = 1
    workers: int = 1


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
        _connect(address)
    except Exception as error:  # of no common class: a start that takes too long raises a plain Exception
        raise StudyFailed(f"Ray could not be started or reached: {error}", ExitCode.CLUSTER) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_terminate)  # Ray has put its own in the place of ours
    try:
        yield
    finally:
        ray.shutdown()


def _connect(address: str) -> None:
    """Start Ray or reach it. A start that failed is tried once more: on a loaded machine it may take too long."""
    started_here = address == "local"
    options: dict[str, Any] = {"include_dashboard": False if started_here else None}
    options |= {"address": address, "logging_level": "ERROR", "log_to_driver": False, "configure_logging": True}
    try:
        ray.init(**options)
    except Exception:  # of no common class; the second one is told
        if not started_here:
            raise
        ray.shutdown()  # of what had come up
        ray.init(**options)


def slots(wanted: ResourcesConfig, share: float = 1.0) -> Slots:
    """Return the slots of the connected cluster, with those of machines that its autoscaler may start.

    ``share`` is the part of a GPU that a trial gets where ``gpus_per_trial`` is auto and there are GPUs. CPUs that no
    further trial would use go to those that run. The workers of one trial may lie on several machines.

    Raises:
        StudyFailed: one worker asks for more than any machine has, or a trial for more workers than there is room for.
    """
    workers = wanted.workers_per_trial
    there, coming = growth.up(ray.nodes()), growth.planned()
    has_gpu = any(machine.gpus for machine in (*there, *coming))
    per_trial = wanted.gpus_per_trial if wanted.gpus_per_trial != "auto" else (share if has_gpu else 0.0)
    one = Machine(wanted.cpus_per_trial, per_trial)
    machines = growth.expected(there, coming, None if wanted.nodes == "auto" else wanted.nodes, one)
    places = sum(machine.fits(*one) for machine in machines)
    most = places // workers
    if not most:
        raise StudyFailed(_no_room(one, workers, places, machines), ExitCode.USAGE)
    concurrent = most if wanted.concurrent == "auto" else min(wanted.concurrent, most)
    # Ray may have been told of more CPUs than there are; how many there are is known of this machine alone.
    cores = float(os.cpu_count() or 1) if len(there) == len(machines) == 1 else math.inf
    real = [Machine(min(cores, machine.cpus), machine.gpus) for machine in machines]
    cpus = cpus_each(real, one.cpus, per_trial, concurrent * workers)
    fits = sorted((machine.fits(cpus, per_trial) for machine in machines), reverse=True)
    needed = next(count for count in range(1, len(fits) + 1) if sum(fits[:count]) >= concurrent * workers)
    return Slots(cpus, per_trial, concurrent, needed, workers)


def _no_room(one: Machine, workers: int, places: int, machines: Sequence[Machine]) -> str:
    each = f"{one.cpus:g} CPU and {one.gpus:g} GPU"
    asked = f"{each} a trial" if workers == 1 else f"{workers} workers a trial with {each} each"
    has = ", ".join(sorted({f"{machine.cpus:g} CPU and {machine.gpus:g} GPU" for machine in machines}))
    lack = f"the machines have room for {places} of them" if places else "no machine of the cluster has them"
    lower = f"lower resources.{'workers_per_trial, ' if places else ''}cpus_per_trial or gpus_per_trial"
    message = f"resources: {asked} are asked for, {lack}; those there have {has}"
    return f"{message}; {lower}; set resources.nodes if machines are to come"


def cpus_each(machines: Sequence[Machine], cpus: float, gpus: float, concurrent: int) -> float:
    """Return the most whole CPUs with which ``concurrent`` workers of ``gpus`` GPUs still find room at once.

    At least ``cpus``, the share that was asked for.
    """
    most = math.floor(max((machine.cpus for machine in machines), default=0.0))
    shares = range(most, math.floor(cpus), -1)
    fits = (share for share in shares if sum(machine.fits(share, gpus) for machine in machines) >= concurrent)
    return next(map(float, fits), cpus)


@contextmanager
def machines_told(room: Slots, tell: Tell) -> Iterator[None]:
    """Say how many of the machines that trials count on are up, whenever that changes: some may come, some may go."""
    kind, over = "GPU nodes" if room.gpus else "nodes", threading.Event()

    def watch() -> None:
        before = room.machines
        while not over.is_set():
            fit = sum(machine.fits(room.cpus, room.gpus) > 0 for machine in growth.up(ray.nodes()))
            now = min(fit, room.machines)
            if now != before:
                waits = "waiting for " if now < room.machines else ""
                message = f"{waits}{kind}: {now}/{room.machines} up"
                tell({"event": "note", "message": message, "nodes_up": now, "nodes": room.machines})
            before = now
            over.wait(LOOK)

    thread = threading.Thread(target=watch, name="machines", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def carry_out(searcher: StudySearcher, rungs: Stopping | None, room: Slots) -> None:
    """Run everything ``searcher`` hands out. What came of it stands in Optuna.

    Raises:
        StudyFailed: the run folder cannot be written any more.
    """
    if not searcher.has_work:
        return
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # what a trial did, our own lines tell
    folder = tempfile.mkdtemp(prefix="thawline-tune-")  # Tune insists on one; nothing in it is ever read
    try:
        tune.Tuner(
            _trainable(room),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=StratifiedScheduler(searcher, rungs),
                num_samples=-1,  # the searcher says when it is done: a trial may be handed out several times
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


def _trainable(room: Slots) -> Any:
    """Return what trains a trial; where that is a team, Ray Train asks for its workers' CPUs and GPUs itself."""
    if room.workers == 1:
        return tune.with_resources(StrategyTrial, {"cpu": room.cpus, "gpu": room.gpus})
    team = tune.with_parameters(TeamTrial, members=Members(room.workers, room.cpus, room.gpus))
    # Of the process that waits for them. Tune wants one resource at least: it has no groups that ask for nothing.
    return tune.with_resources(team, tune.PlacementGroupFactory([{"memory": 2**20}]))


def measure_test(orders: Sequence[dict[str, Any]], room: Slots) -> list[float]:
    """Open the test set for kept trials, spread over the slots; one score an order, in order."""
    share = min(room.concurrent, len(orders))
    known = {name: os.environ[name] for name in CREDENTIALS if name in os.environ}
    environment = {"env_vars": known} if known else None
    task = ray.remote(num_cpus=room.cpus, num_gpus=room.gpus, max_retries=MOST_MOVES, runtime_env=environment)(
        open_test
    )
    parts = ray.get([task.remote(list(orders[start::share])) for start in range(share)])
    return [parts[index % share][index // share] for index in range(len(orders))]


def _label(trial: Any) -> str:
    return f"trial-{trial.config.get('label', trial.trial_id)}"

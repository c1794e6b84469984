"""One way of training a job's list, run and metered."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import jobs, metering
from benchmarks.kept import Kept
from benchmarks.metering import Spent
from benchmarks.plain.job import Outcome

FUNCTION, CLASS, OWN, OWN_BF16 = "(a)", "(b)", "thawline", "thawline in bf16"
PLAIN = {FUNCTION: "benchmarks.plain.function_trainable", CLASS: "benchmarks.plain.class_trainable"}
PRECISIONS = {OWN: "fp32", OWN_BF16: "bf16"}
# For both: Ray's own nice 15 would measure what else the machine does, and a loaded one starts Ray slowly.
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "RAY_ADDRESS": "",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": "180",
    "RAY_worker_niceness": "0",
}
KEPT = Kept.of("study")


@dataclass(frozen=True)
class Leg:
    """What one way took, and what came of it."""

    spent: Spent
    outcome: Outcome


@dataclass(frozen=True)
class List:
    """A list of trials, with all that decides what it costs."""

    network: jobs.Network
    depths: tuple[int, ...]
    samples: int
    epochs: int
    seed: int


def leg(wanted: List, way: str) -> Leg:
    """Train the list in one way, in processes of its own, on files of its own."""
    with tempfile.TemporaryDirectory(prefix="thawline-leg-") as place:
        folder = Path(place)
        network = wanted.network
        trials = jobs.points(wanted.depths, network.blocks, wanted.seed)
        job = jobs.write(network, trials, wanted.samples, wanted.epochs, folder)
        given, came = str(job.write(folder / "job.json")), folder / "outcome.json"
        cache = {"THAWLINE_CACHE": str(folder / "cache")}
        if way in PLAIN:
            spent = metering.run(PLAIN[way], [given, str(came)], ENVIRONMENT | cache)
        else:
            study = jobs.study_file(network, job, PRECISIONS[way], folder / "study.yaml")
            arguments = [str(study), given, str(came), str(folder / "run")]
            spent = metering.run("benchmarks.own", arguments, ENVIRONMENT | cache)
        return Leg(spent, Outcome.read(came))


def kept(wanted: List, way: str, measure: Callable[[List, str], Leg] = leg, there: Kept = KEPT) -> Leg:
    """Return the leg that an earlier run of the same code has measured, or measure it and keep it."""
    found = there.get(json.dumps([asdict(wanted), way]), lambda: asdict(measure(wanted, way)))
    return Leg(Spent(**found["spent"]), Outcome(**found["outcome"]))

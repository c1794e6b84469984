"""How many trials share a GPU where the study leaves it open: as many as the memory of a training step allows.

Measured once before the search, on a GPU of the cluster: full fine-tuning, in the largest batch of the space.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import ray

from search.cluster import growth
from search.cluster.growth import Machine
from search.config import ResourcesConfig
from search.faults import reason
from search.setup import Setup
from spaces.domain import extremes
from spaces.param import Space
from spaces.strategy import Strategy, to_point
from trainables.devices import CONTEXT
from trainables.trial import step_on_gpu

WHOLE = 1.0
SHARES = {1: WHOLE, 2: 0.5, 3: 0.3333, 4: 0.25}  # of a GPU, by how many share it; Ray counts in ten-thousandths
MARGIN = 1.25  # times what a step takes: memory in pieces, validation, recordings
PATIENCE = 600.0  # seconds: somebody else may have every GPU


@dataclass(frozen=True)
class Measured:
    """What a step takes and what a GPU leaves to it, in bytes; ``step`` is None where it does not fit into a GPU."""

    step: int | None
    usable: int


def gpu_share(setup: Setup, machines: Sequence[Machine] | None = None) -> float:
    """Return the part of a GPU that each trial gets where the study says ``auto``, and say why.

    The whole where that cannot be told, and where no more trials would run at once.
    """
    there = growth.up(ray.nodes()) if machines is None else machines
    if not _is_open(setup.config.resources, [*there, *growth.planned()]):
        return WHOLE
    most = most_on_one(there, setup.config.resources)
    if most == 1:
        return WHOLE
    if not most:
        _tell(setup, "no GPU is up yet to measure on")
        return WHOLE
    try:
        measured = _measure(setup)
    except Exception as error:  # whatever a network makes of its first step, and whatever befalls a worker
        _tell(setup, f"it could not be measured what a step takes ({reason(error)})")
        return WHOLE
    count = trials_on_one(measured, most)
    setup.progress({"event": "note", "message": _sentence(measured, count)})
    return SHARES[count]


def trials_on_one(measured: Measured, most: int) -> int:
    """Return how many trials, up to ``most``, share a GPU, so that a step of each has room beside the others."""
    if measured.step is None:
        return 1
    each = MARGIN * measured.step + CONTEXT
    return next((count for count in range(most, 1, -1) if count * each <= measured.usable), 1)


def most_on_one(machines: Sequence[Machine], wanted: ResourcesConfig) -> int:
    """Return how many trials could share a GPU for all that CPUs and ``concurrent`` allow; 0 where there is no GPU."""
    with_gpus = [machine for machine in machines if machine.gpus]
    if not with_gpus:
        return 0
    by_cpus = max(math.floor(machine.cpus / wanted.cpus_per_trial / machine.gpus) for machine in with_gpus)
    gpus = sum(machine.gpus for machine in with_gpus)
    asked = max(SHARES) if wanted.concurrent == "auto" else math.ceil(wanted.concurrent / gpus)
    return max(1, min(max(SHARES), by_cpus, asked))


def heaviest(full: Strategy, space: Space) -> Strategy:
    """Return full fine-tuning with what takes most memory in ``space``."""
    return replace(
        full,
        batch_size=int(_largest(space, "batch_size", full.batch_size)),
        l2_sp=_largest(space, "l2_sp", full.l2_sp),
    )


def _largest(space: Space, name: str, default: float) -> float:
    if name in space.names:
        return extremes(space[name].domain)[1]
    return float(space.fixed.get(name, default))


def _is_open(wanted: ResourcesConfig, machines: Sequence[Machine]) -> bool:
    open_ = wanted.gpus_per_trial == "auto" and wanted.workers_per_trial == 1  # of a team, each has whole ones
    return open_ and any(machine.gpus for machine in machines)


def _measure(setup: Setup) -> Measured:
    strategy = heaviest(setup.controls["full"], setup.space)
    config = setup.template.model_copy(update={"strategy": to_point(strategy)})
    task = ray.remote(num_cpus=setup.config.resources.cpus_per_trial, num_gpus=WHOLE, max_retries=0)(step_on_gpu)
    going: Any = task.remote(config.model_dump(mode="json"))
    try:
        return Measured(*ray.get(going, timeout=PATIENCE))
    except ray.exceptions.GetTimeoutError:
        ray.cancel(going, force=True)
        raise TimeoutError(f"no GPU was free, or done, within {PATIENCE:g} s") from None


def _sentence(measured: Measured, count: int) -> str:
    if measured.step is None:
        return "GPUs: a step of full fine-tuning does not fit into one at once; each trial has one to itself"
    share = "each trial has one to itself" if count == 1 else f"{count} trials share one"
    step, usable = (each / 2**30 for each in (measured.step, measured.usable))
    return f"GPUs: a step of full fine-tuning takes {step:.1f} of {usable:.1f} GB; {share}"


def _tell(setup: Setup, why: str) -> None:
    way_out = "name a fraction in resources.gpus_per_trial where several fit"
    setup.progress({"event": "note", "message": f"GPUs: {why}; each trial has one to itself; {way_out}"})

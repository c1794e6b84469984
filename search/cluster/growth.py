"""Which machines of a cluster run trials: those that are up, and those that its autoscaler may start."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

# Where Ray's launcher leaves the cluster file on the head, with what it found out about each kind of machine.
BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")


class Machine(NamedTuple):
    """What a machine has for trials."""

    cpus: float
    gpus: float

    def fits(self, cpus: float, gpus: float) -> int:
        """Return how many trials of so many CPUs and GPUs run on it at once."""
        return math.floor(min(self.cpus / cpus, self.gpus / gpus if gpus else math.inf))


def up(nodes: Sequence[Mapping[str, Any]]) -> list[Machine]:
    """Return the machines that are alive, from `ray.nodes`."""
    there = [node["Resources"] for node in nodes if node["Alive"]]
    return [Machine(float(node.get("CPU", 0)), float(node.get("GPU", 0))) for node in there]


def planned(file: Path | None = None) -> list[Machine]:
    """Return every worker that the cluster's own autoscaler may have up at once; none where there is no such file."""
    path = (file or BOOTSTRAP).expanduser()
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        kinds = config["available_node_types"]
        found = []
        for name, kind in kinds.items():
            machine = Machine(float(kind["resources"].get("CPU", 0)), float(kind["resources"].get("GPU", 0)))
            found += [machine] * (0 if name == config.get("head_node_type") else int(kind.get("max_workers") or 0))
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError):
        return []  # not started by the launcher, or by one that knows nothing of its machines
    return found[: int(config.get("max_workers") or len(found))]


def expected(
    there: Sequence[Machine], coming: Sequence[Machine], asked: int | None, smallest: Machine
) -> list[Machine]:
    """Return the machines that trials may count on.

    Args:
        there: Those that are up.
        coming: Those that the autoscaler may have up, of which some may be up already.
        asked: How many the study counts on, whatever is up; None leaves it to the other two.
        smallest: What one trial needs; stands for a machine of which nothing is known.
    """

    def most(machine: Machine) -> int:
        return machine.fits(*smallest)

    if asked is not None:
        known = sorted((each for each in (*there, *coming) if most(each)), key=most, reverse=True)[:asked]
        return known + [known[-1] if known else smallest] * (asked - len(known))
    more = sum(map(most, coming)) > sum(map(most, there))
    return list(coming if more else there)

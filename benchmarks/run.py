"""Run benchmarks, print their rows and write them to benchmarks/results/NAME.json.

    python -m benchmarks.run              all of them
    python -m benchmarks.run startup      those named
    python -m benchmarks.run study:small  one part of an experiment that has PARTS, written to NAME-PART.json
    python -m benchmarks.run prefix --device cuda   on a GPU, written to NAME-cuda.json

An experiment is a module in benchmarks/experiments/ with ``rows()``, or ``rows(parts)`` and ``PARTS``, or
``rows(device)`` and ``DEVICES``. The result says on which machine it was measured. Exit code 1 where a goal is missed,
2 where there is no such experiment, or none that runs on that device.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from benchmarks import experiments
from benchmarks.row import Row

RESULTS = Path(__file__).parent / "results"
DEVICES = ("cpu", "cuda")
MARKS = {True: "yes", False: "NO", None: ""}


def names() -> list[str]:
    """Return the experiments that exist."""
    return sorted(module.name for module in pkgutil.iter_modules(experiments.__path__))


def machine(device: str = "cpu") -> str:
    """Describe where this runs: processor, cores, memory, system, Python, and the GPU if it is on one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    where = f"{platform.machine()}, {cores} cores, {gigabytes:.0f} GB, {platform.system()}"
    return f"{where}, Python {platform.python_version()}" + ("" if device == "cpu" else f", {_gpu()}")


def run(wanted: str, folder: Path = RESULTS, device: str = "cpu") -> list[Row]:
    """Run one experiment, or one part of it, and write its result."""
    name, _, part = wanted.partition(":")
    experiment = importlib.import_module(f"benchmarks.experiments.{name}")
    options = {} if device == "cpu" else {"device": device}
    rows: list[Row] = experiment.rows((part,)) if part else experiment.rows(**options)
    folder.mkdir(parents=True, exist_ok=True)
    written = "-".join([name, *([part] if part else []), *([] if device == "cpu" else [device])])
    text = json.dumps({"name": written, "machine": machine(device), "rows": rows}, indent=2, allow_nan=False)
    (folder / f"{written}.json").write_text(text + "\n", encoding="utf-8")
    return rows


def runs_on(name: str, device: str) -> bool:
    """Tell whether an experiment measures on ``device``; all of them do on the CPU."""
    experiment = importlib.import_module(f"benchmarks.experiments.{name}")
    return device in getattr(experiment, "DEVICES", ("cpu",))


def refusal(wanted: Sequence[str], device: str) -> str | None:
    """Return why experiments that exist cannot run on ``device``, in a sentence; None where they can."""
    if device == "cpu":
        return None
    if refused := [name for name in wanted if not runs_on(name.partition(":")[0], device)]:
        able = ", ".join(name for name in names() if runs_on(name, device))
        return f"{', '.join(refused)} cannot be measured on a GPU; --device {device} takes: {able or 'none'}"
    return None if _sees_cuda() else f"--device {device}: torch sees no GPU here; leave it out to measure the CPU"


def _sees_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name()


def _is_there(wanted: str) -> bool:
    name, _, part = wanted.partition(":")
    if name not in names():
        return False
    return not part or part in getattr(importlib.import_module(f"benchmarks.experiments.{name}"), "PARTS", ())


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table to read in a terminal."""
    lines = [[row["metric"], row["value"], row["goal"], MARKS[row["ok"]], row["note"]] for row in rows]
    return str(tabulate(lines, headers=["metric", "value", "goal", "met", "note"], floatfmt=".3g"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Run benchmarks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names())} (default: all)")
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="where to measure (default: cpu)")
    given = parser.parse_args(arguments)
    wanted = given.names or [name for name in names() if given.device == "cpu" or runs_on(name, given.device)]
    if unknown := [name for name in wanted if not _is_there(name)]:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    if why := refusal(wanted, given.device):
        print(why, file=sys.stderr)
        return 2
    missed = False
    for name in wanted:
        rows = run(name, RESULTS, given.device)
        missed |= any(row["ok"] is False for row in rows)
        print(f"{name}\n{table(rows)}\n")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())

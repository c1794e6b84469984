"""Run benchmarks, print their rows and write them to benchmarks/results/NAME.json.

    python -m benchmarks.run              all of them
    python -m benchmarks.run startup      those named
    python -m benchmarks.run study:small  one part of an experiment that has PARTS

An experiment is a module in benchmarks/experiments/ with ``rows()``, or ``rows(parts)`` and ``PARTS``. The result
says on which machine it was measured. Exit code 1 where a goal is missed, 2 where there is no such experiment.
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
MARKS = {True: "yes", False: "NO", None: ""}


def names() -> list[str]:
    """Return the experiments that exist."""
    return sorted(module.name for module in pkgutil.iter_modules(experiments.__path__))


def machine() -> str:
    """Describe where this runs: processor, cores, memory, system, Python."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    where = f"{platform.machine()}, {cores} cores, {gigabytes:.0f} GB, {platform.system()}"
    return f"{where}, Python {platform.python_version()}"


def run(wanted: str, folder: Path = RESULTS) -> list[Row]:
    """Run one experiment, or one part of it, and write its result."""
    name, _, part = wanted.partition(":")
    experiment = importlib.import_module(f"benchmarks.experiments.{name}")
    rows: list[Row] = experiment.rows((part,)) if part else experiment.rows()
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"name": name, "machine": machine(), "rows": rows}, indent=2, allow_nan=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    return rows


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
    wanted = parser.parse_args(arguments).names or names()
    if unknown := [name for name in wanted if not _is_there(name)]:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    missed = False
    for name in wanted:
        rows = run(name)
        missed |= any(row["ok"] is False for row in rows)
        print(f"{name}\n{table(rows)}\n")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())

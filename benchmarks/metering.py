"""Run a script that starts Ray, and measure from outside what its worker processes spend. Linux only.

Every process below the script is looked at a few times a second, and counts with what it had spent when it was
last seen: a process that ends in between is charged with a fraction of a second too little.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROC, ROOT = Path("/proc"), Path(__file__).parents[1]
INTERVAL = 0.2  # seconds
TICKS = os.sysconf("SC_CLK_TCK")
WORKER = re.compile(r"default_worker\.py|^ray::(?!\w*Agent\b)")  # before and after it has a name; not Ray's own agents
LIMIT = 4 * 3600  # seconds that a script may take


@dataclass(frozen=True)
class Spent:
    """What a script took: wall seconds from its start to its end, CPU-seconds of its workers and of everything."""

    wall: float
    workers: float
    everything: float
    started: int  # worker processes


def run(module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Spent:
    """Run ``python -m module`` with ``arguments`` and more ``environment``; return what it took.

    Raises:
        RuntimeError: it failed; says how.
    """
    given = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment}
    with tempfile.TemporaryFile() as told:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], cwd=ROOT, env=given, stdout=told, stderr=subprocess.STDOUT
        )
        meter = Meter(process.pid)
        watch = threading.Thread(target=meter.watch, daemon=True)
        watch.start()
        try:
            code = process.wait(LIMIT)
            wall = time.perf_counter() - begun
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
            meter.over.set()
            watch.join()
        if code:
            told.seek(0)
            last = told.read().decode(errors="replace")[-4000:]
            raise RuntimeError(f"python -m {module} {' '.join(arguments)} exited {code}:\n{last}")
    return meter.spent(wall)


@dataclass
class Meter:
    """Looks at the processes below ``root`` until it is told that it is over."""

    root: int
    over: threading.Event = field(default_factory=threading.Event)
    _spent: dict[tuple[int, int], float] = field(default_factory=dict)  # by process and start: numbers come again
    _workers: set[tuple[int, int]] = field(default_factory=set)

    def watch(self) -> None:
        """Look again and again."""
        while not self.over.wait(INTERVAL):
            self.look()

    def look(self) -> None:
        """Note what every process has spent so far."""
        found = dict(filter(None, map(_read, _numbers())))
        for number, (_, started, spent) in found.items():
            if _is_below(number, self.root, found):
                key = number, started
                self._spent[key] = spent
                if key not in self._workers and WORKER.search(_command(number)):
                    self._workers.add(key)

    def spent(self, wall: float) -> Spent:
        """Return the sums."""
        workers = sum(self._spent[key] for key in self._workers)
        return Spent(wall, workers, sum(self._spent.values()), len(self._workers))


def _numbers() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _read(number: int) -> tuple[int, tuple[int, int, float]] | None:
    """Return a process with its parent, its start and its CPU-seconds; None where it is gone."""
    try:
        fields = (PROC / str(number) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return number, (int(fields[1]), int(fields[19]), (int(fields[11]) + int(fields[12])) / TICKS)


def _is_below(number: int, root: int, found: Mapping[int, tuple[int, int, float]]) -> bool:
    while number in found and number != root:
        number = found[number][0]
    return number == root


def _command(number: int) -> str:
    try:
        return (PROC / str(number) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""

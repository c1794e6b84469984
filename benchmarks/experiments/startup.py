"""How long the commands take that a person waits for: help, a listing, the complaint about a bad file."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.row import Row, at_most

REPEATS = 5
# Five mistakes: name, task, model, metric and an unknown key.
BAD_STUDY = """\
version: 1
name: "not a name!"
task: image-clasification
metric: acuracy
model: torchvision:mobilnet_v2
data: {source: digits:data}
budgte: {trials: 8}
"""


def rows() -> list[Row]:
    """Measure wall seconds, each the median of five runs, in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "bad.yaml"
        study.write_text(BAD_STUDY, encoding="utf-8")
        return [
            _row("thawline --help", ["--help"], exit_code=0, limit=1),
            _row("thawline ls models", ["ls", "models"], exit_code=0, limit=1),
            _row("thawline validate (bad file)", ["validate", str(study)], exit_code=2, limit=2),
        ]


def _row(metric: str, arguments: list[str], *, exit_code: int, limit: float) -> Row:
    seconds = median(_seconds(arguments, exit_code) for _ in range(REPEATS))
    return at_most(metric, round(seconds, 3), limit, unit="s", note=f"wall seconds, median of {REPEATS}")


def _seconds(arguments: list[str], exit_code: int) -> float:
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "search", *arguments], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != exit_code:
        raise RuntimeError(f"thawline {' '.join(arguments)} exited {done.returncode}, not {exit_code}:\n{done.stderr}")
    return seconds

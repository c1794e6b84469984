"""A study that takes seconds: coloured noise at 16 px, a residual network of three blocks, three epochs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Ended(NamedTuple):
    """A command that came to its end: exit code, standard output, standard error."""

    code: int
    printed: str
    told: str


MODULE = '''\
"""Three classes of tinted noise, and a small residual network with batch normalisation."""

import numpy as np
import torch
from torch import nn


def data():
    return {split: _tinted(count, seed) for seed, (split, count) in enumerate(COUNTS.items())}


COUNTS = {"train": 96, "val": 48, "test": 60}


def _tinted(count, seed):
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = random.normal(120, 50, (count, 16, 16, 3))
    images[np.arange(count), :, :, labels] += 15
    return images.clip(0, 255).astype(np.uint8), labels.tolist()


class Unit(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.convolution = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x):
        return x + torch.relu(self.norm(self.convolution(x)))


class Residual(nn.Module):
    preprocessing = {"image_size": 16}

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.units = nn.Sequential(Unit(16), Unit(16), Unit(16))
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        return self.head(self.units(self.stem(x)).mean((2, 3)))


def network(pretrained=True):
    if not pretrained:
        return Residual()
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return Residual()
'''

STUDY = """\
name: tiny
task: image-classification
model: tiny:network
data: {source: "tiny:data"}
space: {preset: quick, head_lr: [0.01, 0.03], lr_ratio: [0.1, 1.0], reinit: [none, all]}
budget: {trials: 6, epochs: 3}
search: {grace: 1}
finalists: {count: 2, seeds: 2}
resources: {concurrent: 1}
"""


def write_project(folder: Path, *, name: str = "tiny", module: str = MODULE, study: str = STUDY) -> Path:
    """Write the module and the study file into ``folder``; return the file.

    Modules of one process need names of their own: Python keeps the first that it imports.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(module)
    (folder / "study.yaml").write_text(study.replace("tiny", name))
    return folder / "study.yaml"


def start(*arguments: str, folder: Path) -> subprocess.Popen[str]:
    """Start the command in a process group of its own, as a terminal does, from ``folder``."""
    return subprocess.Popen(
        [sys.executable, "-m", "search", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def thawline(*arguments: str, folder: Path) -> Ended:
    """Run the command from ``folder`` to its end."""
    command = start(*arguments, folder=folder)
    printed, told = command.communicate(timeout=240)
    return Ended(command.returncode, printed, told)


def lose(command: subprocess.Popen[str]) -> list[str]:
    """Kill a command and every process below it at once, as when its machine is lost; return their names."""
    parents, names = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = path.read_text().partition(" (")[2].rpartition(") ")
            parents[int(path.parent.name)], names[int(path.parent.name)] = int(rest.split()[1]), name
    doomed = [command.pid]
    for pid in doomed:  # grows while it is read
        doomed += [child for child, parent in parents.items() if parent == pid]
    for pid in doomed:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    command.communicate()
    return [names[pid] for pid in doomed if pid in names]

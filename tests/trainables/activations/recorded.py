"""Small recordings without a network, and processes that make them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

from trainables.activations.files import Form, Meta, Writer
from trainables.activations.store import Store

ROOT = Path(__file__).parents[3]
FORM = Form("x", "float32", "float32", (3,), (1,))
SAMPLES = 8


def values() -> torch.Tensor:
    return torch.arange(3.0 * SAMPLES).reshape(SAMPLES, 3)


def fill(folder: Path) -> Meta:
    with Writer(folder, (FORM,), "right") as writer:
        for part in values().split(4):
            writer.add({"x": part}, None)
    return writer.meta({"block": "b"}, seconds=1.0)


def read(store: Store, key: str = "k") -> torch.Tensor | None:
    kept = store.open(key)
    return None if kept is None else kept.take(torch.arange(SAMPLES), None, torch.device("cpu"))["x"]


def process(folder: Path, body: str) -> subprocess.Popen[str]:
    """Start a process that runs ``body`` with a `store` in ``folder`` and the functions of this module."""
    code = (
        "import os, sys, time\nfrom pathlib import Path\n"
        "from tests.trainables.activations.recorded import *\n"
        "from trainables.activations import folder, files as module\n"
        f"store = Store(Path({str(folder)!r}), 10**6)\n{body}"
    )
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)

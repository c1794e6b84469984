"""A study carried out without Ray and without training: the searcher and the scheduler, driven as Tune drives them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from search.clock import Clock
from search.proposals import for_control
from search.rungs import Rungs
from search.sampler import StudySearcher
from search.sampling import Sampling
from search.scheduler import STOP, StratifiedScheduler
from spaces.param import Space
from spaces.strategy import Full, Probe, Strategy
from trainables import checkpoint
from trainables.config import DataConfig, TrialConfig
from trainables.files import put
from trainables.order import Order

EPOCHS = 5
TEMPLATE = TrialConfig(
    task="image-classification",
    metric="accuracy",
    model="torchvision:resnet18",
    data=DataConfig(path="images"),
    epochs=EPOCHS,
    strategy={},
    seed=0,
)
CONTROLS = (Strategy(Probe(), 1e-3, weight_decay=1e-4), Strategy(Full(), 5.0, weight_decay=1e-4))
Watch = Callable[[StudySearcher, Rungs], None]


def unwatched(_searcher: StudySearcher, _rungs: Rungs) -> None:
    """Look at nothing."""


def score(order: Order, epoch: int) -> float:
    """Return a score that depends on what is trained alone; one trial in five diverges in its second epoch."""
    text = f"{sorted(order.config.strategy.items())}/{order.config.seed}"
    drawn = int(hashlib.sha256(text.encode()).hexdigest()[:6], 16)
    return math.nan if drawn % 5 == 0 and epoch == 2 else (drawn % 1000) / 2000 + epoch / 10


def carry_out(
    run_dir: Path,
    space: Space,
    *,
    budget: int,
    slots: int = 1,
    watch: Watch = unwatched,
    clock: Clock | None = None,
    searcher: StudySearcher | None = None,
) -> StudySearcher:
    """Search until nothing is left; ``watch`` looks on after every event."""
    rungs = Rungs(EPOCHS)
    if searcher is None:
        queue, sampling = for_control(CONTROLS, seed=0), Sampling(space, budget, seed=0)
        searcher = StudySearcher(run_dir, "search", TEMPLATE, queue, sampling, rungs, clock=clock)
    scheduler = StratifiedScheduler(searcher, rungs)
    running: dict[str, tuple[Order, int]] = {}
    asked = 0
    while True:
        while len(running) < slots:
            name = f"tune-{asked}"
            suggested = searcher.suggest(name)
            if not isinstance(suggested, dict):
                break
            order = Order.read(suggested)
            running[name], asked = (order, order.after), asked + 1
            watch(searcher, rungs)
        if not running:
            return searcher
        for name, (order, after) in list(running.items()):
            result = epoch(order, after + 1)
            stop = result["done"] or scheduler.on_trial_result(None, SimpleNamespace(trial_id=name), result) == STOP
            if stop:
                searcher.on_trial_complete(name, result)
                del running[name]
            else:
                searcher.on_trial_result(name, result)
                running[name] = (order, after + 1)
            watch(searcher, rungs)


def epoch(order: Order, number: int) -> dict[str, Any]:
    """Return what a worker reports for an epoch, once its progress is kept."""
    reached = score(order, number)
    failure = None if math.isfinite(reached) else f"diverged in epoch {number}"
    done = number == EPOCHS or failure is not None
    if not done:
        assert order.progress is not None
        put(b"", checkpoint.progress(order.progress, number))
    record = {"train_loss": 1.0, "val_loss": 1.0, "seconds": 2.0, "cost": 5.0}
    record |= {"host": "here", "threads": 1, "peak_memory_mb": float(number // 2)}  # one that changes now and then
    return {"epoch": number, "score": reached, "failure": failure, "done": done, **record}

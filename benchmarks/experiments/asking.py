"""What the search itself costs: asking for a point, writing down its epochs, telling its end. No training, no Ray.

Five hundred trials of the preset standard, each with three epochs, driven as Tune drives the searcher.
"""

from __future__ import annotations

import hashlib
import resource
import tempfile
import time
from pathlib import Path
from statistics import fmean

from benchmarks.regret.searches import OurSearch
from benchmarks.row import Row, at_most
from search.rungs import Rungs
from search.sampling import Sampling
from spaces.presets import Setting, build
from trainables.config import DataConfig, TrialConfig

TRIALS, SPAN, EPOCHS = 500, 50, 3
EARLY = slice(SPAN // 2, SPAN // 2 + SPAN)  # around the fiftieth trial
LIMIT, GROWTH = 40, 2.0  # CPU-milliseconds; a trial at the end over one at fifty
MANY_TRIALS, MANY_EPOCHS = 100, 100
PER_EPOCH = 2.0  # kB, that Optuna's picture of the journal holds of an epoch: five numbers under their names
TEMPLATE = TrialConfig(
    task="image-classification",
    metric="accuracy",
    model="torchvision:resnet18",
    data=DataConfig(path="images"),
    epochs=EPOCHS,
    strategy={},
    seed=0,
)
# What a worker tells with every epoch beside its numbers.
FACTS = {
    **{"peak_memory_mb": 512.0, "trainable_params": 5130, "total_params": 11181642, "certificate": "ok"},
    **{"host": "worker", "threads": 1, "boundary": "layer4.1", "cache": "hit", "cache_reason": "read by many epochs"},
}


def rows() -> list[Row]:
    """Measure CPU-seconds of this process."""
    took = seconds(TRIALS)
    early, late = fmean(took[EARLY]), fmean(took[-SPAN:])
    mean = fmean(took)
    return [
        at_most("ask, report and tell", round(1000 * mean, 1), LIMIT, unit="CPU-ms a trial", note=f"{TRIALS} trials"),
        at_most(
            f"the last {SPAN} trials over the {SPAN} around the fiftieth",
            round(late / early, 2),
            GROWTH,
            unit="times",
            note=f"{1000 * early:.1f} and {1000 * late:.1f} CPU-ms a trial",
        ),
        at_most(
            "memory per epoch reported",
            round(growth(), 2),
            PER_EPOCH,
            unit="kB",
            note=f"{MANY_TRIALS * MANY_EPOCHS} epochs",
        ),
    ]


def seconds(trials: int) -> list[float]:
    """Carry out ``trials`` trials; return the CPU-seconds of each."""
    with tempfile.TemporaryDirectory() as folder:
        search = _search(Path(folder), trials, Rungs(EPOCHS))
        found = []
        for _ in range(trials):
            started = time.process_time()
            proposed = search.propose()
            assert proposed is not None, "the space has ranges, so that there is always a next point"
            handle, key = proposed
            for epoch in range(1, EPOCHS + 1):
                if not search.report(handle, epoch, score_of(key, epoch), 1.0) or epoch == EPOCHS:
                    break
            search.end(handle)
            found.append(time.process_time() - started)
        return found


def growth() -> float:
    """Return by how many kilobytes this process grows with an epoch reported."""
    with tempfile.TemporaryDirectory() as folder:
        search = _search(Path(folder), 2 * MANY_TRIALS, None)
        peaks = []
        for epochs in (1, MANY_EPOCHS):  # first what a trial takes without its epochs
            for _ in range(MANY_TRIALS):
                proposed = search.propose()
                assert proposed is not None, "the space has ranges, so that there is always a next point"
                for epoch in range(1, epochs + 1):
                    search.report(proposed[0], epoch, 0.5, 1.0)
                search.end(proposed[0])
            peaks.append(_peak())
        return (peaks[1] - peaks[0]) / (MANY_TRIALS * MANY_EPOCHS)


def _search(folder: Path, trials: int, rungs: Rungs | None) -> OurSearch:
    space = build("standard", Setting("image", "adamw", 17))
    return OurSearch(folder, TEMPLATE, [], Sampling(space, trials, seed=0), rungs, FACTS)


def score_of(key: str, epoch: int) -> float:
    """Return a score that depends on the strategy and rises."""
    return int(hashlib.sha256(key.encode()).hexdigest()[:6], 16) / 16**6 / 2 + epoch / 10


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kB on Linux

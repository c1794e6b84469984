"""A driver whose trials train nothing: what the search and Ray cost where only they are at work.

    python -m benchmarks.trivial ADDRESS SLOTS TRIALS EPOCHS

prints one line of JSON. The journal, the sampler, the rungs and Tune are those of a study; a worker answers at once.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ray import tune

from benchmarks.experiments.asking import TEMPLATE, score_of
from search import tuner
from search.rungs import Rungs
from search.sampler import StudySearcher
from search.sampling import Sampling
from spaces.presets import Setting, build


class Trivial(tune.Trainable):
    """Answers with made-up numbers in the shape of a trial's."""

    def setup(self, config: dict[str, Any]) -> None:
        """Take the order."""
        self._config, self._epoch = config["config"], config["after"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next order."""
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Return an epoch's result."""
        self._epoch += 1
        done = self._epoch == self._config["epochs"]
        numbers = {"train_loss": 0.5, "val_loss": 0.5, "seconds": 0.001, "cost": 1.0, "peak_memory_mb": 1.0}
        score = score_of(json.dumps(self._config["strategy"], sort_keys=True), self._epoch)
        return {"epoch": self._epoch, "score": score, "done": done, "should_checkpoint": False, **numbers}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Keep nothing."""

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Load nothing."""


def main(address: str, slots: int, trials: int, epochs: int) -> None:
    """Carry out ``trials`` trials on ``slots`` slots and print what the driver did in which time."""
    import ray

    ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    tuner.StrategyTrial = Trivial  # type: ignore[attr-defined]
    template = TEMPLATE.model_copy(update={"epochs": epochs})
    space = build("standard", Setting("image", "adamw", 8))
    told: list[tuple[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        searcher = StudySearcher(
            Path(folder),
            "search",
            template,
            [],
            Sampling(space, trials, 0),
            Rungs(epochs),
            lambda event: told.append((event["event"], time.perf_counter())),
        )
        before = time.process_time()
        tuner.carry_out(searcher, searcher._rungs, tuner.Slots(1, 0, slots))
        cpu = time.process_time() - before
    at = [when for event, when in told if event in ("rung", "epoch")]
    half = len(at) // 2  # by then every worker is up
    ended = sum(event == "trial_end" for event, _ in told)
    rate = (len(at) - half) / (at[-1] - at[half])
    print(json.dumps({"epochs": len(at), "trials": ended, "cpu": cpu, "rate": rate}))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))

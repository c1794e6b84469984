"""(b): a class trainable with ``reuse_actors``. A process goes on to the next trial, with the data at hand.

python -m benchmarks.plain.class_trainable JOB.json OUTCOME.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from ray import tune

from benchmarks.plain.job import Job
from benchmarks.plain.training import Training, load_data
from benchmarks.plain.tuning import main


class Train(tune.Trainable):
    """Trains one point, an epoch a step."""

    def setup(self, config: dict[str, Any], job: Job) -> None:
        """Read the data, which all trials share."""
        self._job, self._data = job, load_data(job)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin a trial from the pretrained weights."""
        self._training, self._epochs = Training(self._job, new_config, self._data), 0
        return True

    def step(self) -> dict[str, Any]:
        """Train one epoch."""
        score, loss = self._training.epoch()
        self._epochs += 1
        return {"score": score, "val_loss": loss, "done": self._epochs == self._job.epochs}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Keep everything."""
        torch.save(self._training.state(), Path(checkpoint_dir) / "checkpoint.pt")

    def load_checkpoint(self, checkpoint: str) -> None:
        """Go on from what was kept."""
        kept = torch.load(Path(checkpoint) / "checkpoint.pt", weights_only=True)
        self._training.network.load_state_dict(kept["model"])
        self._training.optimizer.load_state_dict(kept["optimizer"])


if __name__ == "__main__":
    main(Train, reuse_actors=True, checkpoints=tune.CheckpointConfig(num_to_keep=1, checkpoint_frequency=1))

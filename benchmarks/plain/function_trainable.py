"""(a): a function trainable. Every trial is a process of its own, loads data and network, keeps full checkpoints.

python -m benchmarks.plain.function_trainable JOB.json OUTCOME.json
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from ray import tune

from benchmarks.plain.job import Job
from benchmarks.plain.training import Training, load_data
from benchmarks.plain.tuning import main


def train(config: dict[str, Any], job: Job) -> None:
    """Train one point."""
    training = Training(job, config, load_data(job))
    for _ in range(job.epochs):
        score, loss = training.epoch()
        with tempfile.TemporaryDirectory() as folder:
            torch.save(training.state(), Path(folder) / "checkpoint.pt")
            tune.report({"score": score, "val_loss": loss}, checkpoint=tune.Checkpoint.from_directory(folder))


if __name__ == "__main__":
    main(train, reuse_actors=False, checkpoints=tune.CheckpointConfig(num_to_keep=1))

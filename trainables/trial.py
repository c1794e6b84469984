"""One trial as Ray Tune sees it. The only file of this floor that knows Ray."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import ray
import torch
from numpy.typing import NDArray
from ray import tune

from trainables import checkpoint, devices, predictions
from trainables.activations.prefix import source
from trainables.config import Split, TrialConfig
from trainables.evaluate import evaluate
from trainables.loop import Epoch, train
from trainables.remote import Place, RemotePath, place
from trainables.remote_progress import RemoteProgress
from trainables.run import Part, Run, build

Result = dict[str, Any]


@dataclass(frozen=True)
class Order:
    """What the search hands to a worker: the trial's configuration, where to keep its weights, where it goes on."""

    config: TrialConfig
    keep: Place | None  # a folder for weights and predictions of the last epoch, or nothing is kept
    progress: Place | None = None  # a folder for the progress after every epoch but the last, or none is kept
    after: int = 0  # epochs behind it, whose progress lies in that folder
    ends: tuple[int, ...] | None = None  # the epochs after which it may be stopped, beside its last; None: any

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Order:
        """Read the plain values that `plain` made."""
        keep, progress = (place(given[name]) if given[name] else None for name in ("keep", "progress"))
        ends = None if given["ends"] is None else tuple(given["ends"])
        return cls(TrialConfig(**given["config"]), keep, progress, given["after"], ends)

    def plain(self) -> dict[str, Any]:
        """Return plain values, as Tune passes them around."""
        folders = {"keep": self.keep, "progress": self.progress}
        plain = {name: str(folder) if folder else None for name, folder in folders.items()}
        ends = None if self.ends is None else list(self.ends)
        return {"config": self.config.model_dump(mode="json"), **plain, "after": self.after, "ends": ends}


class StrategyTrial(tune.Trainable):
    """Trains one strategy, an epoch a step, in a worker that goes on to the next trial when it is done."""

    def setup(self, config: dict[str, Any]) -> None:
        """Take the order; the network is built with the first step, where an error belongs to the trial."""
        self._order = Order.read(config)
        self._run: Run | None = None
        self._epochs: Iterator[Epoch] = iter(())

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Forget the finished trial and take the next order."""
        self._epochs, self._run = iter(()), None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.setup(new_config)
        return True

    def step(self) -> Result:
        """Train one epoch."""
        first: Result = {}
        if self._run is None:
            device = devices.choose(len(ray.get_gpu_ids()))
            devices.forget_peak_memory(device)
            self._run = build(self._order.config, device)
            self._start = _trained_values(self._run)
            after = self._order.after
            if after and self._order.progress:
                after = checkpoint.load_progress(self._run, self._order.progress, after)
            self._save = _saving(self._order.progress)
            self._epochs = train(self._run, after=after, ends=self._order.ends)
            first = {"computing": devices.computing(device)}
        epoch = next(self._epochs)
        last = epoch.epoch == self._order.config.epochs or epoch.failure is not None
        result = _result(epoch) | first | dict(self._run.facts) | {"done": last, "should_checkpoint": False}
        result["peak_memory_mb"] = devices.peak_memory_mb(self._run.device)
        if last and epoch.failure is None:
            result["weight_change"] = _weight_change(self._run, self._start)
            if self._order.keep:
                checkpoint.save_trained(self._run.network, self._run.plan, self._order.keep)
                assert epoch.predictions is not None, "an epoch without a failure was validated"
                _write_predictions(self._run.part("val"), "val", epoch.predictions, self._order.keep)
        elif not last and self._save:
            self._save(self._run, epoch.epoch)
        return result

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Keep nothing: Tune's own checkpoints are not used."""

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Load nothing, as nothing was kept."""


def open_test(orders: list[dict[str, Any]]) -> list[float]:
    """Measure kept trials on the test split, once the decision is written down; one score an order.

    Predictions are written beside each trial's weights.
    """
    scores = []
    for order in map(Order.read, orders):
        assert order.keep is not None, "only trials whose weights were kept are tested"
        run = build(order.config, devices.choose(len(ray.get_gpu_ids())))
        checkpoint.load_trained(run.network, order.keep)
        measured = evaluate(run, "test", source(run, run.plan.phases[-1], 1, ("test",)).logits)
        _write_predictions(run.part("test"), "test", measured.predictions, order.keep)
        scores.append(measured.score)
    return scores


def _saving(folder: Place | None) -> Callable[[Run, int], object] | None:
    """Return what keeps a trial's progress after an epoch, beside the driver or where the run is mirrored to."""
    if isinstance(folder, RemotePath):
        return RemoteProgress(folder).save
    if folder is None:
        return None
    pace = checkpoint.Pace()
    return lambda run, epoch: checkpoint.save_progress(run, epoch, folder, pace)


def _write_predictions(part: Part, split: Split, predicted: NDArray[np.int64], folder: Place) -> None:
    predictions.write(folder, split, part.ids, part.labels.tolist(), predicted.tolist())


def _result(epoch: Epoch) -> Result:
    plain: Result = {name: value for name, value in asdict(epoch).items() if name not in ("predictions", "caching")}
    if epoch.certificate is None:  # what the last proof said stands
        del plain["certificate"]
    return plain | asdict(epoch.caching)


def _trained_values(run: Run) -> dict[str, torch.Tensor]:
    ever = set(run.plan.trainable)
    return {name: p.detach().clone() for name, p in run.network.named_parameters() if name in ever}


def _weight_change(run: Run, start: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """Return each block's relative change: norm of the difference over norm at the start."""
    now = dict(run.network.named_parameters())
    changes = {}
    for block in run.blocks:
        names = [name for name in block.parameters if name in start]
        if names:
            moved = sum(float((now[name].detach() - start[name]).square().sum()) for name in names)
            norm = sum(float(start[name].square().sum()) for name in names)
            changes[block.name] = (moved / norm) ** 0.5 if norm else 0.0
    return changes

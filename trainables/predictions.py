"""Per-example predictions of a trial, one parquet file a split beside its weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from trainables.files import put
from trainables.remote import Place, SamePlace, below


def write(folder: Place, split: str, ids: Sequence[str], labels: Sequence[int], predicted: Sequence[int]) -> None:
    """Write one row per sample: id, label, prediction; all three in the order of the split."""
    frame = pd.DataFrame({"id": ids, "label": labels, "prediction": predicted})
    put(frame.to_parquet(index=False), path(folder, split))


def read(folder: Path, split: str) -> pd.DataFrame:
    """Read what `write` wrote."""
    return pd.read_parquet(path(folder, split))


def path(folder: SamePlace, split: str) -> SamePlace:
    """Return the file of a split."""
    return below(folder, f"predictions-{split}.parquet")

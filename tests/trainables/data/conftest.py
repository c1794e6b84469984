"""Real small files for the tests of the data layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ClassFolders = Callable[[Path, Mapping[str, int]], Path]


@pytest.fixture
def class_folders() -> ClassFolders:
    """Return a function that writes so many distinct images per class folder."""
    numbers = np.random.default_rng(0)

    def write(folder: Path, counts: Mapping[str, int]) -> Path:
        for name, count in counts.items():
            (folder / name).mkdir(parents=True)
            for index in range(count):
                pixels = numbers.integers(0, 256, (6, 5, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / name / f"{index}.png")
        return folder

    return write

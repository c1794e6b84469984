"""Data for benchmarks that need some but not any in particular: handwritten digits, and sentences of random words."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

CLASSES = 2
WORDS = 20  # a sentence
VOCABULARY = ("film", "story", "good", "bad", "long", "scene", "actor", "slow", "bright", "plot", "music", "end")


def digits() -> dict[str, Any]:
    """Return the first digits of scikit-learn's set: 200 to train on, 50 to validate, 50 to test."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = (bunch.images * (255 / 16)).round().astype("uint8")
    bounds = {"train": (0, 200), "val": (200, 250), "test": (250, 300)}
    return {split: (images[start:end], bunch.target[start:end]) for split, (start, end) in bounds.items()}


def parity() -> dict[str, Any]:
    """Return the digits, labelled by whether they are odd."""
    return {split: (images, labels % CLASSES) for split, (images, labels) in digits().items()}


def sentences() -> dict[str, Any]:
    """Return random sentences, labelled by whether "good" is in them: 200 to train on, 50 each to check."""
    return _sentences(lambda _: WORDS)


def long_sentences() -> dict[str, Any]:
    """Return sentences that all fill 64 tokens, with the two special ones."""
    return _sentences(lambda _: 62)


def mixed_sentences() -> dict[str, Any]:
    """Return sentences of very different lengths."""
    return _sentences(lambda draw: draw.randint(3, 40))


def _sentences(length: Callable[[random.Random], int]) -> dict[str, Any]:
    draw = random.Random(0)
    texts = [" ".join(draw.choices(VOCABULARY, k=length(draw))) for _ in range(300)]
    labels = [int("good" in text.split()) for text in texts]
    bounds = {"train": (0, 200), "val": (200, 250), "test": (250, 300)}
    return {split: (texts[start:end], labels[start:end]) for split, (start, end) in bounds.items()}

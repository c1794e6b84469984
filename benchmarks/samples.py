"""Data for benchmarks that need some but not any in particular: handwritten digits, and sentences of random words."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

CLASSES = 2
WORDS = 20  # a sentence
VOCABULARY = ("film", "story", "good", "bad", "long", "scene", "actor", "slow", "bright", "plot", "music", "end")
MANY = {"train": slice(0, 1000), "val": slice(1000, 1300), "test": slice(1300, 1600)}


def digits() -> dict[str, Any]:
    """Return the first digits of scikit-learn's set: 200 to train on, 50 to validate, 50 to test."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = (bunch.images * (255 / 16)).round().astype("uint8")
    bounds = {"train": (0, 200), "val": (200, 250), "test": (250, 300)}
    return {split: (images[start:end], bunch.target[start:end]) for split, (start, end) in bounds.items()}


def parity() -> dict[str, Any]:
    """Return digits labelled by whether they are odd: 1,000 to train on, 300 each to check."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = (bunch.images * (255 / 16)).round().astype("uint8")
    return {split: (images[part], bunch.target[part] % CLASSES) for split, part in MANY.items()}


def sentences() -> dict[str, Any]:
    """Return random sentences, labelled by whether "good" is in them: 200 to train on, 50 each to check."""
    texts = _sentences(lambda _: WORDS, 300)
    bounds = {"train": slice(0, 200), "val": slice(200, 250), "test": slice(250, 300)}
    return {
        split: (texts[part], [int("good" in text.split()) for text in texts[part]]) for split, part in bounds.items()
    }


def short_sentences() -> dict[str, Any]:
    """Return sentences that all fill 24 tokens, with the two special ones: 1,000 to train on, 300 each to check."""
    return _good_or_bad(_sentences(lambda _: 22, 1600))


def long_sentences() -> dict[str, Any]:
    """Return sentences that all fill 64 tokens, with the two special ones: 1,000 to train on, 300 each to check."""
    return _good_or_bad(_sentences(lambda _: 62, 1600))


def mixed_sentences() -> dict[str, Any]:
    """Return as many sentences of very different lengths."""
    return _good_or_bad(_sentences(lambda draw: draw.randint(3, 40), 1600))


def _sentences(length: Callable[[random.Random], int], count: int) -> list[str]:
    draw = random.Random(0)
    return [" ".join(draw.choices(VOCABULARY, k=length(draw))) for _ in range(count)]


def _good_or_bad(texts: list[str]) -> dict[str, Any]:
    """Label texts by which of the two words they hold more often."""
    labels = [int(text.split().count("good") > text.split().count("bad")) for text in texts]
    return {split: (texts[part], labels[part]) for split, part in MANY.items()}

"""Confirmations whose truth is known: how often each strategy is right on all the examples there could be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from search.results.intervals import Sample, sample
from trainables.metrics import Labels

# On the scale on which an example is right where the sum is above 0.
EXAMPLE = 1.0  # some examples are harder for everybody
LIKING = 0.5  # and each strategy has its own: the interaction of strategy and example
CHANCE = 0.5  # and each of its trainings


@dataclass(frozen=True)
class Truth:
    """Strategies by name: accuracy, how far seeds differ in it (a standard deviation), and their number."""

    accuracy: Mapping[str, float]
    seeds: Mapping[str, int]
    spread: float = 0.005
    examples: int = 400
    alike: float = 0.0  # correlation of the seeds' effects between strategies

    def draw(self, random: np.random.Generator, metric: str = "accuracy", classes: int = 2) -> Sample:
        """Draw examples and trainings, and measure them."""
        labels, predictions = self.predictions(random, classes)
        return sample(labels, predictions, metric)

    def predictions(self, random: np.random.Generator, classes: int = 2) -> tuple[Labels, dict[str, dict[int, Labels]]]:
        """Draw labels, and predictions by name and seed; a wrong one names the next class."""
        labels = random.integers(0, classes, self.examples)
        hard = EXAMPLE * random.normal(size=self.examples)
        shared = random.normal(size=max(self.seeds.values()))
        found = {}
        for name, accuracy in self.accuracy.items():
            effect = self.effect(accuracy)
            deviation = (EXAMPLE**2 + LIKING**2 + CHANCE**2 + effect**2) ** 0.5
            liking = LIKING * random.normal(size=self.examples)
            count = self.seeds[name]
            own = self.alike**0.5 * shared[:count] + (1 - self.alike) ** 0.5 * random.normal(size=count)
            chance = CHANCE * random.normal(size=(count, self.examples))
            right = ndtri(accuracy) * deviation + hard + liking + effect * own[:, None] + chance > 0
            found[name] = {seed: np.where(right[seed], labels, (labels + 1) % classes) for seed in range(count)}
        return labels, found

    def effect(self, accuracy: float) -> float:
        """Return the standard deviation that, to first order, makes accuracies differ by `spread`."""
        density = math.exp(-(float(ndtri(accuracy)) ** 2) / 2) / math.sqrt(2 * math.pi)
        return float(self.spread / density * (EXAMPLE**2 + LIKING**2 + CHANCE**2) ** 0.5)


def equals(count: int, accuracy: float = 0.85, seeds: int = 5, **given: float) -> Truth:
    """Return ``count`` strategies that are equally good."""
    names = "abcdefghij"[:count]
    return Truth(dict.fromkeys(names, accuracy), dict.fromkeys(names, seeds), **given)  # type: ignore[arg-type]

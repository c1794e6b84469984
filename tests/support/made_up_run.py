"""A run folder of any size without a training: its journal written line by line, as Optuna would have."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from search.config import study_space
from search.layering import dump, resolve
from search.results.evidence import DECISION, FINALISTS, TEST_OPENED
from spaces.controls import controls
from spaces.presets import Setting, defaults
from spaces.strata import stratum
from spaces.strategy import Strategy, from_point, to_point
from spaces.suggest import suggest
from trainables import predictions

BLOCKS = 9
CLASSES = ("ants", "bees", "wasps & <flies>")
TEST = 300
STUDY = """\
name: made-up
task: image-classification
metric: METRIC
model: torchvision:mobilenet_v2
data: {path: images}
space: SPACE
budget: {trials: TRIALS, epochs: EPOCHS}
"""
COMPLETE, PRUNED, FAILED = 1, 2, 3


@dataclass
class Journal:
    """The lines of a journal, and how many trials they hold."""

    lines: list[str] = field(default_factory=list)
    trials: int = 0

    def write(self, op_code: int, **entry: Any) -> None:
        self.lines.append(json.dumps({"op_code": op_code, "worker_id": "made-up", **entry}))

    def study(self, name: str, number: int, **facts: Any) -> None:
        self.write(0, study_name=name, directions=[2])
        self.facts(number, **facts)

    def facts(self, number: int, **facts: Any) -> None:
        for fact, value in facts.items():
            self.write(2, study_id=number, user_attr={fact: value})

    def trial(self, study: int, scores: list[float], state: int, **attributes: Any) -> None:
        self.write(4, study_id=study, datetime_start="2026-01-01T00:00:00+00:00", state=0)
        trial, self.trials = self.trials, self.trials + 1
        for name, value in attributes.items():
            self.write(8, trial_id=trial, user_attr={name: value})
        for epoch, score in enumerate(scores, start=1):
            record = {"train_loss": 1 / epoch, "val_loss": 1.2 / epoch, "seconds": 1.5, "cost": 2.0}
            self.write(8, trial_id=trial, user_attr={f"epoch/{epoch}": record})
            if np.isfinite(score):
                self.write(7, trial_id=trial, step=epoch, intermediate_value=score)
        value = [scores[-1]] if state == COMPLETE else None
        self.write(6, trial_id=trial, state=state, values=value, datetime_complete="2026-01-01T00:00:01+00:00")


class Draw:
    """Draws uniformly, with the suggestions of an Optuna trial."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return choices[self.random.integers(len(choices))]

    def suggest_int(self, name: str, low: int, high: int, **_: Any) -> int:
        return int(self.random.integers(low, high + 1))

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False, **_: Any) -> float:
        if log:
            return float(np.exp(self.random.uniform(np.log(low), np.log(high))))
        return float(self.random.uniform(low, high))


def write(
    folder: Path,
    *,
    trials: int = 20,
    epochs: int = 6,
    stop: bool | str = True,
    failed: int = 0,
    confirmed: int = 3,
    metric: str = "accuracy",
    space: str = "standard",
    classes: Sequence[str] = CLASSES,
    alone: bool = False,
    more: str = "",
) -> Path:
    """Write a run of ``trials`` search trials and return its folder.

    Args:
        folder: Where to write.
        trials: Of the search; the three controls come on top.
        epochs: Of the budget.
        stop: Whether two trials in three are stopped after their first epochs, or ``all`` of them.
        failed: How many of the search trials failed in their first epoch.
        confirmed: Seeds of each confirmed strategy; 0: the run ended before the confirmation.
        metric: As a study file has it.
        space: As a study file has it.
        classes: Their names.
        alone: Whether every control failed, so that one strategy alone is confirmed.
        more: Lines of the study file.
    """
    random = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    values = {"TRIALS": trials, "EPOCHS": epochs, "METRIC": metric, "SPACE": space}
    (folder / "given.yaml").write_text(re.sub("|".join(values), lambda found: str(values[found[0]]), STUDY) + more)
    resolved = resolve(folder / "given.yaml", look=False)
    (folder / "study.yaml").write_text(dump(resolved))
    setting = Setting("image", "adamw", BLOCKS)
    searched, baselines = study_space(resolved.config, BLOCKS), controls(defaults(setting))
    baselines = {name: strategy.canonical(BLOCKS) for name, strategy in baselines.items()}
    journal = Journal()
    facts = {"space_hash": "5pace", "split_hash": "5p1it", "blocks": BLOCKS, "folder": str(folder)}
    keys = {name: strategy.key for name, strategy in baselines.items()}
    journal.study("search", 0, **facts, own_modules=False, classes=list(classes), controls=keys, warnings=[])
    for strategy in baselines.values():
        kept = _attributes(strategy, "control", 0, epochs)
        journal.trial(0, _curve(random, epochs), FAILED if alone else COMPLETE, **kept)
    drawn = [suggest(searched, Draw(random)).canonical(BLOCKS) for _ in range(trials)]
    for number, strategy in enumerate(drawn):
        scores = _curve(random, epochs)
        if number < failed:
            kept = _attributes(strategy, "search", 0, 1) | {"reason": "out of memory <on> 1 & 2"}
            journal.trial(0, [float("nan")], FAILED, **kept)
        elif stop == "all" or (stop and number % 3):
            last = min(epochs - 1, 3 if number % 3 == 2 else 1)
            journal.trial(0, scores[:last], PRUNED, **_attributes(strategy, "search", 0, last))
        else:
            journal.trial(0, scores, COMPLETE, **_attributes(strategy, "search", 0, epochs))
    journal.study("confirm", 1)
    if confirmed:
        finalists = [] if stop == "all" else [drawn[-1 - (trials - 1) % 3]]
        chosen = {each.key: each for each in (*finalists, *(() if alone else baselines.values()))}
        _confirm(journal, folder, chosen, confirmed, epochs, random, len(classes))
    (folder / "optuna.journal").write_text("\n".join(journal.lines) + "\n")
    return folder


def _confirm(
    journal: Journal,
    folder: Path,
    chosen: dict[str, Strategy],
    seeds: int,
    epochs: int,
    random: np.random.Generator,
    classes: int,
) -> None:
    order = list(chosen)
    journal.facts(1, **{FINALISTS: {"keys": order[:1], "at": "2026-01-01T01:00:00+00:00"}})
    names = []
    for place, (key, strategy) in enumerate(chosen.items()):
        for seed in range(seeds):
            label = f"c{len(names)}"
            names.append(label)
            right = 0.9 - 0.1 * place + 0.01 * seed
            scores = {
                split: _predict(folder / "checkpoints" / label, split, right, random, classes)
                for split in ("val", "test")
            }
            role = "control" if place else "finalist"
            kept = _attributes(strategy, "confirm", seed + 1, epochs) | {"role": role, "key": key}
            moved = {"features.0": 0.01, "features.<8>": 0.2, "head": 0.5}
            kept |= {"checkpoint": f"checkpoints/{label}", "weight_change": moved, "test_score": scores["test"]}
            curve = [*_curve(random, epochs)[:-1], scores["val"]]
            journal.trial(1, curve, COMPLETE, **kept)
    label = "clear" if len(order) > 1 and seeds > 1 else "not enough evidence"
    tied = order[1:] if seeds == 1 else []
    decision = {"winner": order[0], "label": label, "tied": tied, "recommended": order[0], "order": order}
    journal.facts(1, **{DECISION: {**decision, "at": "2026-01-01T02:00:00+00:00", "earlier": []}})
    journal.facts(1, **{TEST_OPENED: [{"at": "2026-01-01T03:00:00+00:00", "trials": names}]})


def _predict(folder: Path, split: str, right: float, random: np.random.Generator, classes: int) -> float:
    labels = np.arange(TEST) % classes
    predicted = np.where(random.random(TEST) < right, labels, (labels + 1) % classes)
    predictions.write(folder, split, [str(index) for index in range(TEST)], labels.tolist(), predicted.tolist())
    return float((labels == predicted).mean())


def _curve(random: np.random.Generator, epochs: int) -> list[float]:
    rise = 1 - np.exp(-3 * np.arange(1, epochs + 1) / epochs)
    return [float(score) for score in random.uniform(0.4, 0.95) * rise]


def _attributes(strategy: Strategy, stage: str, seed: int, epochs: int) -> dict[str, Any]:
    point = to_point(strategy)
    share = {"probe": 0.01, "top": 0.4, "window": 0.1, "norm_bias": 0.05}.get(str(point["freezing"]), 1.0)
    return {
        **{"stage": stage, "role": stage, "key": strategy.key, "stratum": stratum(strategy), "seed": seed},
        **{"strategy": to_point(from_point(point)), "seconds": epochs * (1 + share), "peak_memory_mb": 500.0},
        **{"trainable_params": int(1000 * share), "total_params": 1000, "certificate": "ok", "host": "here"},
    }

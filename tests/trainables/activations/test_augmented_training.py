"""Views and the cache: each is recorded when an epoch first shows it, and a trial computes the same either way."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny_trials
from tests.trainables.activations.test_cached_training import COUNTS, SHARED, same_weights, told, trained, uncached
from trainables.activations import folder
from trainables.checkpoint import load_progress, save_progress
from trainables.config import DataConfig, TrialConfig
from trainables.evaluate import evaluate
from trainables.loop import train
from trainables.run import build

pytestmark = pytest.mark.usefixtures("reading_is_free")

TOP = SHARED | {"freezing": "top", "unfrozen_depth": 2}
GRADUAL = SHARED | {"freezing": "gradual", "unfrozen_depth": 2, "probe_share": 0.5}


def augmented(path: Path, strategy: dict[str, Any] = TOP, views: int | str = 2, policy: str = "crop") -> TrialConfig:
    config = tiny_trials.images(path, counts=COUNTS, epochs=4, strategy=strategy)
    changes = {"augment": policy, "augment_views": views}
    return config.model_copy(update={"data": DataConfig(**(config.data.model_dump() | changes))})


def splits() -> list[str]:
    return sorted(entry.about["split"] for entry in folder.entries())


@pytest.mark.parametrize("strategy", [TOP, GRADUAL], ids=["top", "gradual"])
def test_a_training_on_views_is_the_same_from_the_cache_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: dict[str, Any]
) -> None:
    config = augmented(tmp_path, strategy, policy="flip_crop")
    plain, expected = uncached(config, monkeypatch)
    for state in ("built", "hit"):
        run, epochs = trained(config)
        assert told(epochs) == told(expected)
        assert same_weights(run, plain)
        assert epochs[-1].caching.cache == state
    bare = config.model_copy(update={"data": config.data.model_copy(update={"augment": "none"})})
    assert [each.train_loss for each in trained(bare)[1]] != [each.train_loss for each in expected]


def test_a_view_is_recorded_in_the_epoch_that_first_shows_it_and_another_seed_reads_it(tmp_path: Path) -> None:
    config = augmented(tmp_path)
    seen = []
    for epoch in train(build(config)):
        seen.append(splits())
        assert epoch.caching.cache == "built"
    assert seen == [["train", "val"]] + 3 * [["train", "train", "val"]]
    _, epochs = trained(config.model_copy(update={"seed": 5}))
    assert epochs[-1].caching.cache == "hit"
    assert epochs[-1].caching.cache_reason.startswith("saves ")
    assert splits() == seen[-1]


def test_another_policy_is_recorded_for_itself(tmp_path: Path) -> None:
    config = augmented(tmp_path)
    trained(config)
    other = config.model_copy(update={"data": config.data.model_copy(update={"augment": "flip_crop"})})
    assert next(train(build(other))).caching.cache == "built"
    assert splits() == ["train", "train", "train", "val"]


def test_fresh_views_are_computed_and_the_row_says_why(tmp_path: Path) -> None:
    config = augmented(tmp_path, views="fresh")
    _, epochs = trained(config)
    assert epochs[-1].caching.cache == "off"
    assert epochs[-1].caching.cache_reason == "data.augment_views is fresh: no image is seen twice"
    assert told(epochs) == told(trained(config)[1])
    assert folder.entries() == []


def test_what_is_measured_is_never_augmented(tmp_path: Path) -> None:
    config = augmented(tmp_path)
    bare = config.model_copy(update={"data": config.data.model_copy(update={"augment": "none"})})
    for split in ("val", "test"):
        assert evaluate(build(config), split).loss == evaluate(build(bare), split).loss


@pytest.mark.parametrize("views", [2, "fresh"])
def test_a_resumed_run_goes_on_with_the_view_of_its_epoch(tmp_path: Path, views: int | str) -> None:
    config = augmented(tmp_path, views=views)
    _, expected = trained(config)
    first = build(config)
    for epoch in islice(train(first), 1):
        save_progress(first, epoch.epoch, tmp_path / "progress")
    second = build(config)
    load_progress(second, tmp_path / "progress", 1)
    assert told(list(train(second, after=1))) == told(expected[1:])

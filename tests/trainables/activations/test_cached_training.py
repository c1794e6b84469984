"""Training from the cache is training: the same losses, scores and weights, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support import tiny_trials
from trainables.activations import folder
from trainables.activations.files import Kept
from trainables.activations.prefix import Caching, source
from trainables.checkpoint import load_progress, save_progress
from trainables.config import TrialConfig
from trainables.evaluate import evaluate
from trainables.loop import Epoch, train
from trainables.run import Run, build

pytestmark = pytest.mark.usefixtures("reading_is_free")

COUNTS = (64, 18, 12)  # as many to train on as two full batches: kernels may round otherwise in a smaller one
SHARED = {"head_lr": 1e-2, "lr_ratio": 0.5, "weight_decay": 0.01, "batch_size": 32}
STRATEGIES: dict[str, dict[str, Any]] = {
    "probe": {"freezing": "probe"},
    "top": {"freezing": "top", "unfrozen_depth": 2},
    "window": {"freezing": "window", "window_start": 2, "window_length": 1},
    "gradual": {"freezing": "gradual", "unfrozen_depth": 3, "probe_share": 0.34},
    "lp_ft": {"freezing": "lp_ft", "unfrozen_depth": 2, "probe_share": 0.34},
}
Write = Callable[..., TrialConfig]


def images(path: Path, **values: object) -> TrialConfig:
    return tiny_trials.images(path, counts=COUNTS, **values)


def trial(write: Write, path: Path, name: str, **values: object) -> TrialConfig:
    return write(path, epochs=4, strategy=SHARED | STRATEGIES[name], **values)


def uncached(config: TrialConfig, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, list[Epoch]]:
    with monkeypatch.context() as patch:
        patch.setenv(folder.SWITCH, "off")
        return trained(config)


def trained(config: TrialConfig) -> tuple[Run, list[Epoch]]:
    run = build(config)
    return run, list(train(run))


def told(epochs: list[Epoch]) -> list[dict[str, object]]:
    """Return the records without what a clock says and what the cache says of itself."""
    kept = [asdict(epoch) for epoch in epochs]
    return [
        each | {"seconds": 0, "caching": 0, "predictions": np.asarray(each["predictions"]).tolist()} for each in kept
    ]


def same_weights(one: Run, other: Run) -> bool:
    states = one.network.state_dict(), other.network.state_dict()
    return all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("write", [images, tiny_trials.texts], ids=["images", "texts"])
def test_a_cached_training_equals_the_uncached_one_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write, name: str
) -> None:
    config = trial(write, tmp_path, name)
    plain, expected = uncached(config, monkeypatch)
    for state in ("built", "hit"):
        run, epochs = trained(config)
        assert told(epochs) == told(expected)
        assert same_weights(run, plain)
        assert epochs[-1].certificate == "ok"
        assert epochs[0].caching.cache == state
    assert {epoch.caching.cache for epoch in expected} == {"off"}


@pytest.mark.parametrize("write", [images, tiny_trials.texts], ids=["images", "texts"])
@pytest.mark.parametrize("size", [7, 16])
def test_in_batches_of_another_size_the_losses_agree_but_for_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write, size: int
) -> None:
    config = write(tmp_path, epochs=3, strategy=SHARED | STRATEGIES["top"] | {"batch_size": size})
    _, expected = uncached(config, monkeypatch)
    _, epochs = trained(config)
    assert epochs[0].caching.cache == "built"
    assert [e.train_loss for e in epochs] == pytest.approx([e.train_loss for e in expected], rel=1e-4)
    assert [e.val_loss for e in epochs] == pytest.approx([e.val_loss for e in expected], rel=1e-4)


def test_the_frozen_part_runs_for_the_recording_and_the_check_and_no_more(tmp_path: Path) -> None:
    config = trial(images, tmp_path, "top")
    trained(config)  # plans, once in a process
    folder.clear()
    for expected in (2 + 1 + 1, 1):  # two batches to train on, one to validate on, the check; then only the check
        run, calls = build(config), []
        forward = run.network.stem.forward
        run.network.stem.forward = lambda x, own=forward, seen=calls: (seen.append(1), own(x))[1]
        list(train(run))
        assert len(calls) == expected


def test_trials_with_another_seed_depth_or_rate_read_what_the_first_one_wrote(tmp_path: Path) -> None:
    config = trial(tiny_trials.texts, tmp_path, "top")
    trained(config)
    others = [
        {"seed": 5},
        {
            "strategy": SHARED
            | STRATEGIES["top"]
            | {"head_lr": 1e-3, "lr_ratio": 0.1, "reinit": "top", "reinit_blocks": 1}
        },
        {"strategy": SHARED | STRATEGIES["window"]},
        {"class_weights": "balanced"},
    ]
    for change in others:
        assert next(train(build(config.model_copy(update=change)))).caching.cache == "hit"
    deeper = config.model_copy(update={"strategy": SHARED | STRATEGIES["top"] | {"unfrozen_depth": 1}})
    assert next(train(build(deeper))).caching.cache == "built"
    assert len(folder.entries()) == 4  # train and val at two boundaries


def test_a_phase_starts_at_its_own_block_and_the_row_says_so(tmp_path: Path) -> None:
    _, epochs = trained(trial(images, tmp_path, "gradual"))
    first, last = epochs[0].caching, epochs[-1].caching
    assert (first.boundary, first.cache) == (4, "built")
    assert (last.boundary, last.cache) == (4, "built")
    assert first.cache_reason.startswith("saves ")
    assert "from epoch 1 on built at block 4" in last.cache_reason
    assert "from epoch 3 on built at block 2" in last.cache_reason
    assert "from epoch 4 on off at block 0 (the network trains from its first layers on)" in last.cache_reason


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [({"freezing": "full"}, "from its first layers on"), ({"freezing": "norm_bias"}, "from its first layers on")],
    ids=["full", "norm_bias"],
)
def test_without_a_frozen_part_there_is_nothing_to_read(tmp_path: Path, strategy, reason: str) -> None:
    _, epochs = trained(images(tmp_path, strategy=SHARED | strategy))
    caching = epochs[-1].caching
    assert (caching.boundary, caching.cache) == (0, "off")
    assert reason in caching.cache_reason
    assert folder.entries() == []


def test_switched_off_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    _, epochs = uncached(trial(images, tmp_path, "probe"), monkeypatch)
    assert epochs[0].caching == Caching(4, "off", "THAWLINE_CACHE is off")
    assert not cache.exists()


MIXES = """

class Mixing(Net):
    def forward(self, x):
        x = self.stem(x)
        return self.fc(self.units(x - x.mean(0)).mean((2, 3)))


def mixing():
    return Mixing()


class Noisy(Net):
    def forward(self, x):
        x = self.units(self.stem(x)).mean((2, 3))
        return self.fc(x + 10 * torch.rand_like(x))


def noisy():
    return Noisy()
"""


@pytest.mark.parametrize(("function", "reason"), [("mixing", "depends on the other samples"), ("noisy", "refused")])
def test_a_network_that_cannot_be_cut_trains_uncached_and_the_row_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, reason: str
) -> None:
    config = tiny_trials.of_function(trial(images, tmp_path, "top", more=MIXES), function)
    _, expected = uncached(config, monkeypatch)
    _, epochs = trained(config)
    assert told(epochs) == told(expected)
    assert epochs[0].caching.cache == "off"
    assert reason in epochs[0].caching.cache_reason


def test_a_store_that_gives_other_numbers_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = trial(tiny_trials.texts, tmp_path, "probe")
    _, expected = uncached(config, monkeypatch)
    take = Kept.take
    monkeypatch.setattr(Kept, "take", lambda *given: {name: 1.01 * leaf for name, leaf in take(*given).items()})
    _, epochs = trained(config)
    assert epochs[0].caching.cache == "off"
    assert "the first batch differs" in epochs[0].caching.cache_reason
    assert told(epochs) == told(expected)


@pytest.mark.parametrize("write", [images, tiny_trials.texts], ids=["images", "texts"])
def test_the_test_split_is_measured_through_the_cache_too(tmp_path: Path, write: Write) -> None:
    run, _ = trained(trial(write, tmp_path, "top"))
    found = source(run, run.plan.phases[-1], 1, ("test",))
    assert found.caching.cache == "built"
    one, other = evaluate(run, "test"), evaluate(run, "test", found.logits)
    assert (one.loss, one.score, one.predictions.tolist()) == (other.loss, other.score, other.predictions.tolist())


def test_texts_padded_on_the_left_are_cropped_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = trial(tiny_trials.texts, tmp_path, "top")
    run = build(config)
    run.model.tokenizer.padding_side = "left"
    run.model.tokenizer.save_pretrained(tmp_path / "bert")
    _, expected = uncached(config, monkeypatch)
    _, epochs = trained(config)
    # BERT counts positions from the left, so that a text's place in its batch shows: what agrees is used, or refused.
    assert [e.train_loss for e in epochs] == pytest.approx([e.train_loss for e in expected], rel=1e-4)


def test_a_run_resumed_after_its_first_thaw_goes_on_from_the_cache_bit_for_bit(tmp_path: Path) -> None:
    config = trial(images, tmp_path, "gradual")
    _, expected = trained(config)
    first = build(config)
    for epoch in train(first):
        if epoch.epoch == 2:
            save_progress(first, 2, tmp_path / "progress")
            break
    second = build(config)
    load_progress(second, tmp_path / "progress", 2)
    resumed = list(train(second, after=2))
    assert told(resumed) == told(expected[2:])
    assert resumed[0].caching.cache == "hit"
    assert {epoch.caching.boundary for epoch in resumed} == {expected[0].caching.boundary}  # where the trial began
    assert resumed[0].caching.cache_reason.startswith("from epoch 3 on hit at block 2 (")


def test_gradient_checkpointing_and_batches_in_parts_read_the_cache_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = trial(tiny_trials.texts, tmp_path, "top", gradient_checkpointing=True, accumulate=2)
    _, expected = uncached(config, monkeypatch)
    _, epochs = trained(config)
    assert epochs[0].caching.cache == "built"
    assert [e.train_loss for e in epochs] == pytest.approx([e.train_loss for e in expected], rel=1e-5)


@pytest.mark.parametrize("write", [images, tiny_trials.texts], ids=["images", "texts"])
def test_half_the_bytes_cost_little_exactness_and_have_a_key_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    config = trial(write, tmp_path, "top")
    _, expected = uncached(config, monkeypatch)
    for half in (False, True):
        _, epochs = trained(config.model_copy(update={"activations": "half" if half else "exact"}))
        assert epochs[0].caching.cache == "built"
        assert (told(epochs) == told(expected)) != half
        assert [e.val_loss for e in epochs] == pytest.approx([e.val_loss for e in expected], rel=2e-3)
    sizes = sorted(entry.bytes for entry in folder.entries() if entry.about["split"] == "train")
    assert sizes[0] < 0.7 * sizes[1]


def test_in_half_precision_what_is_stored_is_what_was_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = trial(tiny_trials.texts, tmp_path, "top", precision="bf16")
    _, expected = uncached(config, monkeypatch)
    _, epochs = trained(config)
    assert epochs[0].caching.cache == "built"
    assert [e.val_loss for e in epochs] == pytest.approx([e.val_loss for e in expected], rel=1e-2)

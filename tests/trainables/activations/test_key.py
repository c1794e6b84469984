"""What a recording depends on is in its key; what it does not depend on is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support import tiny_bert, tiny_trials
from tests.support.tiny_trials import TOP
from trainables.activations import key as keys
from trainables.activations.prefix import recipe_of
from trainables.activations.worth import operations
from trainables.config import Limit, TrialConfig
from trainables.run import Run, build

INDEX = 3


def key(run: Run, split: str = "train") -> str:
    return before(run, INDEX, split)


def before(run: Run, index: int, split: str = "train") -> str:
    shape, values = keys.structure(run), keys.weights(run.network, run.blocks[:index])
    return keys.key(run, recipe_of(run, index, shape).boundary, split, run.part(split), shape=shape, values=values)


@pytest.fixture
def config(tmp_path: Path) -> TrialConfig:
    return tiny_trials.texts(tmp_path, strategy=TOP)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 3},
        {"epochs": 7},
        {"strategy": TOP | {"head_lr": 1e-4, "batch_size": 8}},
        {"strategy": TOP | {"reinit": "top", "reinit_blocks": 1}},
        {"class_weights": "balanced"},
        {"metric": "accuracy"},
    ],
    ids=str,
)
def test_what_only_the_rest_of_the_network_sees_is_not_in_it(config: TrialConfig, change: dict[str, object]) -> None:
    assert key(build(config.model_copy(update=change))) == key(build(config))


@pytest.mark.parametrize("change", [{"max_length": 4}, {"limit": Limit(train=20)}], ids=str)
def test_other_samples_or_another_preprocessing_make_another(config: TrialConfig, change: dict[str, object]) -> None:
    other = config.model_copy(update={"data": config.data.model_copy(update=change)})
    assert key(build(other)) != key(build(config))


def test_splits_blocks_and_precisions_have_their_own(config: TrialConfig) -> None:
    run, half = build(config), build(config.model_copy(update={"precision": "bf16"}))
    assert len({key(run), key(run, "val"), key(half), before(run, 2)}) == 4


def test_a_single_changed_weight_of_the_frozen_part_makes_another_and_one_of_the_rest_does_not(
    config: TrialConfig,
) -> None:
    run = build(config)
    first = key(run)
    parameters = dict(run.network.named_parameters())
    with torch.no_grad():
        parameters[run.blocks[INDEX].parameters[0]].view(-1)[0] += 1
        assert key(run) == first
        parameters[run.blocks[INDEX - 1].parameters[0]].view(-1)[0] += 1
        assert key(run) != first


def test_other_weights_of_the_same_network_and_other_texts_in_the_same_files_are_seen(
    tmp_path: Path, config: TrialConfig
) -> None:
    first = key(build(config))
    tiny_bert.save(tmp_path / "bert", seed=1)
    assert key(build(config)) != first
    tiny_bert.save(tmp_path / "bert", seed=0)
    assert key(build(config)) == first


def test_another_setting_or_another_version_makes_another(config: TrialConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    run = build(config)
    first = keys.structure(run)
    run.network.config.layer_norm_eps = 1e-3
    assert keys.structure(run) != first
    run.network.config.layer_norm_eps = 1e-12
    assert keys.structure(run) == first
    monkeypatch.setattr(keys, "version", lambda name: f"{name} of tomorrow")
    assert keys.structure(run) != first


def test_one_s_own_code_is_in_it(tmp_path: Path) -> None:
    config = tiny_trials.images(tmp_path)
    run = build(config)
    first = keys.structure(run)
    file = tmp_path / f"{config.model.partition(':')[0]}.py"
    file.write_text(file.read_text().replace(".relu()", ".tanh()"))
    assert keys.structure(run) != first


def test_operations_are_counted_by_the_shapes_of_what_is_called(tmp_path: Path) -> None:
    run = build(tiny_trials.images(tmp_path))
    stem, units, head = 2 * 6 * 3 * 9 * 49, 3 * 2 * 6 * 6 * 9 * 49, 2 * 6 * 3
    batch = torch.zeros(2, 3, 16, 16)
    assert operations(run.network, lambda: run.network(batch)) == 2 * (stem + units + head)
    recipe = recipe_of(run, INDEX, keys.structure(run))
    assert recipe.total == stem + units + head
    assert recipe.operations == stem + units * 2 / 3

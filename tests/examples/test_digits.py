"""The demo's example: reproducible pretraining, few and disjoint samples, one cache for all processes."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))
import digits  # noqa: E402

SHORT = digits.Recipe(epochs=1)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("THAWLINE_CACHE", str(tmp_path))
    return tmp_path / "thawline" / "digits"


@pytest.fixture(scope="module")
def split():
    return digits.data()


@pytest.fixture(scope="module")
def original():
    return load_digits()


def states_equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("name", "size"), [("train", 60), ("val", 200), ("test", 400)])
def test_a_split_has_the_stated_size_and_every_class(split, name, size):
    images, labels = split[name]
    assert images.shape == (size, 16, 16)
    assert images.dtype == np.uint8
    assert images.max() == 255
    assert set(labels.tolist()) == set(range(5))
    assert len(split["classes"]) == 5


def test_training_has_the_same_few_labels_of_each_class(split):
    assert np.bincount(split["train"][1]).tolist() == [digits.TRAIN_PER_CLASS] * 5


def test_no_image_is_in_two_splits(split):
    seen = [image.tobytes() for name in ("train", "val", "test") for image in split[name][0]]
    assert len(set(seen)) == len(seen)


def test_the_data_is_the_same_every_time(split):
    again = digits.data()
    assert all(
        np.array_equal(split[name][part], again[name][part]) for name in ("train", "val", "test") for part in (0, 1)
    )


def test_labels_name_the_digit_that_the_image_shows(split, original):
    # The original set, enlarged: each image of ours is found in it, and brings the label it had there.
    shown = {image.tobytes(): int(label) for image, label in zip(*_enlarged(original), strict=True)}
    images, labels = split["train"]
    assert [split["classes"][label] for label in labels] == [str(shown[image.tobytes()]) for image in images]


def test_the_two_halves_share_no_image(split):
    known, labels = digits._digits(digits.KNOWN)
    assert len(labels) == 901
    old = {image.tobytes() for image in known}
    assert not any(image.tobytes() in old for name in ("train", "val", "test") for image in split[name][0])


def test_the_same_recipe_gives_the_same_weights_and_leaves_the_random_state_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one = digits.pretrain(SHORT).state_dict()
    assert torch.equal(torch.rand(3), expected)
    assert states_equal(one, digits.pretrain(SHORT).state_dict())
    assert not states_equal(one, digits.pretrain(replace(SHORT, seed=1)).state_dict())


def test_weights_are_made_once_and_read_afterwards(cache):
    path = digits.pretrained_weights(SHORT)
    made = path.stat().st_mtime_ns
    assert path.parent == cache
    assert digits.pretrained_weights(SHORT) == path
    assert path.stat().st_mtime_ns == made
    assert digits.pretrained_weights(replace(SHORT, seed=1)) != path
    assert {file.suffix for file in cache.iterdir()} <= {".safetensors", ".lock"}


def test_a_random_network_needs_no_pretraining_and_follows_the_seed(cache):
    torch.manual_seed(0)
    one = digits.network(pretrained=False).state_dict()
    torch.manual_seed(0)
    assert states_equal(one, digits.network(pretrained=False).state_dict())
    assert not cache.exists()


def test_the_network_maps_images_to_its_five_digits():
    net = digits.network(pretrained=False)
    assert net(torch.zeros(2, 3, 16, 16)).shape == (2, 5)
    assert isinstance(net.fc, torch.nn.Linear)


def test_the_pretrained_network_knows_its_digits():
    images, labels = digits._digits(digits.KNOWN)
    net = digits.network().eval()
    x = ((torch.from_numpy(images) / 255 - digits.MEAN) / digits.STD).unsqueeze(1).expand(-1, 3, -1, -1)
    with torch.no_grad():
        assert (net(x).argmax(1).numpy() == labels).mean() > 0.98


def _enlarged(original):
    small = torch.from_numpy(original.images).unsqueeze(1)
    large = torch.nn.functional.interpolate(small, size=(16, 16), mode="bilinear", align_corners=False)
    return (large.squeeze(1) * (255 / 16)).round().to(torch.uint8).numpy(), original.target

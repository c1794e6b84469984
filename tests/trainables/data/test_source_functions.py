"""The user's own function: what it may return, and what is said where it returns something else."""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from spaces.errors import BadInput
from trainables.config import DataConfig
from trainables.data.layout import Modality
from trainables.data.source import Dataset, load

IMAGES = "np.random.default_rng(0).random((60, 4, 4))"
LABELS = "np.arange(60) % 3 + 5"


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that loads data from a module with the given body of `samples`."""
    monkeypatch.setattr(sys, "path", [*sys.path])

    def from_body(body: str, modality: Modality = "image", function: str = "samples") -> Dataset:
        name = f"own_{uuid4().hex}"
        (tmp_path / f"{name}.py").write_text(f"import numpy as np\n\n\ndef samples():\n    {body}\n")
        return load(DataConfig(source=f"{name}:{function}"), modality, code_path=str(tmp_path))

    return from_body


def message(loaded, body: str, modality: Modality = "image", function: str = "samples") -> str:
    with pytest.raises(BadInput) as caught:
        loaded(body, modality, function)
    (problem,) = caught.value.problems
    assert problem.place == "data.source"
    return problem.message


def test_grey_floats_become_bytes_with_one_channel(loaded) -> None:
    data = loaded(f"return {{'train': (np.repeat({IMAGES}, 2, axis=0), np.arange(120) % 3 + 5)}}")
    assert data.classes == ("5", "6", "7")
    image = data.train.inputs[0]
    assert isinstance(image, np.ndarray)
    assert image.shape == (4, 4, 1)
    assert image.dtype == np.uint8
    number = int(data.train.ids[0].removeprefix("source:train:"))
    expected = np.round(np.random.default_rng(0).random((60, 4, 4))[number // 2] * 255)
    assert (image[..., 0] == expected).all()


def test_bytes_pass_untouched_and_splits_stay_as_given(loaded) -> None:
    body = (
        "a = np.arange(6 * 4 * 4 * 3, dtype=np.uint8).reshape(6, 4, 4, 3);"
        "return {'train': (a[:2], [0, 1]), 'val': (a[2:4], [np.int64(1), 0]), 'test': (a[4:], ['1', '0'])}"
    )
    data = loaded(body)
    whole = np.arange(6 * 4 * 4 * 3, dtype=np.uint8).reshape(6, 4, 4, 3)
    assert all((image == expected).all() for image, expected in zip(data.test.inputs, whole[4:], strict=True))
    assert data.val.labels == (1, 0)
    assert data.val.ids == ("source:val:0", "source:val:1")


@pytest.mark.parametrize("labels", ["[0, 1] * 30", "['no', 'yes'] * 30"])
def test_classes_may_be_named_and_keep_their_order(loaded, labels: str) -> None:
    body = f"return {{'train': ([f'text {{i}}' for i in range(60)], {labels}), 'classes': ['no', 'yes']}}"
    data = loaded(body, "text")
    assert data.classes == ("no", "yes")
    assert all(
        label == int(str(text).split()[1]) % 2 for label, text in zip(data.val.labels, data.val.inputs, strict=True)
    )


def test_named_classes_keep_an_order_that_is_not_alphabetical(loaded) -> None:
    body = "return {'train': ([f'text {i}' for i in range(60)], ['low', 'high'] * 30), 'classes': ['low', 'high']}"
    assert loaded(body, "text").classes == ("low", "high")


def test_pairs_of_texts(loaded) -> None:
    data = loaded("return {'train': ([[f'q {i}', f'a {i}'] for i in range(60)], [0, 1] * 30)}", "text")
    assert all(isinstance(each, tuple) and len(each) == 2 for each in data.train.inputs)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return [1]", 'must return a mapping with at least "train": (inputs, labels), got a list'),
        ("return {'test': ([], [])}", "got the keys test"),
        (f"return {{'train': ({IMAGES}, {LABELS}), 'vall': 1}}", "returned 'vall' (did you mean val?); allowed: train"),
        ("return {'train': np.zeros((2, 4, 4))}", "train must be a pair (inputs, labels), got a ndarray"),
        (f"return {{'train': ({IMAGES}, [1, 2])}}", "train has 60 inputs but 2 labels"),
        (f"return {{'train': ({IMAGES} * 16, {LABELS})}}", "divide by the largest"),
        (f"return {{'train': ({IMAGES} * np.nan, {LABELS})}}", "got values from nan to nan"),
        (f"return {{'train': (({IMAGES} * 16).astype(int), {LABELS})}}", "uint8 or floats from 0 to 1, got int64"),
        ("return {'train': (np.zeros((2, 4, 4, 4)), [0, 1])}", "got the shape (2, 4, 4, 4)"),
        ("return {'train': ([[1, 2], [3]], [0, 1])}", "got what makes no array"),
        ("return {'train': (np.zeros((0, 4, 4)), [])}", "train holds no samples"),
        (f"return {{'train': ({IMAGES}, [float('nan')] * 60)}}", "the label of each sample, got nan at 0"),
        (f"return {{'train': ({IMAGES}, {LABELS}), 'classes': [5, 6]}}", "the label 7 at 2, which classes lacks: 5, 6"),
        (f"return {{'train': ({IMAGES}, [5, 6] * 30), 'classes': [5, 6, 8]}}", "classes without a sample in train: 8"),
    ],
)
def test_what_a_function_of_images_may_not_return(loaded, body: str, expected: str) -> None:
    assert expected in message(loaded, body)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ("['a', ' ']", "train has an empty text at 1"),
        ("['a', 3]", "train must be a list of texts, or of pairs of texts, got 3 at 1"),
        ("['a', ('b', 'c')]", "got ('b', 'c') at 1"),
        ("[('a', 'b', 'c')] * 2", "got ('a', 'b', 'c') at 0"),
        ("np.zeros((2, 4, 4))", "train must be a list of texts, or of pairs of texts, got ("),
        ("5", "train must be a list of texts, got 5"),
    ],
)
def test_what_a_function_of_texts_may_not_return(loaded, inputs: str, expected: str) -> None:
    assert expected in message(loaded, f"return {{'train': ({inputs}, [0, 1])}}", "text")


def test_an_exception_of_the_function_is_reported_with_its_type_and_line(loaded) -> None:
    told = message(loaded, "raise RuntimeError('the disk is away')")
    assert "failed with RuntimeError: the disk is away (" in told
    assert ".py, line 5)" in told


def test_a_function_that_is_not_there_is_guessed(loaded) -> None:
    assert "has no function 'sample' (did you mean samples?)" in message(loaded, "return {}", function="sample")


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(
        BadInput, match=r"data\.source: cannot import 'no_such_module': ModuleNotFoundError: No module named"
    ):
        load(DataConfig(source="no_such_module:f"), "image")

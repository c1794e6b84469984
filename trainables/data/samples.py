"""What data is once it is read: samples as they stand in a file, examples of a split, the whole data set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spaces.errors import Problem
from trainables.config import Split


@dataclass(frozen=True)
class Sample:
    """One input with the name of its class, before anything is split."""

    id: str
    input: object
    label: str
    content: str  # hash of the input itself: equal contents are exact duplicates
    group: str | None = None


@dataclass(frozen=True)
class Reading:
    """What one file, folder or user's function gave for one split, and what was wrong with it."""

    samples: tuple[Sample, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Examples:
    """One split as parallel tuples.

    An input is the path of an image, a uint8 array of shape (height, width, channels), a text or a pair of texts.
    """

    inputs: tuple[object, ...]
    labels: tuple[int, ...]
    ids: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    contents: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.inputs)

    def take(self, indices: Iterable[int]) -> Examples:
        """Return the samples at ``indices``, in that order."""
        chosen = [int(index) for index in indices]
        return Examples(
            inputs=tuple(self.inputs[i] for i in chosen),
            labels=tuple(self.labels[i] for i in chosen),
            ids=tuple(self.ids[i] for i in chosen),
            groups=None if self.groups is None else tuple(self.groups[i] for i in chosen),
            contents=tuple(self.contents[i] for i in chosen) if self.contents else (),
        )


@dataclass(frozen=True)
class Dataset:
    """Train, val and test with the classes in the order of the label numbers."""

    train: Examples
    val: Examples
    test: Examples
    classes: tuple[str, ...]
    warnings: tuple[str, ...]
    hash: str  # over (split, id, content, label): equal hashes are equal splits

    def split(self, name: Split) -> Examples:
        """Return the examples of the split ``name``."""
        by_name: dict[Split, Examples] = {"train": self.train, "val": self.val, "test": self.test}
        return by_name[name]


def content_hash(content: object) -> str:
    """Hash an input itself: a file's bytes, a text, a pair of texts, or an array with its shape."""
    match content:
        case Path():
            return hashlib.sha256(content.read_bytes()).hexdigest()
        case str():
            return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
        case (str(first), str(second)):
            return content_hash(f"{len(first)}:{first}{second}")
    import numpy as np

    array = np.ascontiguousarray(content)
    return hashlib.sha256(f"{array.dtype.str}{array.shape}".encode() + array.tobytes()).hexdigest()


def contents_of(examples: Examples) -> tuple[str, ...]:
    """Return the content hash of every sample, known from the reading or computed now."""
    return examples.contents or tuple(content_hash(each) for each in examples.inputs)


def to_examples(samples: Sequence[Sample], classes: Sequence[str]) -> Examples:
    """Turn samples into parallel tuples, with each class's place in ``classes`` as its number."""
    number = {name: index for index, name in enumerate(classes)}
    grouped = any(sample.group is not None for sample in samples)
    return Examples(
        inputs=tuple(sample.input for sample in samples),
        labels=tuple(number[sample.label] for sample in samples),
        ids=tuple(sample.id for sample in samples),
        # A sample without a group is a group of its own.
        groups=tuple(sample.id if sample.group is None else sample.group for sample in samples) if grouped else None,
        contents=tuple(sample.content for sample in samples),
    )

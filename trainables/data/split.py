"""Divide samples into train, val and test by their content, and write down who went where. Reads no data."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from trainables.config import SPLITS, Split
from trainables.data.samples import Dataset, Examples, Sample, contents_of
from trainables.data.words import counted, listed

SHARE = 0.2  # of val and of test, where they are split off
FEWEST = 5  # samples per class in a val or test that is split off


def divide(samples: Sequence[Sample], missing: Collection[Split]) -> dict[Split, tuple[Sample, ...]]:
    """Split each of the ``missing`` splits off ``samples``: 20 % of every class; the rest is train.

    Exact duplicates and groups stay together, whatever their labels. Which sample goes where depends on the contents
    alone, not on names or order.
    """
    off = tuple(split for split in SPLITS if split in missing)
    sizes = Counter(sample.label for sample in samples)
    wanted = {(split, label): _rounded(SHARE * size) for split in off for label, size in sizes.items()}
    for label, size in sizes.items():
        wanted["train", label] = size - sum(wanted[split, label] for split in off)
    parts = _dealt(samples, wanted, ("train", *off), str)
    return {split: tuple(samples[i] for i in indices) for split, indices in parts.items()}


def redivide(dataset: Dataset, seed: int) -> Dataset:
    """Deal train and val anew by ``seed``: as many of each class in val as before, test as it is.

    Exact duplicates and groups stay together. Which sample goes where depends on the seed and the contents alone.
    """
    pool = [*_samples(dataset.train), *_samples(dataset.val)]
    wanted: dict[tuple[Split, str], int] = {
        (split, str(label)): 0 for split in ("train", "val") for label in range(len(dataset.classes))
    }
    wanted |= {("train", label): count for label, count in Counter(map(str, dataset.train.labels)).items()}
    wanted |= {("val", label): count for label, count in Counter(map(str, dataset.val.labels)).items()}
    parts = _dealt(pool, wanted, ("train", "val"), lambda content: _shuffled(content, seed))
    both = _joined(dataset.train, dataset.val)
    train, val = (both.take(parts[split]) for split in ("train", "val"))
    hashed = split_hash({"train": train, "val": val, "test": dataset.test}, dataset.classes)
    return replace(dataset, train=train, val=val, hash=hashed)


def _shuffled(content: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}/{content}".encode()).hexdigest()


def _samples(examples: Examples) -> list[Sample]:
    """Return samples that tell what a split goes by: content, label (its number) and group."""
    groups = examples.groups or (None,) * len(examples)
    rows = zip(examples.ids, examples.labels, contents_of(examples), groups, strict=True)
    return [Sample(name, None, str(label), content, group) for name, label, content, group in rows]


def _joined(one: Examples, other: Examples) -> Examples:
    """Return the samples of both, those of ``other`` last; ids stand for groups where one of them has none."""
    grouped = one.groups is not None or other.groups is not None
    return Examples(
        inputs=one.inputs + other.inputs,
        labels=one.labels + other.labels,
        ids=one.ids + other.ids,
        groups=(one.groups or one.ids) + (other.groups or other.ids) if grouped else None,
        contents=contents_of(one) + contents_of(other),
    )


def _dealt(
    samples: Sequence[Sample],
    wanted: dict[tuple[Split, str], int],
    splits: Sequence[Split],
    order: Callable[[str], str],
) -> dict[Split, list[int]]:
    """Give every cluster to the split that lacks it most; ``wanted`` is used up.

    In the order of the input, so that tables list a split as its file does.
    """
    sizes = Counter(sample.label for sample in samples)
    parts: dict[Split, list[int]] = {split: [] for split in splits}
    for cluster in _in_order(samples, order):
        split = _neediest(Counter(samples[i].label for i in cluster), wanted, sizes, splits)
        parts[split] += cluster
        for i in cluster:
            wanted[split, samples[i].label] -= 1
    return {split: sorted(indices) for split, indices in parts.items()}


def _rounded(number: float) -> int:
    return int(number + 0.5)


def _in_order(samples: Sequence[Sample], order: Callable[[str], str]) -> list[list[int]]:
    """Sort clusters, the largest first, so that the small ones even out what the large ones upset."""
    clusters = _clusters(samples)
    return sorted(clusters, key=lambda cluster: (-len(cluster), min(order(samples[i].content) for i in cluster)))


def _clusters(samples: Sequence[Sample]) -> list[list[int]]:
    """Join the samples that share a content or a group, directly or through others."""
    parent = list(range(len(samples)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[str, str], int] = {}
    for i, sample in enumerate(samples):
        for kind, value in (("content", sample.content), ("group", sample.group)):
            if value is not None:
                parent[root(i)] = root(first.setdefault((kind, value), i))
    members: dict[int, list[int]] = defaultdict(list)
    for i in range(len(samples)):
        members[root(i)].append(i)
    return list(members.values())


def _neediest(
    cluster: Mapping[str, int],
    wanted: Mapping[tuple[Split, str], int],
    sizes: Mapping[str, int],
    splits: Sequence[Split],
) -> Split:
    """Choose the split for a cluster.

    A lone sample goes to val until val is full, then to test, then to train, so that one more file moves few others.
    A larger cluster goes where the squared error of the shares of its classes ends smallest.
    """
    if sum(cluster.values()) == 1:
        (label,) = cluster
        return next((split for split in splits if split != "train" and wanted[split, label] > 0), "train")
    return max(
        splits,
        key=lambda split: sum(cluster[label] * wanted[split, label] / sizes[label] ** 2 for label in sorted(cluster)),
    )


def too_small(parts: Mapping[Split, Sequence[Sample]]) -> str | None:
    """Say which classes have too few samples in a split that was split off; None if all have enough."""
    counts = {split: Counter(sample.label for sample in samples) for split, samples in parts.items()}
    labels = sorted({label for counter in counts.values() for label in counter})
    least = {split: 1 if split == "train" else FEWEST for split in parts}
    short = [label for label in labels if any(counts[split][label] < least[split] for split in parts)]
    if not short:
        return None
    off = [split for split in parts if split != "train"]
    named = [
        f"{label} has {counted(sum(counter[label] for counter in counts.values()), 'sample')}, which leaves "
        + " and ".join(f"{counts[split][label]} for {split}" for split in parts)
        for label in short
    ]
    enough = next(n for n in range(FEWEST, 100 * FEWEST) if _rounded(SHARE * n) >= FEWEST)
    ways = " and ".join(f"data.{split}" for split in off)
    return (
        f"a split needs at least {FEWEST} samples per class in {' and '.join(off)} and one in train, but class "
        f"{listed(named)}; bring at least {enough} distinct samples of each class (in more than a few groups, "
        f"if they are grouped), or name {ways} yourself"
    )


def doubts(given: Mapping[Split, Sequence[Sample]]) -> tuple[str, ...]:
    """Return warnings about splits as given: contents or groups in two of them, contents with two labels."""
    return (*_shared(given), *_contradictions(given))


def _shared(given: Mapping[Split, Sequence[Sample]]) -> Iterator[str]:
    splits = [split for split in SPLITS if split in given]
    for position, later in enumerate(splits):
        for earlier in splits[:position]:
            known = {sample.content for sample in given[earlier]}
            again = [sample for sample in given[later] if sample.content in known]
            if again:
                yield (
                    f"{counted(len(again), 'sample')} of {later} {'is an' if len(again) == 1 else 'are'} exact "
                    f"{'duplicate' if len(again) == 1 else 'duplicates'} of samples in {earlier} "
                    f"({listed([sample.id for sample in again], 3)}): scores on {later} may be too good"
                )
            groups = {sample.group for sample in given[earlier]} & {sample.group for sample in given[later]} - {None}
            if groups:
                names = listed(sorted(str(group) for group in groups), 3)
                yield f"{counted(len(groups), 'group')} of {later} also in {earlier} ({names})"


def _contradictions(given: Mapping[Split, Sequence[Sample]]) -> Iterator[str]:
    labels: dict[str, set[str]] = defaultdict(set)
    first: dict[str, str] = {}
    for samples in given.values():
        for sample in samples:
            labels[sample.content].add(sample.label)
            first.setdefault(sample.content, sample.id)
    torn = [first[content] for content, names in labels.items() if len(names) > 1]
    if torn:
        yield f"{counted(len(torn), 'input')} found more than once, with different labels ({listed(torn, 3)})"


def limited(examples: Examples, most: int) -> Examples:
    """Keep at most ``most`` samples, each class in proportion and at least one of each, chosen by content hash."""
    if len(examples) <= most:
        return examples
    contents = contents_of(examples)
    quota = _proportional(Counter(examples.labels), most)
    kept: list[int] = []
    for label, number in quota.items():
        members = [i for i, each in enumerate(examples.labels) if each == label]
        kept += sorted(members, key=lambda i: (contents[i], examples.ids[i]))[:number]
    return examples.take(sorted(kept))


def _proportional(counts: Mapping[int, int], most: int) -> dict[int, int]:
    """Share ``most`` places out by largest remainder, one at least for each class."""
    total = sum(counts.values())
    exact = {label: most * count / total for label, count in sorted(counts.items())}
    quota = {label: max(1, int(share)) for label, share in exact.items()}
    while sum(quota.values()) != most:
        step = 1 if sum(quota.values()) < most else -1
        open_ = [label for label in quota if (quota[label] < counts[label] if step == 1 else quota[label] > 1)]
        quota[max(open_, key=lambda label: step * (exact[label] - quota[label]))] += step
    return quota


def _rows(splits: Mapping[Split, Examples], classes: Sequence[str]) -> Iterator[tuple[str, str, str, str]]:
    for split, examples in splits.items():
        for name, label, content in zip(examples.ids, examples.labels, contents_of(examples), strict=True):
            yield split, name, classes[label], content


def split_hash(splits: Mapping[Split, Examples], classes: Sequence[str]) -> str:
    """Hash who is where: equal for equal splits, whatever the order of the samples."""
    lines = sorted(json.dumps(row) for row in _rows(splits, classes))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def write_csv(dataset: Dataset, path: str | os.PathLike[str]) -> None:
    """Write split, id, label and content hash of every sample; the file appears whole or not at all."""
    target = Path(path)
    splits = {split: dataset.split(split) for split in SPLITS}
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", newline="", dir=target.parent, prefix=f".{target.name}.", delete=False
    ) as file:
        try:
            writer = csv.writer(file)
            writer.writerow(("split", "id", "label", "content"))
            writer.writerows(_rows(splits, dataset.classes))
            file.close()
            os.chmod(file.name, 0o644)
            os.replace(file.name, target)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise

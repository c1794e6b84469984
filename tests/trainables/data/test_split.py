"""The split: everyone in one place, what belongs together stays together, whatever the order."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.config import SPLITS, Split
from trainables.data.samples import Dataset, Sample, content_hash, to_examples
from trainables.data.split import divide, doubts, limited, redivide, split_hash, too_small, write_csv

MISSING = st.sampled_from([("val", "test"), ("val",), ("test",)])


def sample(number: int, label: str, content: str | None = None, group: str | None = None) -> Sample:
    return Sample(f"{number}.txt", str(number), label, content or content_hash(str(number)), group)


@st.composite
def distinct(draw: st.DrawFn) -> list[Sample]:
    sizes = draw(st.lists(st.integers(1, 60), min_size=1, max_size=4))
    labels = [str(label) for label, size in enumerate(sizes) for _ in range(size)]
    return [sample(number, label) for number, label in enumerate(labels)]


@st.composite
def tangled(draw: st.DrawFn) -> list[Sample]:
    """Samples that share contents and groups across classes."""
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from("ab"), st.integers(0, 40), st.none() | st.sampled_from("uvwxyz")), max_size=80
        )
    )
    return [sample(i, label, content_hash(str(content)), group) for i, (label, content, group) in enumerate(rows)]


@given(tangled(), MISSING)
def test_every_sample_lands_in_exactly_one_split(samples: list[Sample], missing: tuple[Split, ...]) -> None:
    parts = divide(samples, missing)
    assert set(parts) == {"train", *missing}
    placed = Counter(each.id for part in parts.values() for each in part)
    assert placed == Counter(each.id for each in samples)


@given(tangled(), MISSING)
def test_duplicates_and_groups_stay_together(samples: list[Sample], missing: tuple[Split, ...]) -> None:
    homes: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for split, part in divide(samples, missing).items():
        for each in part:
            homes["content", each.content].add(split)
            if each.group is not None:
                homes["group", each.group].add(split)
    assert all(len(splits) == 1 for splits in homes.values())


@given(tangled(), MISSING, st.randoms(use_true_random=False))
def test_the_split_does_not_depend_on_the_order(samples: list[Sample], missing: tuple[Split, ...], random) -> None:
    before = {split: {each.id for each in part} for split, part in divide(samples, missing).items()}
    shuffled = random.sample(samples, len(samples))
    assert {split: {each.id for each in part} for split, part in divide(shuffled, missing).items()} == before


@given(distinct(), MISSING)
def test_distinct_samples_are_shared_out_by_20_percent_of_each_class(
    samples: list[Sample], missing: tuple[Split, ...]
) -> None:
    parts = divide(samples, missing)
    for label, size in Counter(each.label for each in samples).items():
        for split in missing:
            assert abs(sum(each.label == label for each in parts[split]) - 0.2 * size) <= 0.5


@given(st.lists(st.integers(1, 4), min_size=20, max_size=60))
def test_shares_stay_near_60_20_20_where_samples_come_in_small_groups(sizes: list[int]) -> None:
    groups = [group for group, size in enumerate(sizes) for _ in range(size)]
    samples = [sample(i, "a", group=str(group)) for i, group in enumerate(groups)]
    parts = divide(samples, ("val", "test"))
    for split, share in {"train": 0.6, "val": 0.2, "test": 0.2}.items():
        assert abs(len(parts[split]) - share * len(samples)) <= 8


@given(distinct(), st.integers(0, 10**6))
def test_one_more_file_moves_few_others(samples: list[Sample], number: int) -> None:
    before = {each.id: split for split, part in divide(samples, ("val", "test")).items() for each in part}
    more = [*samples, Sample("new", "new", "0", content_hash(f"new {number}"))]
    after = {each.id: split for split, part in divide(more, ("val", "test")).items() for each in part}
    assert sum(after[name] != split for name, split in before.items()) <= 4


def test_a_split_keeps_the_order_of_its_file() -> None:
    samples = [sample(i, "ab"[i % 2]) for i in range(60)]
    for part in divide(samples, ("val", "test")).values():
        assert [int(each.input) for each in part] == sorted(int(each.input) for each in part)


def test_a_class_that_is_too_small_to_split_is_named_with_its_numbers_and_the_way_out() -> None:
    samples = [sample(i, "many") for i in range(50)] + [sample(100 + i, "few") for i in range(12)]
    message = too_small(divide(samples, ("val", "test")))
    assert message is not None
    assert "few has 12 samples, which leaves 8 for train and 2 for val and 2 for test" in message
    assert "many" not in message
    assert "at least 23 distinct samples" in message
    assert "data.val and data.test" in message


def test_23_samples_per_class_are_enough() -> None:
    assert too_small(divide([sample(i, "ab"[i % 2]) for i in range(46)], ("val", "test"))) is None
    assert too_small(divide([sample(i, "ab"[i % 2]) for i in range(44)], ("val", "test"))) is not None


def test_a_class_that_is_one_big_group_cannot_be_split() -> None:
    samples = [sample(i, "a", group="all") for i in range(50)] + [sample(100 + i, "b") for i in range(50)]
    assert "a has 50 samples" in (too_small(divide(samples, ("val", "test"))) or "")


def test_duplicates_across_given_splits_are_counted() -> None:
    train = [sample(i, "a") for i in range(5)]
    val = [sample(0, "a"), sample(1, "a"), sample(9, "a")]
    (warning,) = doubts({"train": train, "val": val})
    assert warning.startswith("2 samples of val are exact duplicates of samples in train (0.txt, 1.txt)")
    assert doubts({"train": train, "val": val[2:]}) == ()


def test_groups_across_given_splits_are_counted() -> None:
    given_splits = {"train": [sample(0, "a", group="u")], "test": [sample(1, "a", group="u")]}
    assert doubts(given_splits) == ("1 group of test also in train (u)",)


def test_one_input_with_two_labels_is_warned_about() -> None:
    (warning,) = doubts({"train": [sample(0, "a", "same"), sample(1, "b", "same"), sample(2, "b")]})
    assert warning == "1 input found more than once, with different labels (0.txt)"


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.data())
def test_a_limit_keeps_the_classes_in_proportion_and_one_of_each(sizes: list[int], data: st.DataObject) -> None:
    most = data.draw(st.integers(len(sizes), sum(sizes) + 3))
    labels = [str(label) for label, size in enumerate(sizes) for _ in range(size)]
    examples = to_examples([sample(i, label) for i, label in enumerate(labels)], sorted(set(labels)))
    kept = limited(examples, most)
    counts = Counter(kept.labels)
    assert len(kept) == min(most, len(examples))
    assert set(counts) == set(range(len(sizes)))
    # A class may give up places only to those that would otherwise have none.
    assert all(counts[label] <= max(1, most * size / sum(sizes) + 1) for label, size in enumerate(sizes))


def test_a_limit_chooses_by_content_not_by_order_or_name() -> None:
    samples = [sample(i, "ab"[i % 2]) for i in range(40)]
    forward, backward = (limited(to_examples(each, ("a", "b")), 10) for each in (samples, samples[::-1]))
    assert set(forward.contents) == set(backward.contents)


def dataset() -> Dataset:
    parts = divide([sample(i, "ab"[i % 2]) for i in range(60)], ("val", "test"))
    splits = {split: to_examples(parts[split], ("a", "b")) for split in SPLITS}
    return Dataset(**splits, classes=("a", "b"), warnings=(), hash=split_hash(splits, ("a", "b")))


def test_the_table_of_the_split_names_every_sample_once(tmp_path: Path) -> None:
    data = dataset()
    write_csv(data, tmp_path / "split.csv")
    with (tmp_path / "split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["split", "id", "label", "content"]
    assert Counter(row["split"] for row in rows) == {split: len(data.split(split)) for split in SPLITS}
    assert {row["id"]: row["label"] for row in rows} == {f"{i}.txt": "ab"[i % 2] for i in range(60)}
    assert all(row["content"] == content_hash(row["id"].removesuffix(".txt")) for row in rows)
    assert [path.name for path in tmp_path.iterdir()] == ["split.csv"]


def test_a_failed_write_leaves_the_old_table_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("old")
    data = dataset()
    broken = Dataset(data.train, data.val, data.test, classes=(), warnings=(), hash="")
    with pytest.raises(IndexError):
        write_csv(broken, tmp_path / "split.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["split.csv"]
    assert (tmp_path / "split.csv").read_text() == "old"


def test_the_hash_changes_with_a_label_a_content_or_a_split_but_not_with_the_order() -> None:
    data = dataset()
    splits: dict[Split, object] = {split: data.split(split) for split in SPLITS}
    backwards = {**splits, "train": data.train.take(reversed(range(len(data.train))))}
    assert split_hash(backwards, data.classes) == data.hash
    assert split_hash({**splits, "train": data.train.take(range(1, len(data.train)))}, data.classes) != data.hash
    assert split_hash({**splits, "val": data.test, "test": data.val}, data.classes) != data.hash
    assert split_hash(splits, ("b", "a")) != data.hash


def divided(samples: list[Sample]) -> Dataset:
    """Return the data set that ``samples`` make, split 60/20/20."""
    parts = divide(samples, ("val", "test"))
    classes = tuple(sorted({each.label for each in samples}))
    splits = {split: to_examples(parts[split], classes) for split in SPLITS}
    return Dataset(**splits, classes=classes, warnings=(), hash=split_hash(splits, classes))


@given(distinct(), st.integers(0, 2**32))
def test_dealt_anew_val_keeps_its_size_in_every_class_and_test_stays(samples: list[Sample], seed: int) -> None:
    data = divided(samples)
    dealt = redivide(data, seed)
    assert dealt.test is data.test
    for split in ("train", "val"):
        assert Counter(dealt.split(split).labels) == Counter(data.split(split).labels)
    before, after = ({*each.train.ids, *each.val.ids} for each in (data, dealt))
    assert before == after
    assert len(after) == len(dealt.train) + len(dealt.val)


@given(tangled(), st.integers(0, 9))
def test_dealt_anew_duplicates_and_groups_stay_together(samples: list[Sample], seed: int) -> None:
    dealt = redivide(divided(samples), seed)
    kinds = {each.id: each for each in samples}
    homes: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for split in ("train", "val"):
        for name in dealt.split(split).ids:
            homes["content", kinds[name].content].add(split)
            if kinds[name].group is not None:
                homes["group", kinds[name].group].add(split)
    assert all(len(splits) == 1 for splits in homes.values())


def test_every_seed_deals_another_split_and_always_the_same() -> None:
    data = divided([sample(number, "ab"[number % 2]) for number in range(100)])
    dealt = [redivide(data, seed) for seed in (1, 2, 3)]
    assert len({each.hash for each in (data, *dealt)}) == 4
    assert [redivide(data, seed).hash for seed in (1, 2, 3)] == [each.hash for each in dealt]
    turned = Dataset(
        train=data.train.take(reversed(range(len(data.train)))),
        val=data.val.take(reversed(range(len(data.val)))),
        test=data.test,
        classes=data.classes,
        warnings=(),
        hash=data.hash,
    )
    assert redivide(turned, 1).hash == dealt[0].hash  # whatever the order of the files
    assert [data.train.inputs[data.train.ids.index(name)] for name in dealt[0].train.ids if name in data.train.ids] == [
        each for name, each in zip(dealt[0].train.ids, dealt[0].train.inputs, strict=True) if name in data.train.ids
    ]

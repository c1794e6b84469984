"""Who is confirmed: the best of each stratum among trials that reached the last epoch, then the best of the rest."""

from __future__ import annotations

import pandas as pd
import pytest

from search.config import BudgetConfig, FinalistsConfig, SearchConfig, StudyConfig
from search.confirm import finalists
from search.setup import check_resplit
from trainables.config import DataConfig
from trainables.data.samples import Dataset, Sample, to_examples

ROWS = [
    ("a", "direct", 0.90, "search", "complete"),
    ("b", "direct", 0.89, "search", "complete"),
    ("c", "direct", 0.88, "search", "complete"),
    ("d", "head", 0.70, "search", "complete"),
    ("e", "head", 0.69, "search", "complete"),
    ("f", "scratch", 0.20, "search", "complete"),
    ("g", "direct", 0.99, "search", "pruned"),  # not seen to the end
    ("h", "direct", 0.95, "control", "complete"),  # confirmed in any case
    ("i", "delayed", float("nan"), "search", "failed"),
]
TRIALS = pd.DataFrame(ROWS, columns=["key", "stratum", "score", "stage", "state"])


@pytest.mark.parametrize(
    ("count", "mode", "wanted"),
    [
        (1, "max", ["a"]),
        (3, "max", ["a", "d", "f"]),
        (4, "max", ["a", "b", "d", "f"]),
        (9, "max", ["a", "b", "c", "d", "e", "f"]),
        (3, "min", ["f", "e", "c"]),
    ],
)
def test_every_stratum_s_best_comes_first(count: int, mode: str, wanted: list[str]) -> None:
    assert finalists(TRIALS, count=count, mode=mode) == wanted


def test_where_nothing_came_to_its_end_there_are_none() -> None:
    assert finalists(TRIALS[TRIALS["state"] != "complete"], count=3, mode="max") == []


def dataset(alike: bool) -> Dataset:
    """Return ten samples of a class and eight of another, those of which are ``alike`` or all different."""

    def samples(split: str, label: str, count: int) -> list[Sample]:
        same = alike and label == "b"
        return [Sample(f"{split}-{label}-{n}", "", label, "x" if same else f"{split}{label}{n}") for n in range(count)]

    splits = {split: [*samples(split, "a", 10), *samples(split, "b", 8)] for split in ("train", "val", "test")}
    classes = ("a", "b")
    examples = {name: to_examples(each, classes) for name, each in splits.items()}
    return Dataset(**examples, classes=classes, warnings=(), hash="")


@pytest.mark.parametrize(("resplit", "alike", "refused"), [(True, True, 1), (True, False, 0), (False, True, 0)])
def test_a_split_that_a_seed_would_leave_without_a_class_is_refused(resplit: bool, alike: bool, refused: int) -> None:
    config = StudyConfig(
        name="flowers",
        task="image-classification",
        model="torchvision:mobilenet_v2",
        data=DataConfig(path="flowers"),
        budget=BudgetConfig(trials=16, epochs=6),
        search=SearchConfig(grace=1),
        finalists=FinalistsConfig(count=3, seeds=3, resplit=resplit),
    )
    problems = check_resplit(config, dataset(alike))
    assert len(problems) == refused
    for problem in problems:
        assert problem.place == "finalists.resplit"
        assert "without a sample of class b" in problem.message
        assert "use false" in problem.message

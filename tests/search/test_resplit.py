"""`finalists.resplit`: a study in which a fresh seed would leave a class out of train or validation is refused."""

from __future__ import annotations

import pytest

from search.config import BudgetConfig, FinalistsConfig, SearchConfig, StudyConfig
from search.setup import check_resplit
from trainables.config import DataConfig
from trainables.data.samples import Dataset, Sample, to_examples


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

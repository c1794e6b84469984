"""A plan says what a study would do: what trains at each depth, where rungs stand, how much confirmation takes."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.planning import Planned, depths, expected_epochs
from search.proposals import COMPARED_SEEDS
from search.rungs import Rungs
from search.study import Study
from tests.end_to_end.tiny import write_project
from tests.support import tiny_trials
from tests.support.tiny_trials import BLOCKS
from trainables.loop import cost
from trainables.run import build

STUDY = """\
name: planned
task: image-classification
model: planned:network
data: {source: "planned:data"}
space: quick
budget: {trials: 10, epochs: 9}
search: {grace: 2}
finalists: {count: 2, seeds: 4}
"""


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Planned:
    study = write_project(tmp_path_factory.mktemp("planned"), name="planned", study=STUDY)
    found = Study.from_yaml(study).plan()
    assert sorted(path.name for path in study.parent.iterdir() if path.is_file()) == ["planned.py", "study.yaml"]
    return found


def test_a_plan_names_every_depth_and_all_that_confirmation_takes(planned: Planned) -> None:
    assert [row.depth for row in planned.depths] == [0, 1, 2, 3]
    assert (planned.depths[0].block, planned.depths[-1].block) == ("head", "stem")
    most = math.floor(3 + planned.search_epochs / 9)  # as long as the search, controls included
    assert planned.confirmations == max(planned.confirmation_floor, min((4 + 2) * 4, most))
    assert planned.confirmation_floor == 4 * COMPARED_SEEDS + 2 * 2
    assert planned.most_search_epochs == 90
    assert 10 < planned.search_epochs < 90
    confirmed = planned.confirmations * 9
    assert planned.confirmation_share == pytest.approx(confirmed / (confirmed + 27 + planned.search_epochs))


def test_a_plan_shows_the_rungs_and_the_rule_s_advice(planned: Planned) -> None:
    assert planned.milestones["direct"] == (2, 6)
    assert planned.milestones["delayed"] == (4, 6)
    shown = str(planned)
    assert all(line in shown for line in planned.rule.lines)
    assert "rungs of direct: 2, 6 of 9 epochs" in shown
    assert f"{len(planned.rule.tried)} of them the rule's" in shown
    assert f"about {planned.confirmation_share:.0%} of all epochs" in shown


@given(st.lists(st.integers(1, 10**6), min_size=3, max_size=20))
def test_a_deeper_thaw_trains_more_and_costs_more(counts: list[int]) -> None:
    rows = depths([(f"block {index}", count) for index, count in enumerate(counts)])
    assert len(rows) == len(counts) - 1
    assert all(one.trainable_share < other.trainable_share for one, other in pairwise(rows))
    assert all(one.cost < other.cost for one, other in pairwise(rows))
    assert (rows[-1].trainable_share, rows[-1].cost) == (1, 1)
    assert rows[0].trainable_share == counts[-1] / sum(counts)


def test_share_and_cost_are_those_of_real_trials(tmp_path: Path) -> None:
    config = tiny_trials.images(tmp_path)
    points = [{"freezing": "probe"}, *({"freezing": "top", "unfrozen_depth": depth} for depth in range(1, BLOCKS + 1))]
    runs = [build(config.model_copy(update={"strategy": point | {"head_lr": 0.01}})) for point in points]
    rows = depths([(block.name, block.count) for block in runs[0].blocks])
    shares = [run.facts["trainable_params"] / run.facts["total_params"] for run in runs]
    assert [row.trainable_share for row in rows] == pytest.approx(shares)
    costs = [cost(run, 1) - len(run.dataset.val) for run in runs]
    assert [row.cost for row in rows] == pytest.approx([each / costs[-1] for each in costs])


@pytest.mark.parametrize(
    ("rungs", "expected"),
    [
        (Rungs(9, grace=1, reduction=3), 1 + 2 / 3 + 6 / 9),
        (Rungs(4, grace=4, reduction=2), 4),
        (Rungs(4, grace=2, reduction=2), 2 + 2 / 2),
    ],
)
def test_rungs_let_their_share_go_on(rungs: Rungs, expected: float) -> None:
    assert expected_epochs(rungs, "direct") == pytest.approx(expected)


@given(st.integers(1, 60), st.integers(1, 9), st.integers(2, 5))
def test_a_search_is_expected_to_take_between_its_grace_and_all_of_its_epochs(
    epochs: int, grace: int, reduction: int
) -> None:
    found = expected_epochs(Rungs(epochs, grace, reduction), "direct")
    assert min(grace, epochs) <= found + 1e-9
    assert found <= epochs + 1e-9

"""The next step: more of whatever the uncertainty comes from, a wider space at a border, else a longer search."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.truth import Truth
from search.config import BudgetConfig, FinalistsConfig, SearchConfig, StudyConfig
from search.report.next_step import after, seed_share, unfinished
from search.results.borders import COLUMNS
from search.results.intervals import Sample
from search.results.verdict import Decision
from trainables.config import DataConfig

RUN = Path("runs/flowers")
STUDY = StudyConfig(
    name="flowers",
    task="image-classification",
    model="torchvision:mobilenet_v2",
    data=DataConfig(path="flowers"),
    budget=BudgetConfig(trials=16, epochs=6),
    search=SearchConfig(grace=1),
    finalists=FinalistsConfig(count=3, seeds=3),
)
NOWHERE = pd.DataFrame(columns=list(COLUMNS))
AT_THE_BORDER = pd.DataFrame([("head_lr", 0.1, 1e-3, 0.1, "high", True)], columns=list(COLUMNS))
CLEAR = Decision("a", "clear", (), "a", ("a", "b"))
OPEN = Decision("a", "not enough evidence", ("b",), "a", ("a", "b"))


def measured(seeds: int = 3, spread: float = 0.001, examples: int = 300) -> Sample:
    truth = Truth({"a": 0.9, "b": 0.89}, {"a": seeds, "b": seeds}, spread=spread, examples=examples)
    return truth.draw(np.random.default_rng(0))


def test_a_clear_winner_is_to_be_used() -> None:
    step = after(CLEAR, measured(), NOWHERE, STUDY, RUN)
    assert "best/" in step.sentence
    assert step.command == "thawline resume runs/flowers -o budget.trials=32"


def test_of_a_tie_it_is_said_whose_weights_lie_where() -> None:
    step = after(Decision("a", "tie", ("b",), "b", ("a", "b")), measured(), NOWHERE, STUDY, RUN)
    assert "Its weights are in checkpoints/; best/ holds the winner's" in step.sentence


def test_a_command_can_be_pasted_into_a_shell() -> None:
    step = after(CLEAR, measured(), NOWHERE, STUDY, Path("my runs/it's"))
    assert shlex.split(step.command) == ["thawline", "resume", "my runs/it's", "-o", "budget.trials=32"]


def test_a_winner_at_the_border_asks_for_a_wider_space() -> None:
    step = after(CLEAR, measured(), AT_THE_BORDER, STUDY, RUN)
    assert "space.head_lr" in step.sentence
    assert step.command == "thawline run runs/flowers/study.yaml"


def test_where_examples_are_few_more_of_them_are_asked_for() -> None:
    found = measured(spread=0.001, examples=100)
    assert seed_share(found, "a", ["b"]) == pytest.approx(0, abs=0.3)
    step = after(OPEN, found, AT_THE_BORDER, STUDY, RUN)
    assert "100 validation examples" in step.sentence
    assert step.command == "thawline run runs/flowers/study.yaml"


@pytest.mark.parametrize(("seeds", "why"), [(3, "Most of the uncertainty is the seeds'"), (1, "One seed says nothing")])
def test_where_seeds_are_few_more_of_them_are_asked_for(seeds: int, why: str) -> None:
    step = after(OPEN, measured(seeds, spread=0.05, examples=5000), NOWHERE, STUDY, RUN)
    assert step.sentence.startswith(why)
    assert step.command == "thawline resume runs/flowers -o finalists.seeds=6 -o budget.trials=32"


def test_a_rival_whose_seeds_differ_widely_is_not_hidden_by_one_whose_seeds_do_not() -> None:
    narrow = measured(spread=0.001)
    wide = Truth({"c": 0.6}, {"c": 3}, spread=0.2, examples=300).draw(np.random.default_rng(0))
    found = replace(narrow, scores={**narrow.scores, **wide.scores})
    step = after(Decision("a", "not enough evidence", ("b", "c"), "a", ("a", "b", "c")), found, NOWHERE, STUDY, RUN)
    assert step.sentence.startswith("Most of the uncertainty is the seeds'")


def test_a_run_that_was_cut_is_to_go_on_and_one_in_which_all_failed_to_be_looked_at() -> None:
    cut = pd.DataFrame({"trial": ["0", "1"], "state": ["complete", "running"]})
    assert unfinished(RUN, cut).command == "thawline resume runs/flowers"
    assert unfinished(RUN, cut.assign(state="failed")).command == "thawline trial runs/flowers 0"
    assert unfinished(RUN, cut.iloc[:0]).command == "thawline resume runs/flowers"

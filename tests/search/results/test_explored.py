"""How much of the space was tried: counted off where it has an end, by parts of the range where it has none."""

from __future__ import annotations

import pandas as pd
import pytest

from search.results.explored import PARTS, TENTHS, VALUES, explored
from search.results.load import TRIAL_COLUMNS
from spaces.domain import Choice, Float
from spaces.every import every
from spaces.param import Space
from spaces.presets import Setting, build
from spaces.strata import stratum
from spaces.strategy import Strategy, from_point, to_point

BLOCKS = 4
FINITE = build(
    "quick",
    Setting("image", "adamw", BLOCKS),
    {"head_lr": Choice((1e-3, 1e-2)), "lr_ratio": Choice((0.1, 1.0)), "reinit": Choice(("none",))},
)
ENDLESS = build("quick", Setting("image", "adamw", BLOCKS), {"head_lr": Float(1e-4, 1e-2, log=True)})


def trials(strategies: list[Strategy], *, stage: str = "search", state: str = "complete") -> pd.DataFrame:
    rows = [
        to_point(each) | {"key": each.key, "stratum": stratum(each), "stage": stage, "state": state}
        for each in strategies
    ]
    return pd.DataFrame(rows, columns=list(TRIAL_COLUMNS))


def strategies(space: Space) -> list[Strategy]:
    points = every(space)
    assert points is not None
    return [from_point(dict(space.fixed) | point).canonical(BLOCKS) for point in points.values()]


def told(found: pd.DataFrame, name: str) -> tuple[int, int | None, int]:
    (row,) = found[found["name"] == name].to_dict("records")
    return row["tried"], None if pd.isna(row["of"]) else row["of"], row["trials"]


def test_a_space_with_an_end_is_counted_off() -> None:
    there = strategies(FINITE)
    found = explored(trials(there[::3]), FINITE)
    assert told(found, "all") == (len(there[::3]), len(there), len(there[::3]))
    for name in ("head", "direct", "delayed"):
        of = [each for each in there if stratum(each) == name]
        assert told(found, name)[:2] == (len([each for each in there[::3] if stratum(each) == name]), len(of))
    assert "scratch" not in set(found["name"])
    assert told(found, "head_lr")[:2] == (2, 2)


def test_whoever_tries_all_has_tried_all_of_every_dimension() -> None:
    """Not more values count than strategies have: a depth of all blocks is full fine-tuning."""
    found = explored(trials(strategies(FINITE)), FINITE)
    assert (found["tried"] == found["of"]).all()
    assert found[found["scope"] == "dimension"]["unit"].eq(VALUES).all()


def test_a_space_without_an_end_is_told_by_parts_of_each_range() -> None:
    base = {"freezing": "probe", "weight_decay": 1e-4}
    rates = [1e-4, 1.1e-4, 1e-3, 9.9e-3, 1e-2]
    found = explored(trials([from_point(base | {"head_lr": rate}) for rate in rates]), ENDLESS)
    assert told(found, "all") == (5, None, 5)
    assert told(found, "head_lr") == (3, PARTS, 5)
    assert found.set_index("name").loc["head_lr", "unit"] == TENTHS
    assert told(found, "lr_ratio") == (0, PARTS, 0)  # a probe has none


@pytest.mark.parametrize(("stage", "state"), [("control", "complete"), ("confirm", "complete"), ("search", "reused")])
def test_only_what_the_search_trained_counts(stage: str, state: str) -> None:
    found = explored(trials(strategies(FINITE), stage=stage, state=state), FINITE)
    assert (found["tried"] == 0).all()
    assert explored(trials([]), None).empty

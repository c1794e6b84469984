"""What mattered, who was stopped, whether that was safe, where the winner lies, what to take for what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from search.results.borders import borders
from search.results.compare import Rival
from search.results.importance import ENOUGH, FEWEST, importance
from search.results.intervals import Interval
from search.results.picks import pareto, picks
from search.results.pruning import agreement, funnel
from search.results.verdict import Decision
from search.results.winner import confusion, promised
from search.rungs import Rungs
from spaces.domain import Choice, Float, Int
from spaces.presets import Setting, build

SPACE = build("quick", Setting("image", "adamw", 6), {"lr_ratio": Choice((0.1, 0.3, 1.0))})
RUNGS = Rungs(9, grace=1, reduction=3)


def searched(count: int = 60, start: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return trials whose score follows the head's learning rate, and the depth where there is one; a third pruned."""
    random = np.random.default_rng(start)
    rows, epochs = [], []
    for number in range(count):
        freezing = ("top", "full")[number % 2]
        depth = int(random.integers(1, 7)) if freezing == "top" else None
        rate = float(10 ** random.uniform(-4, -2))
        score = 0.5 + 0.1 * np.log10(rate / 1e-4) + (0.03 * depth if depth else 0.1) + 0.01 * random.normal()
        last = 9 if score > 0.62 else 3
        for epoch in range(1, last + 1):
            epochs.append({"trial": str(number), "epoch": epoch, "score": score * (0.5 + epoch / 18)})
        rows.append(
            {
                **{"trial": str(number), "stage": "search", "state": "complete" if last == 9 else "pruned"},
                **{"reason": None, "stratum": "direct", "freezing": freezing, "unfrozen_depth": depth},
                **{"head_lr": rate, "lr_ratio": float(random.choice([0.1, 0.3, 1.0])), "reinit": "none"},
                **{"epochs": last, "score": epochs[-1]["score"]},
            }
        )
    return pd.DataFrame(rows).astype({"reason": "str", "unfrozen_depth": "Int64"}), pd.DataFrame(epochs)


def test_the_dimension_that_decides_is_the_most_important_one() -> None:
    found = importance(*searched(), SPACE.names)
    whole = found[found["scope"] == "all"]
    assert whole.iloc[0]["dimension"] == "head_lr"
    assert whole["importance"].sum() == pytest.approx(1)
    assert whole.iloc[0]["explained"] > 0.3
    assert (whole["n"] >= ENOUGH).all()
    assert whole["enough"].all()
    assert "reinit" not in set(whole["dimension"])  # it never varied


def test_within_a_kind_of_freezing_only_its_own_trials_are_compared() -> None:
    found = importance(*searched(), SPACE.names)
    top, full = (found[found["scope"] == kind] for kind in ("top", "full"))
    assert set(top["dimension"]) == {"head_lr", "lr_ratio", "unfrozen_depth"}
    assert set(full["dimension"]) == {"head_lr", "lr_ratio"}
    assert full.set_index("dimension").loc["head_lr", "importance"] > 0.8


def test_the_budget_is_the_latest_that_enough_reached_and_few_trials_are_a_warning() -> None:
    trials, epochs = searched()
    complete = int((trials["state"] == "complete").sum())
    assert ENOUGH <= complete < len(trials)
    assert set(importance(trials, epochs, SPACE.names).query("scope == 'all'")["epoch"]) == {9}
    few, of_few = searched(FEWEST + 4)
    found = importance(few, of_few, SPACE.names).query("scope == 'all'")
    assert set(found["epoch"]) == {3}  # where all of them still are
    assert not found["enough"].any()
    assert importance(*searched(FEWEST - 1), SPACE.names).empty


def test_the_funnel_counts_who_came_how_far() -> None:
    trials, epochs = searched()
    found = funnel(trials, epochs, RUNGS).set_index("epoch")
    stopped = int((trials["state"] == "pruned").sum())
    assert list(found.index) == [1, 3, 9]
    assert set(found["stratum"]) == {"direct"}  # there is no other
    assert list(found["reached"]) == [60, 60, 60 - stopped]
    assert list(found["stopped"]) == [0, stopped, 0]
    assert funnel(trials, epochs, None).empty


def test_a_late_rung_is_told_as_the_one_race_that_it_is() -> None:
    """Two strata at a rung of their own and at a late one: whoever is alone in its stratum has rivals there."""
    rungs = Rungs(9, grace=2, reduction=3)
    told = {"stage": "search", "reason": "", "state": "pruned", "stratum": "direct"}
    trials = pd.DataFrame(
        [
            told | {"trial": "0", "state": "complete", "epochs": 9, "score": 0.9},
            told | {"trial": "1", "epochs": 6, "score": 0.8},
            told | {"trial": "2", "epochs": 2, "score": 0.1},
            told | {"trial": "3", "stratum": "scratch", "epochs": 6, "score": 0.5},
        ]
    )
    ran = {row["trial"]: (row["epochs"], row["score"]) for row in trials.to_dict("records")}
    rows = [{"trial": n, "epoch": e, "score": score} for n, (last, score) in ran.items() for e in range(1, last + 1)]
    found = funnel(trials, pd.DataFrame(rows), rungs)
    assert found.to_dict("split")["data"] == [
        ["direct", 2, 3, 1],
        ["scratch", 2, 1, 0],
        ["all", 6, 3, 2],
        ["all", 9, 1, 0],
    ]
    foretold = agreement(trials, pd.DataFrame(rows), rungs, "max")
    assert foretold[["stratum", "epoch", "reached"]].to_numpy().tolist() == found.iloc[:3, :3].to_numpy().tolist()


def test_the_clock_s_stops_are_not_the_rungs() -> None:
    trials, epochs = searched()
    by_clock = trials.assign(reason="stopped at epoch 3: time was up")
    assert funnel(by_clock, epochs, RUNGS)["stopped"].sum() == 0


@pytest.mark.parametrize("mode", ["max", "min"])
def test_a_rung_that_foretells_the_end_has_a_correlation_of_one(mode: str) -> None:
    trials, epochs = searched()
    found = agreement(trials, epochs, RUNGS, mode)
    assert list(found["epoch"]) == [1, 3]
    assert list(found["correlation"]) == pytest.approx([1, 1])
    assert (found["n"] < found["reached"]).all()
    best = 1 if mode == "max" else int((trials["state"] == "pruned").sum()) + 1
    assert list(found["rank_of_best"]) == [best, best]


def test_a_rung_that_misleads_shows() -> None:
    trials, epochs = searched()
    turned = epochs.assign(score=epochs["score"].where(epochs["epoch"] > 1, 1 - epochs["score"]))
    found = agreement(trials, turned, RUNGS, "max").set_index("epoch")
    assert found.loc[1, "correlation"] == pytest.approx(-1)
    assert found.loc[1, "rank_of_best"] == 60


def test_a_value_near_an_end_is_at_the_border_on_its_own_scale() -> None:
    space = build("quick", Setting("image", "adamw", 6), {"head_lr": Float(1e-4, 1e-2, log=True)})
    found = {
        rate: borders({"freezing": "full", "head_lr": rate}, space).set_index("dimension").loc["head_lr", "border"]
        for rate in (1.1e-4, 2e-4, 1e-3, 9e-3)
    }
    assert found == {1.1e-4: "low", 2e-4: "", 1e-3: "", 9e-3: "high"}


@pytest.mark.parametrize(
    ("name", "domain", "value", "border", "can_widen"),
    [
        ("unfrozen_depth", Int(1, 6), 6, "high", False),
        ("unfrozen_depth", Int(1, 4), 4, "high", True),
        ("unfrozen_depth", Int(1, 4), 1, "low", False),
        ("lr_ratio", Choice((0.1, 1.0)), 1.0, "high", True),
        ("lr_ratio", Choice((0.1, 1.0)), 0.1, "low", True),
        ("lr_ratio", Choice((0.1, 0.3, 1.0)), 0.3, "", False),
        ("layer_decay", Choice((0.5, 1.0)), 1.0, "high", False),
    ],
)
def test_a_border_is_a_warning_where_the_space_could_reach_further(
    name: str, domain: Choice | Int, value: float, border: str, can_widen: bool
) -> None:
    space = build("quick", Setting("image", "adamw", 6), {name: domain})
    row = borders({"freezing": "top", name: value}, space).set_index("dimension").loc[name]
    assert (row["border"], bool(row["can_widen"])) == (border, can_widen)


def test_what_has_no_order_or_a_single_value_has_no_border() -> None:
    space = build("quick", Setting("image", "adamw", 6), {"lr_ratio": Choice((0.1,))})
    assert borders({"freezing": "full", "reinit": "none", "lr_ratio": 0.1}, space).empty


BOARD = pd.DataFrame(
    {
        **{"rank": [1, 2, 3], "key": ["a", "b", "c"], "strategy": ["full", "top 2", "probe"], "role": "finalist"},
        **{"seeds": 5, "val_mean": [0.9, 0.89, 0.7], "test_mean": [0.88, 0.89, 0.7], "test_low": [0.86, 0.87, 0.66]},
        **{
            "test_high": [0.9, 0.91, 0.74],
            "trainable_share": [1.0, 0.4, 0.01],
            "peak_memory_mb": [900.0, 700.0, 500.0],
        },
        **{"freezing": ["full", "top", "probe"], "unfrozen_depth": [None, 2, None]},
    }
)
CONFIRMED = pd.DataFrame({"key": ["a", "a", "b", "c"], "cost": [100.0, 100.0, 60.0, 30.0]})
RIVALS = (
    Rival("b", Interval(0.01, -0.01, 0.03), 0.4, beaten=False),
    Rival("c", Interval(0.2, 0.15, 0.25), 0.0, beaten=True),
)


def test_what_to_take_is_never_what_the_winner_beats() -> None:
    decision = Decision("a", "not enough evidence", ("b",), "a", ("a", "b", "c"))
    costs = pareto(CONFIRMED, BOARD, "a", "max")
    accuracy, cost, size = picks(decision, BOARD, costs, RIVALS, ("freezing", "unfrozen_depth"), margin=0.01)
    assert [accuracy.key, cost.key, size.key] == ["a", "b", "b"]
    assert (accuracy.gap, cost.gap) == (None, RIVALS[0].gap)
    assert (cost.cost, cost.cost_share) == (60.0, 0.6)
    assert size.dimensions == {"freezing": "top", "unfrozen_depth": 2}
    alone = picks(Decision("a", "clear", (), "a", ("a", "b", "c")), BOARD, costs, RIVALS, (), margin=0.01)
    assert {pick.key for pick in alone} == {"a"}


@pytest.mark.parametrize(("margin", "taken"), [(0.0, "a"), (0.02, "b"), (0.3, "c")])
def test_what_is_not_shown_to_be_worse_but_looks_it_is_taken_within_the_margin_alone(margin: float, taken: str) -> None:
    """With intervals as wide as these nothing is beaten, not even what is 20 points behind."""
    wide = tuple(replace(rival, gap=Interval(rival.gap.mean, -0.5, 0.9), p=1.0, beaten=False) for rival in RIVALS)
    decision = Decision("a", "not enough evidence", ("b", "c"), "a", ("a", "b", "c"))
    accuracy, cost, size = picks(decision, BOARD, pareto(CONFIRMED, BOARD, "a", "max"), wide, (), margin=margin)
    assert (accuracy.key, cost.key, size.key) == ("a", taken, taken)


def test_the_front_is_what_nothing_cheaper_beats() -> None:
    found = pareto(CONFIRMED, BOARD, "a", "max")
    assert list(found["key"]) == ["c", "b", "a"]
    assert list(found["on_front"]) == [True, True, True]
    worse = BOARD.assign(val_mean=[0.9, 0.6, 0.7])
    assert list(pareto(CONFIRMED, worse, None, "max")["on_front"]) == [True, False, True]
    assert pareto(CONFIRMED, worse, None, "max")["cost_share"].isna().all()
    assert list(pareto(CONFIRMED, BOARD, "a", "min")["on_front"]) == [True, False, False]


def test_what_the_search_promised_is_held_against_what_came() -> None:
    trials = pd.DataFrame(
        {
            "stage": ["search", "search", "control", "confirm"],
            "state": ["complete", "pruned", "complete", "complete"],
            "key": ["a", "b", "c", "a"],
            "trial": ["0", "1", "2", "c0"],
        }
    )
    scores = {"0": [0.5, 0.9, 0.8, 0.97, 0.93], "1": [0.99], "2": [0.72], "c0": [0.9]}
    curves = [(trial, epoch, score) for trial, curve in scores.items() for epoch, score in enumerate(curve, 1)]
    found = promised(trials, pd.DataFrame(curves, columns=["trial", "epoch", "score"]), BOARD).set_index("key")
    assert found.loc["a", "searched"] == pytest.approx(0.95)  # the mean of its last two of five
    assert found.loc["a", "optimism_val"] == pytest.approx(0.05)
    assert found.loc["c", "optimism_test"] == pytest.approx(0.02)
    assert np.isnan(found.loc["b", "searched"])


def test_the_confusion_counts_every_pair_of_classes_over_all_seeds() -> None:
    rows = [("c0", "test", 0, 0), ("c0", "test", 1, 0), ("c1", "test", 1, 1), ("c1", "val", 0, 1), ("c2", "test", 0, 1)]
    kept = pd.DataFrame(rows, columns=["trial", "split", "label", "prediction"])
    found = confusion(kept, ["c0", "c1"], ["ant", "bee"])
    counts = [("ant", "ant", 1), ("ant", "bee", 0), ("bee", "ant", 1), ("bee", "bee", 1)]
    assert list(found.itertuples(index=False, name=None)) == counts

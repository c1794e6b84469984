"""Ray's own ASHA stops what is behind in one race of all strategies, which is what strata are there to avoid."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from search.asha import RayAsha
from search.results.pruning import agreement, funnel
from search.rungs import ALL, Rungs

EPOCHS = 9
Race = dict[int, tuple[str, list[float]]]


def run(stopping: RayAsha | Rungs, race: Race) -> dict[int, int]:
    """Let all trials train an epoch in turn; return the epoch each one reached."""
    reached = dict.fromkeys(race, 0)
    going = set(race)
    for epoch in range(1, EPOCHS + 1):
        for trial in sorted(going):
            stratum, scores = race[trial]
            reached[trial] = epoch
            if not stopping.decide(trial, stratum, epoch, scores[epoch - 1]):
                going.remove(trial)
    return reached


def rising(start: float, end: float) -> list[float]:
    return [start + (end - start) * epoch / (EPOCHS - 1) for epoch in range(EPOCHS)]


SLOW_STARTER = 3
RACE: Race = {trial: ("direct", rising(0.5 + trial / 100, 0.6)) for trial in range(3)} | {
    SLOW_STARTER: ("scratch", rising(0.1, 0.9))
}


def test_it_lets_the_best_of_all_strata_go_on_and_stops_a_slow_starter() -> None:
    reached = run(RayAsha(EPOCHS), RACE)
    assert reached[0] == EPOCHS  # the first to arrive always goes on
    assert reached[SLOW_STARTER] == 1
    assert run(Rungs(EPOCHS), RACE)[SLOW_STARTER] == EPOCHS


def test_its_rungs_are_ours_without_strata() -> None:
    for epochs, grace, reduction in ((9, 1, 3), (30, 2, 4), (4, 4, 2)):
        asha, rungs = RayAsha(epochs, grace, reduction), Rungs(epochs, grace, reduction)
        assert asha.milestones("delayed") == rungs.milestones("direct")
        assert [asha.rung("head", epoch) for epoch in range(epochs)] == [rungs.rung("head", e) for e in range(epochs)]


def test_less_can_be_better() -> None:
    losses: Race = {trial: ("direct", rising(0.5 + trial / 100, 0.2)) for trial in range(4)}
    reached = run(RayAsha(EPOCHS, mode="min"), losses)
    assert reached[0] == EPOCHS
    assert reached[3] < EPOCHS


def test_what_was_recorded_is_known_again() -> None:
    live, rebuilt = RayAsha(EPOCHS), RayAsha(EPOCHS)
    records = [(trial, *race) for trial, race in RACE.items()]
    for trial, stratum, scores in records[:-1]:
        live.decide(trial, stratum, 1, scores[0])
    rebuilt.rebuild((trial, stratum, 1, scores[0]) for trial, stratum, scores in records[:-1])
    for stopping in (live, rebuilt):
        assert not stopping.decide(9, "direct", 1, 0.4)
        assert stopping.decide(10, "direct", 1, 0.9)


def test_its_known_flaw_is_kept_a_score_that_is_no_number_goes_on() -> None:
    asha = RayAsha(EPOCHS)
    for trial in range(3):
        asha.decide(trial, "direct", 1, 0.5)
    assert asha.decide(3, "direct", 1, math.nan)


def test_what_the_report_says_of_its_one_race_is_what_ray_decided() -> None:
    random = np.random.default_rng(0)
    strata = ("head", "direct", "delayed", "scratch")
    race: Race = {n: (strata[n % 4], rising(*np.sort(random.random(2)).tolist())) for n in range(60)}
    reached = run(RayAsha(EPOCHS), race)
    rungs = Rungs(EPOCHS)
    trials = pd.DataFrame(
        {"trial": str(n), "stage": "search", "stratum": race[n][0], "reason": "", "epochs": last}
        | {"state": "complete" if last == EPOCHS else "pruned", "score": race[n][1][last - 1]}
        for n, last in reached.items()
    )
    epochs = pd.DataFrame(
        {"trial": str(n), "epoch": epoch, "score": race[n][1][epoch - 1]}
        for n, last in reached.items()
        for epoch in range(1, last + 1)
    )
    told = funnel(trials, epochs, rungs, apart=False)
    assert set(told["stratum"]) == {ALL}
    assert told["reached"].tolist()[0] == len(race)
    assert told["stopped"].sum() == (trials["state"] == "pruned").sum() > 20  # Ray stops nowhere but at these rungs
    for row, following in zip(told.to_dict("records"), told["reached"].tolist()[1:], strict=False):
        assert row["reached"] - row["stopped"] == following
    found = agreement(trials, epochs, rungs, "max", apart=False)
    assert found["epoch"].tolist() == list(rungs.milestones("direct"))
    assert found["n"].nunique() == 1
    assert found["n"].iloc[0] == (trials["state"] == "complete").sum()

"""Confirmation: finalists and controls over fresh seeds, the decision on validation, then the test set, once."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import optuna
import pandas as pd
from optuna.trial import TrialState

from search.proposals import to_confirm
from search.results import load
from search.results.evidence import DECISION, FINALISTS, TEST_OPENED, confirmed_trials, measured_on, now
from search.results.settled import settled_by_trial
from search.results.verdict import Decision, decide, read_decision
from search.rounds import RoundSearcher, SeedRounds
from search.rule import rule_of
from search.setup import Setup
from search.storage import CONFIRM, open_study
from search.tuner import Slots, carry_out, measure_test
from trainables.order import Order


def finalists(trials: pd.DataFrame, epochs: pd.DataFrame, *, count: int, mode: str) -> list[str]:
    """Return the keys of the finalists among search trials that reached the full budget, best first.

    The best of each stratum comes first, so that no family is judged by its early scores alone; then
    the best of the rest. What counts is what a trial settled at: see `search.results.settled`.
    """
    full = trials[(trials["stage"] == "search") & (trials["state"] == "complete")]
    full = full.assign(settled=full["trial"].map(settled_by_trial(epochs)))
    ranked = full.sort_values("settled", ascending=mode == "min", kind="stable")
    of_strata = ranked.drop_duplicates("stratum")["key"].tolist()
    rest = [key for key in ranked["key"] if key not in of_strata]
    chosen = set([*of_strata, *rest][:count])
    return [key for key in ranked["key"] if key in chosen]


def any_usable(run_dir: Path) -> bool:
    """Tell whether any trial of the search stage, controls included, reached its last epoch."""
    trials, _ = load.load(run_dir)
    return bool((trials["state"] == "complete").any())


def confirm(setup: Setup, room: Slots) -> None:
    """Train finalists, controls and the rule's choice on fresh seeds, to the end; the finalists are written down first.

    Every one gets the seeds of the floor, then those that may still be the best get more: see `search.rounds`.
    """
    trials, epochs = load.load(setup.run_dir)
    config = setup.config
    chosen = finalists(trials, epochs, count=config.finalists.count, mode=config.metric.mode)
    controls = {strategy.key: strategy for strategy in setup.controls.values()}
    points = {key: load.strategy_of(rows.iloc[0]) for key, rows in trials.groupby("key")}
    named = {key: points[key] for key in chosen}
    wanted = to_confirm(named, controls, rule_of(setup).answer, config.finalists.seeds)
    study = open_study(setup.run_dir, CONFIRM, config.metric.mode)
    if study.user_attrs.get(FINALISTS, {}).get("keys") != chosen:
        study.set_user_attr(FINALISTS, {"keys": chosen, "at": now()})
    metric, seeds = config.metric, config.finalists.seeds
    rounds = SeedRounds(setup.run_dir, wanted, config.search.seed, seeds, metric.name, metric.mode)
    progress = setup.progress
    template = setup.template.model_copy(update={"resplit": config.finalists.resplit})
    searcher = RoundSearcher(rounds, template, progress, setup.clock, progress.expect, setup.mirror)
    progress.begin("confirmation", max(len(rounds.floor), searcher.ended), searcher.ended)
    carry_out(searcher, None, room)


def decide_on_validation(setup: Setup) -> Decision | None:
    """Decide on the confirmed validation scores and write the decision down with its time.

    A decision that stands already and comes out the same stays as it is; one that a longer search
    changes names the earlier ones. None where no confirmation came to its end.
    """
    confirmed = confirmed_trials(setup.run_dir)
    if confirmed.empty:
        return None
    measured = measured_on(setup.run_dir, "val", setup.config.metric.name)
    costs = {str(key): float(rows["cost"].mean()) for key, rows in confirmed.groupby("key")}
    decision = decide(measured, costs, margin=setup.config.finalists.margin, mode=setup.config.metric.mode)
    study = open_study(setup.run_dir, CONFIRM, setup.config.metric.mode)
    kept = study.user_attrs.get(DECISION)
    if kept is None or read_decision(kept) != decision:
        earlier = [*kept["earlier"], {"winner": kept["winner"], "at": kept["at"]}] if kept else []
        study.set_user_attr(DECISION, {**asdict(decision), "at": now(), "earlier": earlier})
    return decision


def open_the_test_set(setup: Setup, room: Slots) -> None:
    """Measure every confirmed trial on the test split, record the opening, and tell the trials as complete.

    What an interrupted opening left is the same opening; trials that a longer search added are another.
    """
    study = open_study(setup.run_dir, CONFIRM, setup.config.metric.mode)
    if DECISION not in study.user_attrs:
        raise RuntimeError("the test set was about to be opened before the decision was written down")
    waiting = [t for t in study.get_trials(deepcopy=False) if t.state == TrialState.RUNNING and "end" in t.user_attrs]
    if not waiting:
        return
    openings = study.user_attrs.get(TEST_OPENED, [])
    names = [f"c{trial.number}" for trial in waiting]
    if not (openings and set(names) <= set(openings[-1]["trials"])):
        study.set_user_attr(TEST_OPENED, [*openings, {"at": now(), "trials": names}])
    orders = [_order(setup, trial).plain() for trial in waiting]
    for trial, score in zip(waiting, measure_test(orders, room), strict=True):
        if setup.mirror:
            setup.mirror.bring(f"c{trial.number}", "test")
        optuna.trial.Trial(study, trial._trial_id).set_user_attr("test_score", score)
        study.tell(trial.number, trial.user_attrs["end"]["value"])


def _order(setup: Setup, trial: optuna.trial.FrozenTrial) -> Order:
    kept = trial.user_attrs
    config = setup.template.model_copy(update={"strategy": kept["strategy"], "seed": kept["seed"]})
    return Order(config, setup.checkpoints(f"c{trial.number}"))

"""The rule in a study: measured once, its points first, its choice confirmed and compared."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.config import study_space
from search.layering import resolve
from search.proposals import (
    COMPARED_SEEDS,
    FIRST_SEEDS,
    for_confirmation,
    for_rule,
    fresh_seed,
    seed_number,
    to_confirm,
    to_search,
)
from search.report import sentences
from search.results import rule as reported
from search.results.intervals import sample
from search.rule import RULE, Rule, advise, read, rule_of
from search.sampler import StudySearcher
from search.sampling import Sampling
from search.setup import Setup, control_strategies, template
from search.storage import load_study
from spaces.check import outside
from spaces.controls import controls
from spaces.domain import Choice
from spaces.param import Space
from spaces.presets import Setting, build, defaults
from spaces.strategy import Full, Probe, Strategy, Top, from_point, to_point
from tests.end_to_end.tiny import STUDY, write_project
from tests.support import tiny_trials
from tests.support.tiny_trials import BLOCKS, TRAIN

SETTING = Setting("image", "adamw", BLOCKS)
STANDARD = build("standard", SETTING)
CONTROLS = [strategy.canonical(BLOCKS) for strategy in controls(defaults(SETTING)).values()]


def advised(folder: Path, space: Space = STANDARD, trials: int = 20, **values: Any) -> Rule:
    return advise(tiny_trials.images(folder, **values), space, CONTROLS, gpu=False).within(trials)


@pytest.fixture(scope="module")
def rule(tmp_path_factory: pytest.TempPathFactory) -> Rule:
    return advised(tmp_path_factory.mktemp("rule"))


def test_the_rule_says_what_it_measured(rule: Rule) -> None:
    assert (rule.size, rule.samples, rule.classes) == ("small", TRAIN, 3)
    assert rule.similarity in ("similar", "dissimilar")
    assert set(rule.transfer["gain"]) == {"mean", "low", "high"}
    assert len(rule.transfer["random"]) == 3
    assert rule.note is None
    assert rule.lines[0].startswith(f"rule: small ({TRAIN} samples, 3 classes), {rule.similarity} (transfer gain ")
    assert [line for line in rule.lines if "tried first" in line] == [
        f"rule: tried first: {strategy}" for strategy in rule.strategies
    ]


def test_the_choice_is_the_first_point_of_the_measured_quadrant(rule: Rule) -> None:
    assert rule.answer is not None
    assert rule.strategies[0] == rule.answer
    assert rule.answer.freezing == (Probe() if rule.similarity == "similar" else Top(2))


@pytest.mark.parametrize("trials", [1, 2, 5, 40])
def test_at_most_half_of_the_budget_is_the_rule_s(tmp_path: Path, trials: int) -> None:
    found = advised(tmp_path, trials=trials)
    assert len(found.tried) <= trials // 2
    assert not {strategy.key for strategy in found.strategies} & {strategy.key for strategy in CONTROLS}
    assert [problem for strategy in found.strategies for problem in outside(STANDARD, strategy)] == []


def test_a_budget_that_grows_has_room_for_more_of_the_rule_s_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = STUDY.replace("quick, head_lr: [0.01, 0.03], lr_ratio: [0.1, 1.0], reinit: [none, all]", "standard")
    resolved = resolve(write_project(tmp_path, name="growing", study=study))
    controlled = control_strategies(resolved.config, BLOCKS)
    notes: list[Any] = []
    space = study_space(resolved.config, BLOCKS)
    setup = Setup(resolved.config, template(resolved), space, controlled, tmp_path, notes.append)  # type: ignore[arg-type]
    first = rule_of(setup)
    monkeypatch.delattr("search.rule.advise")  # what was measured once is not measured again
    grown = resolved.config.model_copy(update={"budget": resolved.config.budget.model_copy(update={"trials": 40})})
    assert rule_of(setup).tried == first.tried
    assert len(first.tried) == 3
    assert len(notes) == len(first.lines)
    more = rule_of(replace(setup, config=grown))
    assert len(more.tried) > 3
    assert more.tried[:3] == first.tried


def test_what_the_space_does_not_hold_is_dropped_and_said(tmp_path: Path) -> None:
    space = build("standard", SETTING, {"freezing": Choice(("full",)), "reinit": Choice(("none",))})
    found = advised(tmp_path, space)
    assert found.answer is None
    assert found.dropped
    assert all("lies outside the space: space." in sentence for sentence in found.dropped)
    assert set(found.lines) >= {f"rule: not tried: {sentence}" for sentence in found.dropped}


def test_a_measurement_that_fails_leaves_the_similarity_open_and_says_why(tmp_path: Path) -> None:
    broken = "\n\ndef fragile(pretrained: bool = True):\n    return Net() if pretrained else 1 / 0\n"
    config = tiny_trials.of_function(tiny_trials.images(tmp_path, broken), "fragile")
    found = advise(config, STANDARD, CONTROLS, gpu=False)
    assert found.unsure
    assert found.note is not None
    assert "ZeroDivisionError" in found.note
    assert found.note in "\n".join(found.lines)
    assert {"probe", "lp_ft", "top", "window", "gradual"} <= {str(point["freezing"]) for point in found.tried}


def test_a_rule_survives_the_storage(rule: Rule) -> None:
    import json

    again = read(json.loads(json.dumps(asdict(rule))))
    assert again.strategies == rule.strategies
    assert again.answer == rule.answer
    assert again.lines == rule.lines


def test_the_rule_s_points_come_before_the_controls_and_count_in_the_budget(tmp_path: Path, rule: Rule) -> None:
    config = tiny_trials.images(tmp_path)
    queue = to_search(rule.strategies, CONTROLS, 0)
    budget = len(rule.strategies) + 2
    search = StudySearcher(tmp_path, "search", config, queue, Sampling(STANDARD, budget, 0))
    last = {"epoch": 2, "score": 0.5, "train_loss": 1.0, "val_loss": 1.0, "seconds": 1.0, "cost": 1.0}
    handed = 0
    while search.suggest(str(handed)) != "FINISHED":
        search.on_trial_complete(str(handed), last)
        handed += 1
    assert handed == len(CONTROLS) + budget
    study = load_study(tmp_path, "search")
    assert study is not None
    trials = [trial for trial in study.get_trials() if "reused_of" not in trial.user_attrs]
    tried = len(rule.strategies)
    assert [trial.user_attrs["role"] for trial in trials] == ["rule"] * tried + ["control"] * 3 + ["search"] * 2
    stages = ["search"] * tried + ["control"] * 3 + ["search"] * 2
    assert [trial.user_attrs["stage"] for trial in trials] == stages
    assert [from_point(trial.user_attrs["strategy"]) for trial in trials[:tried]] == list(rule.strategies)
    assert all(trial.params for trial in trials[:tried])  # the sampler learns from them


def test_a_point_that_the_space_knows_under_another_name_is_tried_all_the_same(tmp_path: Path) -> None:
    space = build("standard", SETTING, {"freezing": Choice(("top",))})
    full = Strategy(Full(), 1e-3, lr_ratio=0.3, weight_decay=1e-4)
    assert outside(space, full) == []
    search = StudySearcher(tmp_path, "search", tiny_trials.images(tmp_path), for_rule([full], 0), Sampling(space, 1, 0))
    order = search.suggest("a")
    assert isinstance(order, dict)
    assert order["config"]["strategy"] == to_point(full)


def strategies(*rates: float) -> dict[str, Strategy]:
    return {strategy.key: strategy for strategy in (Strategy(Probe(), rate) for rate in rates)}


def test_the_floor_is_three_seeds_of_what_is_compared_and_two_of_a_finalist() -> None:
    finalists, besides, choice = strategies(1e-3, 2e-3), strategies(3e-3), Strategy(Probe(), 4e-3)
    wanted = to_confirm(finalists, besides, choice, seeds=5)
    assert [(strategy.head_lr, role, seeds) for strategy, role, seeds in wanted] == [
        (3e-3, "control", COMPARED_SEEDS),
        (4e-3, "rule", COMPARED_SEEDS),
        (1e-3, "finalist", FIRST_SEEDS),
        (2e-3, "finalist", FIRST_SEEDS),
    ]
    assert {seeds for *_, seeds in to_confirm(finalists, besides, choice, seeds=1)} == {1}


def test_a_finalist_that_is_there_for_comparison_is_confirmed_once() -> None:
    finalists = strategies(1e-3)
    [choice] = finalists.values()
    assert to_confirm(finalists, {}, choice, seeds=5) == [(choice, "rule", COMPARED_SEEDS)]
    assert to_confirm(finalists, finalists, choice, seeds=5) == [(choice, "control", COMPARED_SEEDS)]


@given(st.integers(0, 2**32 - 1), st.integers(0, 100))
def test_a_fresh_seed_is_never_the_search_s_own(seed: int, number: int) -> None:
    assert fresh_seed(seed, number) != seed
    assert seed_number(fresh_seed(seed, number), seed) == number


def test_confirmation_goes_seed_by_seed() -> None:
    one, other = Strategy(Probe(), 1e-3), Strategy(Probe(), 2e-3)
    queue = for_confirmation([(one, "control", 1), (other, "finalist", 3)], seed=7)
    assert [(proposal.seed, proposal.strategy) for proposal in queue] == [(8, one), (8, other), (9, other), (10, other)]


def test_the_report_compares_the_recommendation_with_the_rule(rule: Rule) -> None:
    assert rule.answer is not None
    labels = np.zeros(100, dtype=np.int64)
    worse, better = (labels + (np.arange(100) < wrong) for wrong in (40, 10))
    rows = {rule.answer.key: {1: worse, 2: worse}, "best": {1: better, 2: better}}
    test = sample(labels, rows, "accuracy")
    facts = {RULE: asdict(rule)}
    gain = reported.against_rule(facts, test, "best")
    assert gain is not None
    assert gain.mean == pytest.approx(0.3)
    told = reported.told(facts, gain, trained=99 * rule.transfer["seconds"])
    assert told is not None
    assert told["share"] == pytest.approx(0.01)
    assert {"quadrant", "size", "similarity", "strategy", "delta"} <= set(told)
    assert told["quadrant"] == f"small, {rule.similarity}"
    assert told["strategy"] == str(rule.answer)
    assert told["delta_low"] < told["delta"] < told["delta_high"]
    text = sentences.rule(told, "the winner", gain)
    assert text.startswith(f"The textbook quadrant (small, {rule.similarity}; transfer gain ")
    assert f"advises {rule.answer}; the search found the winner; difference +30.0 points [" in text
    own = reported.against_rule(facts, test, rule.answer.key)
    assert own is not None
    assert own.mean == 0


def test_without_a_confirmed_choice_there_is_no_difference(rule: Rule) -> None:
    assert reported.told({}, None, trained=0.0) is None
    nowhere = {RULE: asdict(replace(rule, choice=None))}
    labels = np.zeros(10, dtype=np.int64)
    assert reported.against_rule(nowhere, sample(labels, {"best": {1: labels}}, "accuracy"), "best") is None
    told = reported.told(nowhere, None, trained=0.0)
    assert told is not None
    assert (told["strategy"], told["delta"]) == (None, None)
    assert "advises nothing that the space holds; the search found the winner." in sentences.rule(
        told, "the winner", None
    )

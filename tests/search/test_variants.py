"""Every way to draw gives points of the space, the same for the same seed, and learns where there is something to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import optuna
import pytest
from optuna.search_space import IntersectionSearchSpace

from search.config import SearchConfig
from search.proposals import for_control
from search.sampler import StudySearcher
from search.sampling import Sampling, sampler_of
from search.variants import VARIANTS, shared
from spaces.check import outside
from spaces.controls import controls
from spaces.domain import Choice
from spaces.presets import Setting, build, defaults
from spaces.strategy import Strategy, Top, to_point
from spaces.suggest import suggest, suggest_all
from tests.search.test_sampler import TEMPLATE, held
from tests.spaces.drawing import HIGHEST, LOWEST, MIDDLE, Source

SETTING = Setting("image", "adamw", 6)
SPACE = build("standard", SETTING)
VARIANT = pytest.mark.parametrize("name", VARIANTS)


def drawn(name: str, count: int, seed: int = 0, worth: Any = lambda strategy: 0.5) -> Iterator[Strategy]:
    """Draw and score ``count`` strategies, in the way of the search."""
    study = optuna.create_study(direction="maximize")
    for number in range(count):
        study.sampler = sampler_of(name, seed, number)
        trial = study.ask()
        strategy = VARIANTS[name].walk(SPACE, trial)  # type: ignore[arg-type]
        yield strategy
        study.tell(trial, worth(strategy))


def test_the_study_file_names_every_variant() -> None:
    assert set(get_args(SearchConfig.model_fields["sampler"].annotation)) == set(VARIANTS)


@VARIANT
def test_every_variant_draws_points_of_the_space(name: str) -> None:
    found = list(drawn(name, 30))
    assert [problem for strategy in found for problem in outside(SPACE, strategy)] == []
    assert all(strategy == strategy.canonical(6) for strategy in found)
    assert len({to_point(strategy)["freezing"] for strategy in found}) > 2


@VARIANT
def test_the_same_seed_draws_the_same(name: str) -> None:
    first = list(drawn(name, 15))
    assert list(drawn(name, 15)) == first
    assert list(drawn(name, 15, seed=1)) != first


def worth(strategy: Strategy) -> float:
    """Score best what trains the top three blocks at a high ratio."""
    near = isinstance(strategy.freezing, Top) and 1 - abs(strategy.freezing.depth - 3) / 6
    return float(near) + (strategy.lr_ratio > 0.1) * bool(near)


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "random"])
def test_every_variant_that_learns_comes_back_to_what_scored_best(name: str) -> None:
    found = [strategy for seed in (0, 1, 2) for strategy in list(drawn(name, 60, seed, worth))[30:]]
    by_chance = [strategy for seed in (0, 1, 2) for strategy in list(drawn("random", 60, seed, worth))[30:]]
    assert sum(map(worth, found)) > 2 * sum(map(worth, by_chance))


@pytest.mark.parametrize("source", [LOWEST, MIDDLE, HIGHEST])
def test_asking_for_everything_gives_the_same_strategy_as_asking_for_what_applies(source: Source) -> None:
    assert suggest_all(SPACE, source) == suggest(SPACE, source)


def test_asking_for_everything_asks_for_everything() -> None:
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    suggest_all(build("standard", SETTING, {"freezing": Choice(("probe",))}), trial)  # type: ignore[arg-type]
    assert tuple(trial.params) == SPACE.names


def test_freezing_first_learns_the_rest_from_the_same_kind_alone() -> None:
    # Full is better at a low ratio, the top at a high one: a draw for one must not follow the other.
    space = build("quick", SETTING, {"freezing": Choice(("top", "full")), "reinit": Choice(("none",))})
    study = optuna.create_study(direction="maximize")
    ratios: dict[str, list[float]] = {"top": [], "full": []}
    for number in range(80):
        study.sampler = sampler_of("freezing_first", 0, number)
        trial = study.ask()
        strategy = VARIANTS["freezing_first"].walk(space, trial)  # type: ignore[arg-type]
        kind = str(trial.params["freezing"])
        ratios[kind].append(strategy.lr_ratio)
        study.tell(trial, strategy.lr_ratio if kind == "top" else 1 - strategy.lr_ratio)
    late = {kind: sorted(values[len(values) // 2 :]) for kind, values in ratios.items()}
    middle = {kind: values[len(values) // 2] for kind, values in late.items()}
    assert middle["top"] > 3 * middle["full"]


def test_what_is_drawn_together_is_what_optuna_finds_itself() -> None:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    space = build("standard", SETTING, {"freezing": Choice(("top", "gradual")), "weight_decay": Choice((0.01,))})
    assert shared([]) == {}
    for _ in range(9):
        trial = study.ask()
        suggest(space, trial)  # type: ignore[arg-type]
        study.tell(trial, 0.5)
        found = IntersectionSearchSpace(include_pruned=True).calculate(study)
        together = {name: values for name, values in found.items() if not values.single()}
        assert list(shared(study.get_trials()).items()) == list(together.items())


def test_an_ask_does_not_compare_the_distributions_of_all_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    def compared(*_: object, **__: object) -> None:
        raise AssertionError("it takes longer with every trial of the study")

    monkeypatch.setattr(IntersectionSearchSpace, "calculate", compared)
    assert len(list(drawn("freezing_first", 20))) == 20


@VARIANT
def test_the_searcher_draws_in_every_way_around_controls_that_the_space_does_not_hold(
    tmp_path: Path, name: str
) -> None:
    space = build("standard", SETTING, {"head_lr": Choice((0.004, 0.006))})
    queue = for_control([strategy.canonical(6) for strategy in controls(defaults(SETTING)).values()], seed=0)
    search = StudySearcher(tmp_path, "search", TEMPLATE, queue, Sampling(space, 20, 0, name))
    last = {"epoch": 3, "train_loss": 1.0, "val_loss": 1.0, "seconds": 1.0, "cost": 1.0}
    for number in range(23):
        assert search.suggest(str(number)) != "FINISHED"
        search.on_trial_complete(str(number), {**last, "score": number % 7 / 7})
    assert search.suggest("23") == "FINISHED"


@VARIANT
def test_a_searcher_of_the_same_seed_draws_the_same_down_to_what_does_not_apply(tmp_path: Path, name: str) -> None:
    space = build("thorough", SETTING)
    queue = for_control([strategy.canonical(6) for strategy in controls(defaults(SETTING)).values()], seed=0)

    def params(folder: Path) -> list[dict[str, Any]]:
        folder.mkdir()
        search = StudySearcher(folder, "search", TEMPLATE, queue, Sampling(space, 4, 0, name))
        last = {"epoch": 3, "train_loss": 1.0, "val_loss": 1.0, "seconds": 1.0, "cost": 1.0}
        for number in range(7):
            search.suggest(str(number))
            search.on_trial_complete(str(number), {**last, "score": number / 7})
        return [trial.params for trial in held(folder)]

    assert params(tmp_path / "one") == params(tmp_path / "other")

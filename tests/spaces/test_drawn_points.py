"""Whatever proposes the values, what is drawn is a canonical point of the space."""

from __future__ import annotations

import logging

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces.check import check_space, outside
from spaces.domain import Choice, Float
from spaces.param import Space
from spaces.presets import MODALITIES, PRESETS, Setting, build
from spaces.strategy import Full, Top, to_point
from spaces.suggest import suggest
from tests.spaces.drawing import HIGHEST, LOWEST, MIDDLE, Source, any_space

logging.getLogger("optuna").setLevel(logging.WARNING)


def of_optuna(seed: int) -> optuna.Trial:
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask()


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("preset", PRESETS)
def test_optuna_draws_points_of_every_preset(preset: str, modality: str) -> None:
    space = build(preset, Setting(modality, "adamw", blocks=6))
    kinds = set()
    for seed in range(60):
        strategy = suggest(space, of_optuna(seed))
        assert outside(space, strategy) == []
        assert strategy == strategy.canonical(6)
        kinds.add(to_point(strategy)["freezing"])
    assert kinds == set(PRESETS[preset].freezing)


@settings(deadline=None, max_examples=60)
@given(any_space(), st.integers(0, 2**32 - 1))
def test_optuna_draws_points_of_a_restricted_space(space: Space, seed: int) -> None:
    if check_space(space):
        return  # refused before anything is drawn
    assert outside(space, suggest(space, of_optuna(seed))) == []


@given(any_space(), st.sampled_from([LOWEST, MIDDLE, HIGHEST]))
def test_any_source_draws_points_of_a_restricted_space(space: Space, source: Source) -> None:
    if check_space(space):
        return
    strategy = suggest(space, source)
    assert outside(space, strategy) == []
    assert strategy == strategy.canonical(space.blocks)


def test_what_only_part_of_trains_is_pulled_towards_its_start_though_all_of_reinit_was_drawn() -> None:
    given = {"freezing": Choice(("top",)), "unfrozen_depth": Choice((2,)), "reinit": Choice(("all", "none"))}
    space = build("thorough", Setting("image", "adamw", 6), {**given, "l2_sp": Choice((1e-3,))})
    points = [to_point(suggest(space, source)) for source in (LOWEST, HIGHEST)]
    assert [(point["reinit"], point["l2_sp"]) for point in points] == [("none", 1e-3)] * 2


def test_only_what_applies_is_asked_for() -> None:
    asked = []

    class Listening(Source):
        def suggest_categorical(self, name, choices):
            asked.append(name)
            return super().suggest_categorical(name, choices)

        def suggest_float(self, name, low, high, *, log=False):
            asked.append(name)
            return super().suggest_float(name, low, high, log=log)

    space = build("standard", Setting("image", "adamw", 6))
    suggest(space, Listening(min, lambda choices: choices[0]))  # a probe
    assert asked == ["freezing", "head_lr", "weight_decay"]


def test_the_deepest_top_is_drawn_as_full() -> None:
    space = build("quick", Setting("image", "adamw", 6), {"freezing": Choice(("top",))})
    assert suggest(space, HIGHEST).freezing == Full()
    assert suggest(space, LOWEST).freezing == Top(1)


def test_a_drawn_number_is_readable() -> None:
    space = build("quick", Setting("image", "adamw", 6), {"head_lr": Float(0.001, 0.01, log=True)})
    source = Source(lambda low, high: 0.00123456, lambda choices: choices[0])
    assert suggest(space, source).head_lr == 0.00123


def test_what_is_not_searched_has_its_default() -> None:
    strategy = suggest(build("quick", Setting("text", "adamw", 6)), HIGHEST)
    assert (strategy.layer_decay, strategy.weight_decay) == (1.0, 0.01)
    assert (strategy.label_smoothing, strategy.batch_size) == (0.0, 32)

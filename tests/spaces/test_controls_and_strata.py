"""What is run whatever the search finds, and who competes with whom."""

from __future__ import annotations

import pytest

from spaces.controls import controls
from spaces.presets import MODALITIES, OPTIMIZERS, Setting, defaults
from spaces.strata import STRATA, STRATUM_OF_FREEZING, stratum
from spaces.strategy import FREEZING_KINDS, Full, Keep, Probe, ReinitAll, ReinitTop, Strategy, Top, from_point

KINDS = pytest.mark.parametrize("kind", FREEZING_KINDS)


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_controls_are_what_one_does_without_a_search(modality: str, optimizer: str) -> None:
    values = defaults(Setting(modality, optimizer, 9))
    made = controls(values)
    assert {name: (each.freezing, each.reinit) for name, each in made.items()} == {
        "probe": (Probe(), Keep()),
        "full": (Full(), Keep()),
        "scratch": (Full(), ReinitAll()),
    }
    assert made["full"].lr_ratio == 0.1
    assert made["scratch"].lr_ratio == 1.0
    assert {each.head_lr for each in made.values()} == {values["head_lr"]}
    assert {each.weight_decay for each in made.values()} == {values["weight_decay"]}
    assert {each.layer_decay for each in made.values()} == {1.0}


def test_the_controls_are_three_different_strategies_on_the_smallest_network() -> None:
    made = controls(defaults(Setting("image", "adamw", 1)))
    assert len({each.canonical(1).key for each in made.values()}) == 3


@KINDS
def test_every_freezing_kind_has_a_stratum(kind: str) -> None:
    strategy = from_point({"freezing": kind, "head_lr": 1e-3, "unfrozen_depth": 2})
    assert stratum(strategy) in STRATA


def test_the_table_holds_no_other_kinds_and_no_other_strata() -> None:
    assert set(STRATUM_OF_FREEZING) == set(FREEZING_KINDS)
    assert set(STRATUM_OF_FREEZING.values()) | {"scratch"} == set(STRATA)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy(Probe(), 1e-3), "head"),
        (Strategy(Top(2), 1e-3), "direct"),
        (Strategy(Full(), 1e-3), "direct"),
        (Strategy(Full(), 1e-3, reinit=ReinitTop(2)), "direct"),
        (Strategy(Full(), 1e-3, reinit=ReinitAll()), "scratch"),
    ],
)
def test_like_competes_with_like(strategy: Strategy, expected: str) -> None:
    assert stratum(strategy) == expected

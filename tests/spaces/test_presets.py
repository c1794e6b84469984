"""The presets are made of known dimensions, with sane domains, for every kind of study."""

from __future__ import annotations

import pytest
from hypothesis import given

from spaces.check import check_space
from spaces.domain import Choice, Float, Int
from spaces.param import Space, When
from spaces.presets import (
    DIMENSION_NAMES,
    DIMENSIONS,
    FREEZING,
    MODALITIES,
    OPTIMIZERS,
    PRESETS,
    Setting,
    build,
    defaults,
    widest,
)
from tests.spaces.drawing import settings_of_a_study

EVERY_SETTING = [
    Setting(modality, optimizer, blocks) for modality in MODALITIES for optimizer in OPTIMIZERS for blocks in (1, 2, 12)
]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_searches_known_dimensions(preset: str) -> None:
    assert set(PRESETS[preset].dimensions) <= set(DIMENSION_NAMES)
    assert set(build(preset, EVERY_SETTING[0]).names) == set(PRESETS[preset].dimensions)


def test_a_larger_preset_searches_all_that_a_smaller_one_does_and_more() -> None:
    quick, standard, thorough = (PRESETS[name] for name in ("quick", "standard", "thorough"))
    assert quick.freezing == ("probe", "top", "full", "gradual", "lp_ft")
    assert standard.freezing == thorough.freezing == FREEZING
    more = {"window_start", "window_length", "layer_decay", "reinit_blocks", "weight_decay", "probe_share"}
    assert set(quick.dimensions) == {"freezing", "unfrozen_depth", "head_lr", "lr_ratio", "reinit"}
    assert set(standard.dimensions) - set(quick.dimensions) == more
    assert set(thorough.dimensions) - set(standard.dimensions) == {"l2_sp", "label_smoothing", "batch_size"}
    assert set(thorough.dimensions) == set(DIMENSION_NAMES)


@pytest.mark.parametrize(("modality", "sizes"), [("image", (16, 32, 64)), ("text", (8, 16, 32))])
def test_the_batch_sizes_follow_the_data(modality: str, sizes: tuple[int, ...]) -> None:
    assert build("thorough", Setting(modality, "adamw", 6))["batch_size"].domain == Choice(sizes)


@pytest.mark.parametrize(
    ("point", "drawn"),
    [
        ({"freezing": "full", "reinit": "top"}, True),
        ({"freezing": "full", "reinit": "all"}, False),
        ({"freezing": "full"}, True),  # a space that searches no reinit
        ({"freezing": "norm_bias"}, True),
        ({"freezing": "probe"}, False),
    ],
)
def test_what_keeps_weights_near_the_pretrained_ones_is_drawn_where_some_stay(
    point: dict[str, str], drawn: bool
) -> None:
    assert build("thorough", EVERY_SETTING[0])["l2_sp"].active(point) == drawn


@pytest.mark.parametrize("setting", EVERY_SETTING, ids=str)
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_has_no_problem_on_any_network(preset: str, setting: Setting) -> None:
    assert check_space(build(preset, setting)) == []


@given(settings_of_a_study)
def test_every_default_lies_in_its_own_domain(setting: Setting) -> None:
    domains = widest(setting)
    assert {name: value for name, value in defaults(setting).items() if value not in domains[name]} == {}


@pytest.mark.parametrize("row", DIMENSIONS, ids=lambda row: row.name)
def test_a_dimension_depends_on_earlier_rows_only(row) -> None:
    earlier = DIMENSION_NAMES[: DIMENSION_NAMES.index(row.name)]
    assert {name for condition in row.when for name in condition.names} <= set(earlier)


@pytest.mark.parametrize(
    ("modality", "optimizer", "expected"),
    [
        ("image", "adamw", (Float(1e-4, 1e-2, log=True), 1e-3)),
        ("image", "sgd", (Float(1e-3, 1e-1, log=True), 1e-2)),
        ("text", "adamw", (Float(1e-5, 1e-2, log=True), 5e-4)),
        ("text", "sgd", (Float(1e-3, 1e-1, log=True), 1e-2)),
    ],
)
def test_the_head_learning_rate_follows_data_and_optimiser(modality: str, optimizer: str, expected) -> None:
    setting = Setting(modality, optimizer, 9)
    assert (widest(setting)["head_lr"], defaults(setting)["head_lr"]) == expected


@pytest.mark.parametrize(("blocks", "half"), [(1, 1), (2, 1), (3, 2), (12, 6), (17, 9)])
def test_the_depth_reaches_from_one_to_all_and_starts_in_the_middle(blocks: int, half: int) -> None:
    setting = Setting("image", "adamw", blocks)
    assert widest(setting)["unfrozen_depth"] == Int(1, blocks)
    assert defaults(setting)["unfrozen_depth"] == half


def test_an_override_takes_the_place_of_a_domain_and_adds_a_dimension() -> None:
    setting = Setting("image", "adamw", 9)
    space = build("quick", setting, {"freezing": Choice(("full",)), "weight_decay": Choice((0.0,))})
    assert space["freezing"].domain == Choice(("full",))
    assert set(space.names) == {*PRESETS["quick"].dimensions, "weight_decay"}
    assert space.names == tuple(name for name in DIMENSION_NAMES if name in space.names)


def test_the_conditions_are_those_of_the_table() -> None:
    space = build("standard", Setting("text", "adamw", 12))
    assert space["unfrozen_depth"].when == (When("freezing", ("top", "gradual", "lp_ft")),)
    assert [kind for kind in FREEZING if not space["lr_ratio"].active({"freezing": kind})] == ["probe"]
    assert [kind for kind in FREEZING if not space["reinit"].active({"freezing": kind})] == ["probe", "norm_bias"]
    assert [kind for kind in FREEZING if space["probe_share"].active({"freezing": kind})] == ["gradual", "lp_ft"]
    assert space["reinit_blocks"].active({"freezing": "top", "reinit": "top"})
    assert not space["reinit_blocks"].active({"freezing": "top", "reinit": "all"})
    assert not space["reinit_blocks"].active({"freezing": "probe", "reinit": "top"})


def test_the_hash_names_the_space() -> None:
    setting = Setting("image", "adamw", 9)

    def named(**overrides) -> str:
        return build("standard", setting, overrides).hash

    same = build("standard", Setting("image", "adamw", 9))
    others: list[Space] = [
        build("quick", setting),
        build("standard", Setting("image", "adamw", 10)),
        build("standard", Setting("image", "sgd", 9)),
        build("standard", setting, {"head_lr": Float(1e-4, 1e-2)}),
        build("standard", setting, {"head_lr": Float(1e-4, 2e-2, log=True)}),
        build("standard", setting, {"unfrozen_depth": Choice((1, 9))}),
        Space(same.params, same.fixed, blocks=10),
        Space(same.params, {**same.fixed, "lr_ratio": 0.2}, same.blocks),
    ]
    assert named() == same.hash
    assert len({space.hash for space in [same, *others]}) == 1 + len(others)

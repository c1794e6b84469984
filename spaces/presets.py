"""The dimensions of the space and the presets: literal tables, built for a network's block count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from spaces.domain import Choice, Domain, Float, Int, Value, extremes
from spaces.freezing import probe_epochs
from spaces.param import Condition, Param, Space, Unless, When

MODALITIES = ("image", "text")
OPTIMIZERS = ("adamw", "sgd")


@dataclass(frozen=True)
class Setting:
    """What the domains depend on: kind of data, optimiser, number of blocks."""

    modality: str
    optimizer: str
    blocks: int


@dataclass(frozen=True)
class Dimension:
    """A row of the table: the domain and the default by setting, and when the dimension is drawn."""

    name: str
    domain: Callable[[Setting], Domain]
    default: Callable[[Setting], Value]
    when: tuple[Condition, ...] = ()


FREEZING = ("probe", "top", "window", "full", "gradual", "lp_ft", "norm_bias")
DEPTH_MATTERS = (When("freezing", ("top", "gradual", "lp_ft")),)
WINDOW = (When("freezing", ("window",)),)
BLOCKS_TRAIN = (When("freezing", ("top", "window", "full", "gradual", "lp_ft")),)
BACKBONE_TRAINS = (When("freezing", ("top", "window", "full", "gradual", "lp_ft", "norm_bias")),)
FROM_PRETRAINED = Unless((("freezing", "full"), ("reinit", "all")))  # else there is nothing to be pulled towards
STARTS_AS_PROBE = (When("freezing", ("gradual", "lp_ft")),)


def _head_lr(setting: Setting) -> Domain:
    if setting.optimizer == "sgd":
        return Float(1e-3, 1e-1, log=True)
    return Float(1e-4, 1e-2, log=True) if setting.modality == "image" else Float(1e-5, 1e-2, log=True)


def _default_head_lr(setting: Setting) -> Value:
    if setting.optimizer == "sgd":
        return 1e-2
    return 1e-3 if setting.modality == "image" else 5e-4


# In drawing order: a condition refers to an earlier row only.
DIMENSIONS = (
    Dimension("freezing", lambda s: Choice(FREEZING), lambda s: "full"),
    Dimension(
        "unfrozen_depth",
        lambda s: Int(1, s.blocks),
        lambda s: -(-s.blocks // 2),
        DEPTH_MATTERS,
    ),
    Dimension("window_start", lambda s: Int(1, s.blocks), lambda s: 1, WINDOW),
    Dimension("window_length", lambda s: Int(1, 3), lambda s: 1, WINDOW),
    Dimension("head_lr", _head_lr, _default_head_lr),
    Dimension("lr_ratio", lambda s: Float(1e-3, 1.0, log=True), lambda s: 0.1, BACKBONE_TRAINS),
    Dimension(
        "layer_decay",
        lambda s: Choice((1.0, 0.9, 0.75, 0.65, 0.5) if s.modality == "image" else (1.0, 0.95, 0.9, 0.8, 0.385)),
        lambda s: 1.0,
        BACKBONE_TRAINS,
    ),
    Dimension("reinit", lambda s: Choice(("none", "top", "all")), lambda s: "none", BLOCKS_TRAIN),
    Dimension(
        "reinit_blocks",
        lambda s: Int(1, 2 if s.modality == "image" else 6),
        lambda s: 1,
        (*BLOCKS_TRAIN, When("reinit", ("top",))),
    ),
    Dimension("probe_share", lambda s: Choice((0.1, 0.25, 0.5)), lambda s: 0.25, STARTS_AS_PROBE),
    Dimension(
        "weight_decay",
        lambda s: Float(1e-5, 1e-1, log=True) if s.modality == "image" else Choice((0.0, 0.01, 0.1)),
        lambda s: 1e-4 if s.modality == "image" else 0.01,
    ),
    Dimension(
        "l2_sp",
        lambda s: Choice((0.0, 1e-3, 1e-2)),
        lambda s: 0.0,
        (*BACKBONE_TRAINS, FROM_PRETRAINED),
    ),
    Dimension("label_smoothing", lambda s: Choice((0.0, 0.1)), lambda s: 0.0),
    Dimension("batch_size", lambda s: Choice((16, 32, 64) if s.modality == "image" else (8, 16, 32)), lambda s: 32),
)
DIMENSION_NAMES = tuple(row.name for row in DIMENSIONS)


@dataclass(frozen=True)
class Preset:
    """A ready-made study: what is searched, for how long, and how it is confirmed."""

    dimensions: tuple[str, ...]
    trials: int
    epochs: int
    grace: int
    finalists: int
    seeds: int  # at most: spent where they decide
    freezing: tuple[str, ...] = FREEZING


STANDARD = tuple(name for name in DIMENSION_NAMES if name not in ("l2_sp", "label_smoothing", "batch_size"))
PRESETS: Mapping[str, Preset] = {
    "quick": Preset(
        ("freezing", "unfrozen_depth", "head_lr", "lr_ratio", "reinit"),
        trials=16, epochs=6, grace=4, finalists=3, seeds=3,
        freezing=("probe", "top", "full", "gradual", "lp_ft"),
    ),
    "standard": Preset(STANDARD, trials=48, epochs=12, grace=3, finalists=4, seeds=5),
    "thorough": Preset(DIMENSION_NAMES, trials=160, epochs=30, grace=8, finalists=8, seeds=10),
}  # fmt: skip


def defaults(setting: Setting) -> dict[str, Value]:
    """Return every dimension's default."""
    return {row.name: row.default(setting) for row in DIMENSIONS}


def widest(setting: Setting) -> dict[str, Domain]:
    """Return every dimension's own domain."""
    return {row.name: row.domain(setting) for row in DIMENSIONS}


def longest_probe(space: Space, epochs: int) -> int:
    """Return the most epochs that a strategy of ``space`` trains its head alone before blocks join."""
    searched = next((p.domain for p in space if p.name == "probe_share"), None)
    return probe_epochs(extremes(searched)[1] if searched else float(space.fixed["probe_share"]), epochs)


def build(preset: str, setting: Setting, overrides: Mapping[str, Domain] | None = None) -> Space:
    """Return the space of ``preset``; a dimension in ``overrides`` is searched over that domain instead."""
    domains = widest(setting) | {"freezing": Choice(PRESETS[preset].freezing)}
    chosen = {name: domains[name] for name in PRESETS[preset].dimensions} | dict(overrides or {})
    params = tuple(Param(row.name, chosen[row.name], row.when) for row in DIMENSIONS if row.name in chosen)
    return Space(params=params, fixed=defaults(setting), blocks=setting.blocks)

"""What the tests of the space draw from: any strategy, any space a user may ask for, and a source without Optuna."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from spaces.domain import Choice, Float, Int, Value
from spaces.param import Space
from spaces.presets import DIMENSIONS, MODALITIES, OPTIMIZERS, PRESETS, Setting, build
from spaces.strategy import (
    Freezing,
    Full,
    Gradual,
    Keep,
    LpFt,
    NormBias,
    Probe,
    Reinit,
    ReinitAll,
    ReinitTop,
    Strategy,
    Top,
    Window,
)

MOST_BLOCKS = 16

rates = st.floats(1e-6, 1.0)
depths = st.integers(1, MOST_BLOCKS + 4)
shares = st.sampled_from((0.1, 0.25, 0.5))
freezings: st.SearchStrategy[Freezing] = st.one_of(
    st.builds(Probe),
    st.builds(Full),
    st.builds(NormBias),
    st.builds(Top, depth=depths),
    st.builds(Window, start=depths, length=st.integers(1, 4)),
    st.builds(Gradual, depth=depths, probe_share=shares),
    st.builds(LpFt, depth=depths, probe_share=shares),
)
reinits: st.SearchStrategy[Reinit] = st.one_of(
    st.builds(Keep), st.builds(ReinitAll), st.builds(ReinitTop, blocks=st.integers(1, 8))
)
any_strategy = st.builds(
    Strategy,
    freezing=freezings,
    head_lr=rates,
    lr_ratio=st.floats(0.0, 1.0),
    layer_decay=st.floats(0.1, 1.0),
    reinit=reinits,
    weight_decay=st.floats(0.0, 1.0),
    l2_sp=st.floats(0.0, 1.0),
    label_smoothing=st.floats(0.0, 0.9),
    batch_size=st.integers(1, 256),
)
block_counts = st.integers(1, MOST_BLOCKS)
settings_of_a_study = st.builds(
    Setting, modality=st.sampled_from(MODALITIES), optimizer=st.sampled_from(OPTIMIZERS), blocks=block_counts
)


def narrower(domain: Choice | Int | Float) -> st.SearchStrategy[Choice | Int | Float]:
    """Draw a domain that a user could ask for in the place of ``domain``."""
    match domain:
        case Choice(values=values):
            some = st.lists(st.sampled_from(values), min_size=1, unique=True)
            return st.builds(Choice, some.map(tuple))
        case Int(low=low, high=high):
            ends = st.tuples(st.integers(low, high), st.integers(low, high)).map(sorted)
            listed = st.lists(st.integers(low, high), min_size=1, max_size=4, unique=True)
            return ends.map(lambda pair: Int(*pair)) | listed.map(lambda some: Choice(tuple(some)))
        case Float(low=low, high=high, log=log):
            ends = st.tuples(st.floats(low, high), st.floats(low, high)).map(sorted)
            listed = st.lists(st.floats(low, high), min_size=1, max_size=4, unique=True)
            return ends.map(lambda pair: Float(*pair, log)) | listed.map(lambda some: Choice(tuple(some)))


@st.composite
def any_space(draw: st.DrawFn) -> Space:
    """Draw a preset's space for some network, with any of its dimensions restricted."""
    setting = draw(settings_of_a_study)
    chosen = draw(st.sets(st.sampled_from([row.name for row in DIMENSIONS])))
    overrides = {row.name: draw(narrower(row.domain(setting))) for row in DIMENSIONS if row.name in chosen}
    return build(draw(st.sampled_from(sorted(PRESETS))), setting, overrides)


class Source:
    """Anything with ``suggest_*``: here the numbers come from a function of the bounds."""

    def __init__(self, number: Callable[[float, float], float], pick: Callable[[Sequence[Value]], Value]) -> None:
        self.number = number
        self.pick = pick

    def suggest_categorical(self, name: str, choices: Sequence[Value]) -> Value:
        return self.pick(choices)

    def suggest_int(self, name: str, low: int, high: int) -> int:
        return round(self.number(low, high))

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return min(max(self.number(low, high), low), high)


LOWEST = Source(min, lambda choices: choices[0])
HIGHEST = Source(max, lambda choices: choices[-1])
MIDDLE = Source(lambda low, high: (low + high) / 2, lambda choices: choices[len(choices) // 2])

"""A plan is a strategy in names: whatever the strategy and the network, nothing is lost, doubled or mixed up."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from spaces.strategy import Full, Keep, NormBias, Probe, ReinitAll, ReinitTop, Strategy, Top
from tests.spaces.drawing import any_strategy
from tests.trainables.finetuning.synthetic import Synthetic, names
from trainables.finetuning.plan import Plan


@given(names(), any_strategy)
def test_every_parameter_is_frozen_or_trains_and_never_both(named: Synthetic, strategy: Strategy) -> None:
    planned = named.planned(strategy.canonical(named.depth))
    assert sorted([*planned.frozen, *planned.trainable]) == sorted(named.parameters)


@given(names(), any_strategy)
def test_a_deeper_thaw_trains_no_less(named: Synthetic, strategy: Strategy) -> None:
    depths = [replace(strategy, freezing=Probe())]
    depths += [replace(strategy, freezing=Top(depth)) for depth in range(1, named.depth + 1)]
    trainable = [set(named.planned(each.canonical(named.depth)).trainable) for each in depths]
    assert all(less < more for less, more in pairwise(trainable))
    assert trainable[-1] == set(named.parameters)


@given(names(), any_strategy)
def test_the_head_always_trains_at_its_own_rate(named: Synthetic, strategy: Strategy) -> None:
    planned = named.planned(strategy.canonical(named.depth))
    rates = {name: group.lr for group in planned.groups for name in group.parameters}
    assert {rates[name] for name in named.blocks[-1].parameters} == {strategy.head_lr}


@given(names(), any_strategy)
def test_a_probe_trains_the_head_alone(named: Synthetic, strategy: Strategy) -> None:
    planned = named.planned(replace(strategy, freezing=Probe()).canonical(named.depth))
    assert sorted(planned.trainable) == sorted(named.blocks[-1].parameters)
    assert planned.reinit == ()


@given(names(), any_strategy)
def test_a_plan_survives_json(named: Synthetic, strategy: Strategy) -> None:
    planned = named.planned(strategy.canonical(named.depth))
    assert Plan.from_json(json.loads(json.dumps(planned.to_json()))) == planned


@given(names(), any_strategy)
def test_equivalent_strategies_have_equal_plans(named: Synthetic, strategy: Strategy) -> None:
    top, full = replace(strategy, freezing=Top(named.depth)), replace(strategy, freezing=Full())
    assert named.planned(top.canonical(named.depth)) == named.planned(full.canonical(named.depth))
    plain = replace(strategy, reinit=Keep())
    assert named.planned(replace(plain, freezing=Top(named.depth))) == named.planned(replace(plain, freezing=Full()))


@given(names(), any_strategy)
def test_rates_follow_the_formula(named: Synthetic, strategy: Strategy) -> None:
    canonical = strategy.canonical(named.depth)
    planned = named.planned(canonical)
    rates = {name: group.lr for group in planned.groups for name in group.parameters}
    for block in named.blocks[:-1]:
        distance = named.depth - block.index  # 0 for the last block, L for the stem
        expected = canonical.head_lr * canonical.lr_ratio * canonical.layer_decay**distance
        for name in set(block.parameters) & set(rates):
            assert math.isclose(rates[name], expected, rel_tol=1e-12)


@given(names(st.just(2)))
def test_rates_of_a_network_of_two_blocks_by_hand(named: Synthetic) -> None:
    planned = named.planned(Strategy(Full(), 0.1, lr_ratio=0.5, layer_decay=0.1))
    by_block = {group.name: group.lr for group in planned.groups if not group.name.endswith("(no decay)")}
    expected = dict(zip((block.name for block in named.blocks), (0.0005, 0.005, 0.05, 0.1), strict=True))
    assert {name: round(lr, 12) for name, lr in by_block.items()} == expected


@given(names(), any_strategy)
def test_vectors_never_decay_and_matrices_do(named: Synthetic, strategy: Strategy) -> None:
    for group in named.planned(strategy.canonical(named.depth)).groups:
        flat = set(group.parameters) & named.vectors
        assert flat in (set(), set(group.parameters))
        assert group.weight_decay == (0.0 if flat else strategy.weight_decay)


@given(names(), any_strategy, st.integers(1, 8))
def test_only_trainable_blocks_start_anew(named: Synthetic, strategy: Strategy, count: int) -> None:
    canonical = replace(strategy, reinit=ReinitTop(count)).canonical(named.depth)
    planned = named.planned(canonical)
    anew = [block for block in named.blocks if set(block.parameters) & set(planned.reinit)]
    parameters = {name for block in anew for name in block.parameters}
    assert set(planned.reinit) == parameters | {name for block in anew for name in block.buffers}
    assert parameters <= set(planned.trainable)
    wanted = canonical.reinit.blocks if isinstance(canonical.reinit, ReinitTop) else 0
    trained = [block for block in named.blocks[:-1] if set(block.parameters) & set(planned.trainable)]
    assert anew == trained[len(trained) - wanted :]


@given(names(), any_strategy)
def test_from_scratch_starts_the_whole_backbone_anew(named: Synthetic, strategy: Strategy) -> None:
    planned = named.planned(replace(strategy, freezing=Full(), reinit=ReinitAll()))
    backbone = named.blocks[:-1]
    assert set(planned.reinit) == {name for block in backbone for name in (*block.parameters, *block.buffers)}


@given(names(), any_strategy, st.data())
def test_what_the_architecture_fixes_never_trains(named: Synthetic, strategy: Strategy, data: st.DataObject) -> None:
    never = tuple(data.draw(st.sets(st.sampled_from(named.blocks[0].parameters))))
    planned = named.planned(strategy.canonical(named.depth), never=never)
    assert set(never) <= set(planned.frozen)
    assert sorted([*planned.frozen, *planned.trainable]) == sorted(named.parameters)
    assert all(group.parameters for group in planned.groups)


@given(names(), any_strategy.filter(lambda strategy: not isinstance(strategy.freezing, NormBias)))
def test_frozen_blocks_are_held_in_eval_mode_and_keep_their_buffers(named: Synthetic, strategy: Strategy) -> None:
    planned = named.planned(strategy.canonical(named.depth))
    frozen = [block for block in named.blocks if set(block.parameters) <= set(planned.frozen)]
    trained = [block for block in named.blocks if block not in frozen]
    assert set(planned.frozen_buffers) == {name for block in frozen for name in block.buffers}
    held = set(planned.phases[-1].eval_modules)
    assert held >= {name for block in frozen for name in block.modules}
    assert not held & {name for block in trained for name in block.modules}


@given(names(), any_strategy.filter(lambda strategy: isinstance(strategy.freezing, Probe | Top | Full)))
def test_containers_are_held_while_what_runs_in_them_is_frozen(named: Synthetic, strategy: Strategy) -> None:
    planned = named.planned(strategy.canonical(named.depth))
    held = set(planned.phases[-1].eval_modules)
    first = next(block for block in named.blocks if set(block.parameters) <= set(planned.trainable))
    assert ("" in held) == (first.index > 0)
    for container in ("body", "late"):
        inside = [block.index for block in named.blocks if block.name.startswith(f"{container}.")]
        if inside and first.index > 0:
            assert (container in held) == (min(inside) <= first.index)


@given(names(), any_strategy)
def test_the_stem_starts_anew_only_from_scratch(named: Synthetic, strategy: Strategy) -> None:
    planned = named.planned(replace(strategy, freezing=Full(), reinit=ReinitTop(99)))
    assert not set(planned.reinit) & set(named.blocks[0].parameters)
    assert set(planned.reinit) >= set(named.blocks[1].parameters)

"""Find by placeholders of NaN which tensors the rest of a network needs. Assumes eval mode and no gradients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from trainables.network.calls import Answer, Batch, Call, Forward, Original, Trace, answering
from trainables.network.nested import leaves, rebuild, tensors
from trainables.network.placeholders import Fill, Pair, Template, dense_nan, nan, template
from trainables.network.recording import Boundary, Leaf, Stub

ROUNDS = 200  # each opens a call or keeps a tensor more; T5 takes about a dozen


class Unplannable(Exception):
    """The boundary must be refused; the message is a sentence for the user."""


@dataclass(frozen=True)
class Setting:
    """What stays the same while one boundary is planned."""

    network: nn.Module
    forward: Forward
    probes: tuple[Batch, Batch]
    traces: tuple[Trace, Trace]
    call: Call  # the boundary: the first call that a replay makes
    tolerance: float

    def same(self, result: torch.Tensor, probe: int = 0) -> bool:
        """Tell whether ``result`` is finite and the whole forward's on that probe."""
        whole = self.traces[probe].result
        if result.shape != whole.shape or not bool(torch.isfinite(result).all()):
            return False
        # Against what the samples make of it, not against a bias that all share: random logits may be 1e-9.
        spread = float((whole.amax(0) - whole.amin(0)).max())
        rounding = 8 * torch.finfo(whole.dtype).eps * float(whole.abs().max())
        return float((result - whole).abs().max()) <= self.tolerance * spread + rounding


@dataclass(frozen=True)
class Outcome:
    """What a forward with placeholders came to."""

    dirty: frozenset[Leaf]  # arguments of the boundary call that placeholders reached
    same: bool  # with these put right, the result is the whole forward's


def search(setting: Setting, block: str, index: int) -> Boundary:
    """Return the plan, not yet checked.

    Raises:
        Unplannable: with the reason.
    """
    opened: list[Call] = []
    kept: list[Leaf] = []
    fill: Fill = nan
    for _ in range(ROUNDS):
        stubs = finished(setting, opened)
        if not stubs and not opened:
            raise Unplannable("Nothing is finished before this block starts, so nothing would be saved.")
        if not stubs:
            raise Unplannable("What would be stored has no axis for the sample, or grows with the length squared.")
        outputs = [leaf for call in stubs for leaf in _leaves_of(setting, "output", call)]
        whole = [leaf for leaf in outputs if not _floating(leaf)]  # integers know no NaN: always stored
        odd = [call for call in stubs if _is_opaque(setting, call)]
        odd += [leaf.call for leaf in whole if leaf.call is not None and not storable(setting, leaf)]
        if odd:
            opened += dict.fromkeys(odd)
            continue
        kept = [leaf for leaf in kept if leaf.origin == "batch" or leaf.call in stubs]
        suspects = [leaf for leaf in [*outputs, *_leaves_of(setting, "batch")] if _floating(leaf) and leaf not in kept]
        try:
            outcome = attempt(setting, stubs, suspects, fill)
        except RuntimeError:
            if fill is dense_nan:
                raise
            fill = dense_nan  # an operation in place cannot write into a placeholder without memory
            continue
        culprits = _culprits(setting, stubs, suspects, outcome, fill)
        if not culprits:
            needed = (*sorted(outcome.dirty, key=lambda leaf: leaf.key), *kept, *whole)
            stored = tuple(_placed(setting, leaf) for leaf in needed)
            if not stored:
                raise Unplannable("Nothing computed before this block reaches the result.")
            templates = _templates(setting, stubs, stored)
            unclear = [call for call, found in templates.items() if found is None]
            if not unclear:
                forms = tuple(Stub(call, found) for call, found in templates.items() if found is not None)
                return Boundary(block, index, setting.call, stored, forms, tuple(opened), fill is dense_nan)
            opened += unclear
        for leaf in culprits:
            if storable(setting, leaf):
                kept.append(leaf)
            elif leaf.call is None:
                raise Unplannable(f"The input {leaf.path or 'of the network'} has no axis for the sample.")
            elif leaf.call not in opened:
                opened.append(leaf.call)
    raise Unplannable("No set of tensors was found from which the rest gives the same result.")


def finished(setting: Setting, opened: Sequence[Call]) -> list[Call]:
    """Return the calls that are over when the boundary starts and whose parents are not, or are opened."""
    calls = setting.traces[0].calls
    start = calls[setting.call].start
    return [
        traced.call
        for traced in calls.values()
        if traced.end < start
        and traced.call not in opened
        and (traced.parent is None or calls[traced.parent].end > start or traced.parent in opened)
    ]


def attempt(setting: Setting, stubs: Sequence[Call], poisoned: Sequence[Leaf], fill: Fill) -> Outcome:
    """Run the first probe with ``stubs`` answered: the ``poisoned`` leaves by placeholders, others by their values."""
    trace = setting.traces[0]
    poison = {(leaf.call, leaf.path) for leaf in poisoned}
    dirty: list[Leaf] = []

    def changed(call: Call | None) -> Callable[[str, Any], Any]:
        def change(path: str, leaf: Any) -> Any:
            if not isinstance(leaf, torch.Tensor):
                return leaf
            return fill(tuple(leaf.shape), leaf.dtype, leaf.device) if (call, path) in poison else leaf.clone()

        return change

    def answer(call: Call) -> Answer:
        return lambda *_: rebuild(trace.calls[call].output, changed(call))

    def start(original: Original, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        real = dict(leaves(trace.calls[setting.call].arguments))
        given = dict(leaves((args, kwargs)))
        if given.keys() != real.keys() or any(_differs(given[path], real[path]) for path in real):
            raise Unplannable("What this block is called with depends on values that are computed before it.")
        known = {leaf.path: leaf for leaf in _leaves_of(setting, "input", setting.call)}
        found = [leaf for path, leaf in known.items() if _reached(given[path], real[path])]
        dirty.extend(found)
        put_right = {leaf.path for leaf in found}
        args, kwargs = rebuild((args, kwargs), lambda path, leaf: real[path].clone() if path in put_right else leaf)
        return original(*args, **kwargs)

    with answering(setting.network, {call: answer(call) for call in stubs} | {setting.call: start}):
        result = setting.forward(setting.network, rebuild(setting.probes[0], changed(None)))
    return Outcome(frozenset(dirty), setting.same(result))


def responsible(suspects: Sequence[Leaf], innocent: Callable[[Sequence[Leaf]], bool]) -> list[Leaf]:
    """Return the suspects that are not innocent, by halves: about 2·log2(n) questions for each."""
    if not suspects or innocent(suspects):
        return []
    if len(suspects) == 1:
        return list(suspects)
    middle = len(suspects) // 2
    return responsible(suspects[:middle], innocent) + responsible(suspects[middle:], innocent)


def storable(setting: Setting, leaf: Leaf) -> bool:
    """Tell whether the tensor has an axis for the sample, and no length squared."""
    pairs = _pairs(setting, leaf)
    if _batch_sizes(setting) not in pairs:
        return False
    return leaf.origin == "batch" or not _squared(setting, pairs) or _squares_are_inputs(setting)


def leaf_value(setting: Setting, leaf: Leaf, probe: int) -> torch.Tensor:
    """Return the tensor in the whole forward of that probe."""
    if leaf.call is None:
        return tensors(setting.probes[probe])[leaf.path]
    traced = setting.traces[probe].calls[leaf.call]
    return tensors(traced.arguments if leaf.origin == "input" else traced.output)[leaf.path]


def probe_axes(setting: Setting, stored: Sequence[Leaf]) -> dict[str, Pair]:
    """Return the axes that differ between the probes, of the batch and of what is stored."""
    found: dict[str, Pair] = {}
    for leaf in (*_leaves_of(setting, "batch"), *stored):
        shapes = (leaf_value(setting, leaf, probe).movedim(leaf.axis, 0).shape for probe in (0, 1))
        name = leaf.path if leaf.origin == "batch" else leaf.key
        found |= {f"{name}:{axis}": pair for axis, pair in enumerate(zip(*shapes, strict=False)) if pair[0] != pair[1]}
    return found


def _culprits(
    setting: Setting, stubs: Sequence[Call], suspects: Sequence[Leaf], outcome: Outcome, fill: Fill
) -> list[Leaf]:
    """Return the suspects that reach an argument that cannot be stored, or the result by another way."""
    wrong = {leaf for leaf in outcome.dirty if not storable(setting, leaf)}
    if wrong:
        found = responsible(suspects, lambda some: not attempt(setting, stubs, some, fill).dirty & wrong)
    elif not outcome.same:
        found = responsible(suspects, lambda some: attempt(setting, stubs, some, fill).same)
    else:
        return []
    if not found:
        raise Unplannable("The result depends on values computed before this block in a way that NaN does not show.")
    return found


def _templates(setting: Setting, stubs: Sequence[Call], stored: Sequence[Leaf]) -> dict[Call, Template | None]:
    axes = probe_axes(setting, stored)
    outputs = [(call, *(trace.calls[call].output for trace in setting.traces)) for call in stubs]
    return {call: template(first, second, axes) for call, first, second in outputs}


def _leaves_of(setting: Setting, origin: Any, call: Call | None = None) -> list[Leaf]:
    if call is None:
        found = tensors(setting.probes[0])
    else:
        traced = setting.traces[0].calls[call]
        found = tensors(traced.arguments if origin == "input" else traced.output)
    return [
        Leaf(origin, call, path, str(leaf.dtype).removeprefix("torch."), tuple(leaf.shape[1:]))
        for path, leaf in found.items()
    ]


def _floating(leaf: Leaf) -> bool:
    dtype: torch.dtype = getattr(torch, leaf.dtype)
    return dtype.is_floating_point or dtype.is_complex


def _is_opaque(setting: Setting, call: Call) -> bool:
    """Tell whether the output holds an object that no placeholder can stand in for, as a cache of keys is."""
    plain = (torch.Tensor, bool, int, float, str, type(None))
    return not all(isinstance(leaf, plain) for _, leaf in leaves(setting.traces[0].calls[call].output))


def _differs(given: Any, real: Any) -> bool:
    """Tell whether two arguments differ in kind, shape or plain value."""
    if isinstance(real, torch.Tensor) or isinstance(given, torch.Tensor):
        return not (isinstance(real, torch.Tensor) and isinstance(given, torch.Tensor) and real.shape == given.shape)
    return isinstance(real, bool | int | float | str) and real != given


def _reached(given: torch.Tensor, real: torch.Tensor) -> bool:
    """Tell whether a placeholder reached the tensor."""
    if given.is_floating_point() or given.is_complex():
        return bool((given.isnan() & ~real.isnan()).any())
    return not torch.equal(given, real)


def _batch_sizes(setting: Setting) -> Pair:
    first, second = (next(iter(tensors(probe).values())).shape[0] for probe in setting.probes)
    return first, second


def _placed(setting: Setting, leaf: Leaf) -> Leaf:
    """Return the leaf with its sample axis: the first that is as long as the batch, in both probes."""
    axis = _pairs(setting, leaf).index(_batch_sizes(setting))
    shape = list(leaf_value(setting, leaf, 0).shape)
    return replace(leaf, axis=axis, shape=(*shape[:axis], *shape[axis + 1 :]))


def _pairs(setting: Setting, leaf: Leaf) -> list[Pair]:
    first, second = (leaf_value(setting, leaf, probe).shape for probe in (0, 1))
    return list(zip(first, second, strict=True)) if len(first) == len(second) else []


def _squared(setting: Setting, pairs: Sequence[Pair]) -> bool:
    """Tell whether two axes are one varying length."""
    counts = Counter(pair for pair in pairs if pair[0] != pair[1] and pair != _batch_sizes(setting))
    return any(count > 1 for count in counts.values())


def _squares_are_inputs(setting: Setting) -> bool:
    """Tell whether the batch itself holds squares of varying size: images do, texts do not."""
    return any(_squared(setting, _pairs(setting, leaf)) for leaf in _leaves_of(setting, "batch"))

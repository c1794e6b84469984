"""A search over a fixed list of strategies against what a user would write with Ray Tune: worker CPU, wall, scores.

(a) is a function trainable, (b) a class trainable with ``reuse_actors``: benchmarks/plain/. The same data, batches,
epochs and schedule, no early stopping; two trials at once, ways in turn. Wall counts from the start of the script to
its end. Every finished leg is kept in a file, so that a benchmark that was killed goes on; ``study:small`` and
``study:medium`` measure one of the two, the latter without (a): what that spends on starts does not grow.

The trials of a round share data and a seed, so that their scores are off together: scores are compared by rounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, median, stdev

from scipy.stats import t

from benchmarks import legs
from benchmarks.experiments.bf16 import has_bf16
from benchmarks.frozen import recipe
from benchmarks.jobs import DEPTHS, MINILM, MOBILENET, VAL_SHARE, Network
from benchmarks.legs import CLASS, FUNCTION, OWN, OWN_BF16, Leg, List
from benchmarks.row import Row, at_least, at_most
from spaces.strategy import Probe, Strategy, Top, to_point
from trainables.config import DataConfig, TrialConfig
from trainables.run import build

GOAL, SHARE_OF_LIMIT, LEVEL = 2.5, 0.85, 0.95


@dataclass(frozen=True)
class Size:
    """How much is trained, and how often."""

    samples: int
    epochs: int
    rounds: int
    against: tuple[str, ...]


SIZES = {"small": Size(200, 3, 3, (FUNCTION, CLASS)), "medium": Size(1000, 6, 1, (CLASS,))}
PARTS = tuple(SIZES)
NETWORKS = (MINILM, MOBILENET)
Measure = Callable[[List, str], Leg]


def rows(parts: Sequence[str] = PARTS, measure: Measure = legs.kept) -> list[Row]:
    """Measure the list at every size in ``parts``, on both networks."""
    found = [row for part in parts for network in NETWORKS for row in measured(network, part, measure)]
    if set(parts) == set(PARTS):
        legs.KEPT.forget()
    return found


def measured(network: Network, part: str, measure: Measure, depths: tuple[int, ...] = DEPTHS) -> list[Row]:
    """Return the rows of one network at one size."""
    size = SIZES[part]
    ways = [*size.against, OWN, *([OWN_BF16] if has_bf16() else [])]
    found: dict[str, list[Leg]] = {way: [] for way in ways}
    for seed in range(size.rounds):
        wanted = List(network, depths, size.samples, size.epochs, seed)
        for way in ways if seed % 2 == 0 else reversed(ways):
            found[way].append(measure(wanted, way))
    name = f"{network.name}, {part}"
    possible = limit(network, depths)
    goals = {
        (FUNCTION, "worker CPU"): GOAL,
        (FUNCTION, "wall"): GOAL,
        (CLASS, "worker CPU"): None if FUNCTION in found else round(SHARE_OF_LIMIT * possible, 3),
        (CLASS, "wall"): None,
    }
    of_list = f"; operations of this list: {possible:.3g} times"
    told = [
        _ratio(f"{name}: {what} of {way}", found[way], found[OWN], what, goal, of_list)
        for (way, what), goal in goals.items()
        if way in found
    ]
    told += [_scores(f"{name}: score beside {way}", found[way], found[OWN]) for way in size.against]
    if OWN_BF16 in found:
        way = size.against[0]
        told += [
            _ratio(f"{name}, ours in bf16: {what} of {way}", found[way], found[OWN_BF16], what, None, "")
            for what in ("worker CPU", "wall")
        ]
        told.append(_scores(f"{name}, ours in bf16: score beside {way}", found[way], found[OWN_BF16]))
    return told


def limit(network: Network, depths: Sequence[int]) -> float:
    """Return how many times fewer operations the list takes if nothing frozen is computed in any epoch.

    A forward is 1, a backward 2 of what trains; a validation sample is a forward. Recording it once is not counted.
    """
    uncached = cached = 0.0
    for share in (_frozen_share(network, round(depth * network.blocks / max(DEPTHS))) for depth in depths):
        uncached += 3 - 2 * share + VAL_SHARE
        cached += (1 - share) * (3 + VAL_SHARE)
    return uncached / cached


def _frozen_share(network: Network, depth: int) -> float:
    if depth == network.blocks:
        return 0.0
    freezing = Top(depth) if depth else Probe()
    image = network.kind == "image"
    source = "parity" if image else "short_sentences"
    config = TrialConfig(
        task=f"{network.kind}-classification", metric="accuracy", model=network.model, epochs=1, seed=0,
        weights="none" if image else "default",
        data=DataConfig(
            source=f"benchmarks.samples:{source}",
            **({"image_size": network.size} if image else {"max_length": network.size}),
        ),
        strategy=to_point(Strategy(freezing, head_lr=1e-3)),
    )  # fmt: skip
    found = recipe(build(config))
    return found.operations / found.total


def _ratio(metric: str, theirs: list[Leg], ours: list[Leg], what: str, goal: float | None, more: str) -> Row:
    spent = [
        [each.spent.workers if what == "worker CPU" else each.spent.wall for each in way] for way in (theirs, ours)
    ]
    one, other = map(median, spent)
    unit = "CPU-s" if what == "worker CPU" else "s"
    more += "" if what == "worker CPU" else _outside(theirs, ours)
    started = f"{median(each.spent.started for each in theirs):g} and {median(each.spent.started for each in ours):g}"
    rounds = f"median of {len(ours)}" if len(ours) > 1 else "once"
    note = f"{one:.4g} and {other:.4g} {unit}, {started} worker processes, {rounds}{more}"
    value = round(one / other, 3)
    if goal is None:
        return Row(metric=metric, value=value, goal="", ok=None, note=note)
    return at_least(metric, value, goal, unit="times", note=note)


def _outside(theirs: list[Leg], ours: list[Leg]) -> str:
    """Say what of the wall lies before Tune begins and after it ends, and what the ratio is without."""
    one, other = (median(each.spent.wall - each.outcome.seconds for each in way) for way in (theirs, ours))
    within = [median(each.outcome.seconds for each in way) for way in (theirs, ours)]
    return f"; {one:.3g} and {other:.3g} s outside of Tune, {within[0] / within[1]:.3g} times within"


def _scores(metric: str, theirs: list[Leg], ours: list[Leg]) -> Row:
    """Hold the mean difference of the scores against what chance makes of it: Student's t over the rounds.

    Where there is but one round, over its trials, which makes the limit too small rather than too large.
    """
    rounds = [
        [mine - other for other, mine in zip(one.outcome.scores, another.outcome.scores, strict=True)]
        for one, another in zip(theirs, ours, strict=True)
    ]
    drawn, kind = ([mean(each) for each in rounds], "rounds") if len(rounds) > 1 else (rounds[0], "trials of one round")
    limit = float(t.ppf((1 + LEVEL) / 2, len(drawn) - 1)) * stdev(drawn) / math.sqrt(len(drawn))
    means = [mean(score for each in way for score in each.outcome.scores) for way in (theirs, ours)]
    note = (
        f"mean accuracies {means[0]:.4f} and {means[1]:.4f}; the limit is half the {LEVEL:.0%} interval of the mean of "
        f"{len(drawn)} {kind}"
    )
    return at_most(metric, round(abs(mean(drawn)), 5), round(limit, 5), unit="", note=note)

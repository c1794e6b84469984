"""``thawline plan``: what a study would do and what it would cost, before any trial runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.layering import Resolved
from search.proposals import first_seeds, to_confirm
from search.rule import Rule, plan_rule
from search.rungs import Rungs
from search.setup import check, control_strategies, rungs_of
from spaces.strata import STRATA

DIRECT = "direct"  # the stratum of most strategies: what a search costs is reckoned by its rungs


@dataclass(frozen=True)
class Depth:
    """What training the last ``depth`` blocks means: 0 is the head alone, the last row everything."""

    depth: int
    block: str  # the deepest one that trains
    trainable_share: float  # of the parameters
    cost: float  # of an epoch, as a share of one that trains everything


@dataclass(frozen=True)
class Planned:
    """A study before it runs. Compute is counted in epochs, whatever trains in them."""

    model: str
    depths: tuple[Depth, ...]
    milestones: dict[str, tuple[int, ...]]  # by stratum: the epochs at which trials are compared
    trials: int
    epochs: int
    controls: int
    rule: Rule
    search_epochs: float  # as the rungs are expected to stop them
    most_search_epochs: int
    confirmations: int  # runs, to the last epoch: the most there can be
    confirmation_floor: int  # of them, those that no budget takes away

    @property
    def confirmation_share(self) -> float:
        """Confirmation's share of all epochs, as the rungs are expected to stop the search."""
        confirmed = self.confirmations * self.epochs
        return confirmed / (confirmed + self.controls * self.epochs + self.search_epochs)

    def __str__(self) -> str:
        """Return the plan as ``thawline plan`` prints it."""
        return "\n".join([*_depth_lines(self), "", *_rung_lines(self), "", *self.rule.lines, "", *_compute_lines(self)])


def plan(resolved: Resolved) -> Planned:
    """Look into data, network and space, fit the rule's probes, and reckon what the study would cost.

    Raises:
        BadInput: the study cannot be carried out as written.
    """
    checked = check(resolved)
    config = resolved.config
    controls = {strategy.key: strategy for strategy in control_strategies(config, checked.blocks).values()}
    rule = plan_rule(checked, controls.values())
    rungs = rungs_of(config, checked.space)
    stopped = config.search.scheduler != "none"
    each = expected_epochs(rungs, DIRECT) if stopped else float(config.budget.epochs)
    # Who the finalists will be is unknown; they are counted as if none of them were a control or the rule's choice.
    compared = to_confirm({}, controls, rule.answer, config.finalists.seeds)
    count, seeds, epochs = config.finalists.count, config.finalists.seeds, config.budget.epochs
    floor = sum(first for *_, first in compared) + count * first_seeds("finalist", seeds)
    all_seeds = (len(compared) + count) * seeds
    return Planned(
        model=config.model,
        depths=depths(checked_counts(resolved)),
        milestones={stratum: rungs.milestones(stratum) if stopped else () for stratum in STRATA},
        trials=config.budget.trials,
        epochs=config.budget.epochs,
        controls=len(controls),
        rule=rule,
        search_epochs=config.budget.trials * each,
        most_search_epochs=config.budget.trials * config.budget.epochs,
        confirmations=max(floor, min(all_seeds, math.floor(len(controls) + config.budget.trials * each / epochs))),
        confirmation_floor=floor,
    )


def expected_epochs(rungs: Rungs, stratum: str) -> float:
    """Return how long a trial of ``stratum`` trains on average if each rung lets its share go on."""
    ends = (*rungs.milestones(stratum), rungs.epochs)
    starts = (0, *ends[:-1])
    spans = [end - start for start, end in zip(starts, ends, strict=True)]
    return sum(span * (1 / rungs.reduction) ** rung for rung, span in enumerate(spans))


def checked_counts(resolved: Resolved) -> list[tuple[str, int]]:
    """Return the network's blocks from input to output, each with its number of parameters."""
    from search.setup import template
    from trainables.run import blocks_of, network
    from trainables.tasks.catalogue import TASKS

    shared = template(resolved)
    model = network(shared, weights="none", classes=2)
    return [(block.name, block.count) for block in blocks_of(model, TASKS[shared.task])]


def depths(counts: Sequence[tuple[str, int]]) -> tuple[Depth, ...]:
    """Return a row for every unfrozen depth of a network of stem, blocks and head, from 0 to everything."""
    total = sum(count for _, count in counts) or 1
    most = len(counts) - 2
    rows = []
    for depth in range(most + 1):
        first = (
            0 if depth == most else len(counts) - 1 - depth
        )  # the top of everything is everything, the stem included
        trained = sum(count for _, count in counts[first:])
        backward = (most + 1 if depth == most else depth) / (most + 1)
        rows.append(Depth(depth, counts[first][0], trained / total, (1 + 2 * backward) / 3))
    return tuple(rows)


def _depth_lines(planned: Planned) -> list[str]:
    width = max(len(row.block) for row in planned.depths)
    lines = [f"{planned.model}: {planned.depths[-1].depth} blocks between stem and head"]
    lines += [f"{'depth':>5}  {'down to':<{width}}  {'trainable':>9}  {'cost of an epoch':>16}"]
    return lines + [
        f"{row.depth:>5}  {row.block:<{width}}  {row.trainable_share:>9.1%}  {row.cost:>16.0%}"
        for row in planned.depths
    ]


def _rung_lines(planned: Planned) -> list[str]:
    told = {name: ", ".join(map(str, ends)) or "none" for name, ends in planned.milestones.items()}
    return [f"rungs of {name}: {ends} of {planned.epochs} epochs" for name, ends in told.items()]


def _compute_lines(planned: Planned) -> list[str]:
    runs = planned.confirmations
    return [
        f"search: {planned.trials} trials, {len(planned.rule.tried)} of them the rule's; about "
        f"{math.ceil(planned.search_epochs)} epochs, at most {planned.most_search_epochs}",
        f"controls: {planned.controls} trials of {planned.epochs} epochs",
        f"confirmation: at most {runs} runs of {planned.epochs} epochs, then about {planned.confirmation_share:.0%} of "
        f"all epochs (its floor, which always runs: {planned.confirmation_floor} runs)",
    ]

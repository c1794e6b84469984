"""The textbook rule in a study: measured once, written down, its points tried first, its choice confirmed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from search.setup import Checked, Setup
from search.storage import SEARCH, open_study
from spaces.param import Space
from spaces.quadrants import Estimate, Quadrant, RulePoint, advice, enqueued, similarities, size
from spaces.strategy import Point, Strategy, from_point, to_point
from trainables.config import TrialConfig

RULE = "rule"  # an attribute of the study `search`
ROLE = "rule"


@dataclass(frozen=True)
class Rule:
    """What was measured, and what follows from it; JSON values, as Optuna holds them."""

    size: str
    similarity: str  # the likelier one, where `unsure`
    unsure: bool  # the interval straddles the cut-off, or there is none: both quadrants' points come first
    samples: int
    classes: int
    tried: tuple[Point, ...]  # first in the search, in this order; Optuna holds all that the space does
    dropped: tuple[str, ...]  # rule points that the space does not hold, a sentence each
    choice: Point | None  # the rule's answer: its first point that the space holds
    transfer: Mapping[str, Any]  # the measurement: `trainables.transfer.Transfer`
    note: str | None = None  # why something could not be measured

    def within(self, trials: int) -> Rule:
        """Return the rule of a study of ``trials`` trials: at most half of them are its points."""
        return replace(self, tried=self.tried[: trials // 2])

    @property
    def quadrant(self) -> str:
        """The measured quadrant in words."""
        return f"{self.size}, {self.similarity}"

    @property
    def strategies(self) -> tuple[Strategy, ...]:
        """What the search tries first."""
        return tuple(map(from_point, self.tried))

    @property
    def answer(self) -> Strategy | None:
        """What the rule would have done without a search."""
        return None if self.choice is None else from_point(self.choice)

    @property
    def lines(self) -> list[str]:
        """The rule in words: what was measured, what is tried first, what is dropped."""
        told = [f"rule: {self.size} ({self.samples} samples, {self.classes} classes), {self._similarity}"]
        told += [f"rule: {self.note}"] if self.note else []
        told += [f"rule: tried first: {from_point(point)}" for point in self.tried]
        return told + [f"rule: not tried: {sentence}" for sentence in self.dropped]

    @property
    def _similarity(self) -> str:
        gain, lead = self.transfer.get("gain"), self.transfer.get("lead")
        shown = f"transfer gain {_interval(gain)}" if gain else "transfer gain unknown"
        ahead = f", an earlier boundary leads by {_interval(lead)}" if lead and lead["low"] > 0 else ""
        unsure = ", too close to tell" if self.unsure else ""
        seconds = f"; {self.transfer['seconds']:.1f} s" if "seconds" in self.transfer else ""
        return f"{self.similarity} ({shown}{ahead}{unsure}{seconds})"


def rule_of(setup: Setup) -> Rule:
    """Return the study's rule: as Optuna holds it, or else measured now and written down.

    Written down are all of its points, so that a budget which grows later makes room for more of them.
    """
    study = open_study(setup.run_dir, SEARCH, setup.config.metric.mode)
    kept, trials = study.user_attrs.get(RULE), setup.config.budget.trials
    if kept is not None:
        return read(kept).within(trials)
    gpus = setup.config.resources.gpus_per_trial
    measured = advise(setup.template, setup.space, setup.controls.values(), gpu=gpus != 0)
    study.set_user_attr(RULE, asdict(measured))
    rule = measured.within(trials)
    for line in rule.lines:
        setup.progress({"event": "note", "message": line})
    return rule


def read(kept: Mapping[str, Any]) -> Rule:
    """Read a rule from the values that Optuna holds."""
    lists = {name: tuple(kept[name]) for name in ("tried", "dropped")}
    return Rule(**{**kept, **lists})


def plan_rule(checked: Checked, controls: Iterable[Strategy]) -> Rule:
    """Return the rule of a study that is only planned; nothing is written down."""
    config = checked.resolved.config
    gpu = config.resources.gpus_per_trial != 0
    return advise(checked.template, checked.space, controls, gpu=gpu).within(config.budget.trials)


def advise(template: TrialConfig, space: Space, controls: Iterable[Strategy], *, gpu: bool) -> Rule:
    """Measure size and similarity, and take the points of their quadrant from the table.

    A measurement that fails says so and leaves the similarity open; it stops no study.
    """
    from trainables.devices import choose
    from trainables.run import dataset
    from trainables.tasks.catalogue import TASKS
    from trainables.transfer import measure

    data = dataset(template.data, TASKS[template.task].modality, template.code_path)
    samples, classes = len(data.train), len(data.classes)
    try:
        transfer: dict[str, Any] = asdict(measure(template, choose(float(gpu))))
        note = transfer["note"]
    except Exception as error:  # whatever a network makes of random weights
        first = (str(error).strip() or "no message").splitlines()[0]
        transfer, note = {}, f"similarity could not be measured: {type(error).__name__}: {first}"
    there = similarities(*(_estimate(transfer.get(name)) for name in ("gain", "lead")))
    measured: list[Quadrant] = [(size(samples, classes), similarity) for similarity in there]
    return _rule(measured, space, controls, samples=samples, classes=classes, transfer=transfer, note=note)


def _rule(measured: list[Quadrant], space: Space, controls: Iterable[Strategy], **told: Any) -> Rule:
    advised = advice(measured, space)
    taken = [strategy.key for strategy in controls]
    own = [point for point in advised if point.quadrant == measured[0] and not point.problems]
    return Rule(
        size=measured[0][0],
        similarity=measured[0][1],
        unsure=len(measured) > 1,
        tried=tuple(to_point(point.strategy) for point in enqueued(advised, taken)),
        dropped=tuple(_why(point) for point in advised if point.problems),
        choice=to_point(own[0].strategy) if own else None,
        **told,
    )


def _why(point: RulePoint) -> str:
    return f"{point.strategy} ({', '.join(point.quadrant)}) lies outside the space: {point.problems[0]}"


def _estimate(kept: Mapping[str, float] | None) -> Estimate | None:
    return None if kept is None else Estimate(**kept)


def _interval(kept: Mapping[str, float]) -> str:
    return f"{kept['mean']:.2f} [{kept['low']:.2f}, {kept['high']:.2f}]"

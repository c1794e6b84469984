"""What a replay knows of a study beside its curves: the space, the measured quadrants, the budget."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.regret.grid import snapped
from search.config import study_space
from search.layering import resolve
from search.setup import control_strategies, template
from spaces.param import Space
from spaces.presets import longest_probe
from spaces.quadrants import Quadrant
from spaces.strategy import Strategy
from trainables.config import TrialConfig

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Subject:
    """A study, as far as its search is concerned. Needs neither its data nor its weights."""

    space: Space
    template: TrialConfig
    quadrants: tuple[Quadrant, ...]  # as measured when the table was built
    controls: tuple[Strategy, ...]
    epochs: int
    grace: int

    @classmethod
    def read(cls, name: str) -> Subject:
        """Read the study file, and what was measured on its data when the table was built."""
        facts = json.loads((HERE / "tables" / f"{name}.json").read_text(encoding="utf-8"))
        return cls.of(name, facts["blocks"], [(size, similarity) for size, similarity in facts["quadrants"]])

    @classmethod
    def of(cls, name: str, blocks: int, quadrants: Sequence[Quadrant]) -> Subject:
        """Read the study file alone."""
        resolved = resolve(HERE / "studies" / f"{name}.yaml", look=False)
        config = resolved.config
        space = study_space(config, blocks)
        controls = [snapped(control, space) for control in control_strategies(config, blocks).values()]
        return cls(
            space=space,
            template=template(resolved),
            quadrants=tuple(quadrants),
            controls=tuple(dict.fromkeys(controls)),
            epochs=config.budget.epochs,
            grace=config.search.grace,
        )

    @property
    def longest_probe(self) -> int:
        """The most epochs that a delayed strategy trains its head alone."""
        return longest_probe(self.space, self.epochs)

    def untried(self, rule: Sequence[Strategy]) -> list[Strategy]:
        """Return the rule's points as the search enqueues them: those that are controls are not tried again."""
        keys = [control.key for control in self.controls]
        return [strategy for strategy in rule if strategy.key not in keys]

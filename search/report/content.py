"""Everything the report says, as data. Reads the run folder; draws and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from search.config import StudyConfig, study_space
from search.layering import resolve
from search.report import next_step, parts, sentences
from search.report.hours import Cut, what_was_cut
from search.report.kinds import kinds_tried
from search.report.next_step import NextStep
from search.report.trust import Check, checks
from search.results import evidence, load, pruning, winner
from search.results.borders import COLUMNS as BORDERS
from search.results.borders import borders
from search.results.compare import rivals
from search.results.compute import Compute, compute
from search.results.explored import explored
from search.results.importance import importance
from search.results.intervals import Interval
from search.results.leaderboard import COLUMNS as BOARD
from search.results.leaderboard import leaderboard, plain
from search.results.picks import PARETO, Pick, pareto, picks
from search.results.rule import against_rule, told
from search.results.verdict import Decision, read_decision
from search.setup import rungs_of
from spaces.param import Space
from spaces.strategy import to_point


@dataclass(frozen=True)
class Report:
    """The report's content. Tables without a row mean: not known yet; each keeps its columns all the same.

    ``verdict`` always has a sentence; its label is None as long as there is no verdict. Scores and their
    differences are shares between 0 and 1; differences named ``gap`` are positive where the winner is ahead.
    """

    name: str
    metric: str
    mode: str
    classes: tuple[str, ...]
    resplit: bool  # whether every confirmation seed dealt train and validation anew
    # The tables of the run folder.
    trials: pd.DataFrame
    epochs: pd.DataFrame
    predictions: pd.DataFrame
    leaderboard: pd.DataFrame
    # The answer.
    verdict: Mapping[str, Any]
    gains: Mapping[str, Interval]  # on test, of what is recommended: searching (to default full), strategy (best full)
    picks: tuple[Pick, ...]  # for accuracy, cost and size
    lost: pd.DataFrame  # the winner's rivals: `search.report.parts.LOST`
    pareto: pd.DataFrame  # `search.results.picks.PARETO`
    kinds: pd.DataFrame  # `search.report.kinds.COLUMNS`, of all that was tried
    controls: Mapping[str, Any]
    rule: Mapping[str, Any] | None  # with its sentence
    next_step: NextStep
    missing: tuple[str, ...]  # what a run still going, or cut short, lacks; a sentence each
    # What mattered, and what the search did.
    optimism: Mapping[str, float | None]
    promised: pd.DataFrame  # `search.results.winner.PROMISED`
    explored: pd.DataFrame  # `search.results.explored.COLUMNS`: how much of the space was seen
    importance: pd.DataFrame  # `search.results.importance.COLUMNS`
    funnel: pd.DataFrame  # `search.results.pruning.FUNNEL`
    agreement: pd.DataFrame  # `search.results.pruning.AGREEMENT`: was pruning safe?
    borders: pd.DataFrame  # `search.results.borders.COLUMNS`, of the winner
    weight_change: pd.DataFrame  # `search.results.load.CHANGE_COLUMNS`, of what is recommended
    confusion: pd.DataFrame  # `search.results.winner.CONFUSION`, of what is recommended, on test
    search: Mapping[str, Any]
    compute: Compute
    checks: tuple[Check, ...]
    cut: Cut
    hours: float | None
    facts: Mapping[str, Any]  # what the stages wrote down: hashes, finalists, decision, openings, versions
    computing: tuple[Mapping[str, Any], ...]  # devices, threads and torch's switches, with the number of trials each

    def as_json(self) -> dict[str, Any]:
        """Return ``report.json``."""
        decision = self.facts.get(evidence.DECISION, {})
        openings = self.facts.get(evidence.TEST_OPENED, [])
        return {
            "name": self.name,
            "verdict": dict(self.verdict),
            "gains": {name: _ends(gain) for name, gain in self.gains.items()},
            "picks": [_pick(pick) for pick in self.picks],
            "lost": _rows(self.lost),
            "pareto": _rows(self.pareto),
            "kinds": _rows(self.kinds),
            "rule": dict(self.rule) if self.rule else None,
            "controls": dict(self.controls),
            "next": asdict(self.next_step),
            "missing": list(self.missing),
            "optimism": dict(self.optimism),
            "promised": _rows(self.promised),
            "explored": _rows(self.explored),
            "importance": _rows(self.importance),
            "funnel": _rows(self.funnel),
            "agreement": _rows(self.agreement),
            "borders": _rows(self.borders),
            "search": dict(self.search),
            "resplit": self.resplit,
            "compute": self.compute.as_json(),
            "checks": [asdict(check) for check in self.checks],
            "cut": self.cut,
            "versions": {
                **self.facts.get("versions", {}),
                "commits": self.facts.get("commits", {}),
                "computing": list(map(dict, self.computing)),
            },
            "decided_at": decision.get("at"),
            "test_opened_at": openings[0]["at"] if openings else None,
            "test_openings": openings,
        }


@dataclass(frozen=True)
class _Answer:
    """What is known only once the test set was opened."""

    leaderboard: pd.DataFrame
    verdict: Mapping[str, Any]
    gains: Mapping[str, Interval]
    picks: tuple[Pick, ...]
    lost: pd.DataFrame
    pareto: pd.DataFrame
    next_step: NextStep
    promised: pd.DataFrame
    borders: pd.DataFrame
    weight_change: pd.DataFrame
    confusion: pd.DataFrame
    against_rule: Interval | None = None


def gather(run_dir: Path) -> Report:
    """Read a run folder, finished or not."""
    config = resolve(run_dir / "study.yaml", look=False).config
    recorded = load.read(run_dir)
    trials, epochs, facts = recorded.trials, recorded.epochs, recorded.facts
    predictions = evidence.all_predictions(run_dir, evidence.confirmed_of(trials))
    space = study_space(config, facts["blocks"]) if "blocks" in facts else None
    rungs = rungs_of(config, space) if space and config.search.scheduler != "none" else None
    apart = config.search.scheduler == "stratified"
    decision = read_decision(facts[evidence.DECISION]) if evidence.DECISION in facts else None
    if decision and space and evidence.tested(trials, facts):
        answer = _answer(run_dir, config, decision, recorded, predictions, space)
    else:
        answer = _no_answer(run_dir, trials, facts)
    agreement = pruning.agreement(trials, epochs, rungs, config.metric.mode, apart=apart)
    spent = compute(trials, search_seed=config.search.seed, seeds=config.finalists.seeds)
    cut, hours = what_was_cut(facts, trials), config.budget.hours
    known = {name: value for name, value in vars(answer).items() if name != "against_rule"}
    return Report(
        name=config.name,
        metric=config.metric.name,
        mode=config.metric.mode,
        classes=tuple(facts.get("classes", ())),
        resplit=config.finalists.resplit,
        trials=trials,
        epochs=epochs,
        predictions=predictions,
        **known,
        controls=parts.controls(answer.leaderboard, facts.get("controls", {})),
        rule=_rule(facts, answer, trained=float(trials["seconds"].sum())),
        missing=parts.missing(facts, trials),
        optimism=parts.optimism(answer.promised),
        kinds=kinds_tried(trials, config.metric.mode),
        explored=explored(trials, space),
        importance=importance(trials, epochs, space.names if space else ()),
        funnel=pruning.funnel(trials, epochs, rungs, apart=apart),
        agreement=agreement,
        search=parts.search_counts(trials),
        compute=spent,
        checks=checks(
            trials,
            answer.leaderboard,
            facts,
            borders=answer.borders,
            agreement=agreement,
            promised=answer.promised,
            compute=spent,
            cut=cut,
            hours=hours,
            mode=config.metric.mode,
            resplit=config.finalists.resplit,
            computing=recorded.computing,
        ),
        cut=cut,
        hours=hours,
        facts=facts,
        computing=recorded.computing,
    )


def _answer(
    run_dir: Path,
    config: StudyConfig,
    decision: Decision,
    recorded: load.Recorded,
    predictions: pd.DataFrame,
    space: Space,
) -> _Answer:
    trials, facts, moved = recorded.trials, recorded.facts, recorded.weight_change
    metric, mode, controls = config.metric.name, config.metric.mode, facts["controls"]
    confirmed = trials[trials["test_score"].notna()]
    val, test = (evidence.measured_on(run_dir, split, metric, confirmed) for split in ("val", "test"))
    board = leaderboard(confirmed, decision, val, test, controls, mode)
    against = rivals(val, decision.winner, mode)
    costs = pareto(confirmed, board, controls.get("full"), mode)
    best = confirmed[confirmed["key"] == decision.winner].iloc[0]
    at = borders(to_point(load.strategy_of(best)), space)
    chosen = confirmed.loc[confirmed["key"] == decision.recommended, "trial"].tolist()
    return _Answer(
        leaderboard=board,
        verdict=parts.verdict(decision, board, costs, test, controls, metric, len(facts[evidence.TEST_OPENED])),
        gains=parts.gains(board, decision.recommended),
        picks=picks(decision, board, costs, against, space.names, margin=config.finalists.margin),
        lost=parts.lost(board, against, test, decision.winner, mode),
        pareto=costs,
        next_step=next_step.after(decision, val, at, config, run_dir),
        promised=winner.promised(trials, recorded.epochs, board),
        borders=at,
        weight_change=moved[moved["trial"].isin(chosen)].reset_index(drop=True),
        confusion=winner.confusion(predictions, chosen, facts["classes"]),
        against_rule=against_rule(facts, test, decision.recommended),
    )


def _no_answer(run_dir: Path, trials: pd.DataFrame, facts: Mapping[str, Any]) -> _Answer:
    return _Answer(
        leaderboard=pd.DataFrame(columns=list(BOARD)),
        verdict=parts.no_verdict(facts, trials),
        gains={},
        picks=(),
        lost=pd.DataFrame(columns=list(parts.LOST)),
        pareto=pd.DataFrame(columns=list(PARETO)),
        next_step=next_step.unfinished(run_dir, trials),
        promised=pd.DataFrame(columns=list(winner.PROMISED)),
        borders=pd.DataFrame(columns=list(BORDERS)),
        weight_change=pd.DataFrame(columns=list(load.CHANGE_COLUMNS)),
        confusion=pd.DataFrame(columns=list(winner.CONFUSION)),
    )


def _rule(facts: Mapping[str, Any], answer: _Answer, *, trained: float) -> dict[str, Any] | None:
    rule = told(facts, answer.against_rule, trained=trained)
    if rule is None:
        return None
    return {**rule, "sentence": sentences.rule(rule, answer.verdict["strategy"], answer.against_rule)}


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [plain(row) for row in frame.astype(object).where(frame.notna(), None).to_dict("records")]


def _ends(value: Interval) -> dict[str, Any]:
    return plain({"mean": value.mean, "low": value.low, "high": value.high})


def _pick(pick: Pick) -> dict[str, Any]:
    ends = {"test": _ends(pick.test), "gap": _ends(pick.gap) if pick.gap else None}
    return plain(asdict(pick)) | ends | {"dimensions": plain(pick.dimensions)}

"""The trust checklist: what a sceptical reader would ask, answered from the record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from search.report.content import Report
from search.report.hours import cut_lines
from search.results.evidence import DECISION, TEST_OPENED

FEW_SEEDS = 3
State = Literal["pass", "warn", "fail", "open"]


@dataclass(frozen=True)
class Check:
    """One question and its answer; ``open`` where the run has not come that far."""

    state: State
    text: str
    detail: str = ""


def checklist(content: Report) -> list[Check]:
    """Return every check that applies."""
    return [
        _certificates(content),
        _order_of_opening(content),
        _openings(content),
        Check("pass", "Every strategy saw the same split", f"hash {content.facts.get('split_hash', 'not recorded')}"),
        *_seeds(content),
        *_controls(content),
        *_optimism(content),
        *_failures(content),
        *(Check("warn", line) for line in cut_lines(content.cut, content.hours)),
        *(Check("warn", str(warning)) for warning in content.facts.get("warnings", [])),
    ]


def _certificates(content: Report) -> Check:
    trained = content.trials[content.trials["state"] != "reused"]
    counted = trained["certificate"].value_counts()
    broken, whole = int(counted.get("broken", 0)), int(counted.get("ok", 0))
    text = "What was frozen stayed bit-identical"
    if broken:
        return Check("fail", text, f"broken in {broken} trials: the column certificate of tables/trials.csv")
    return Check("pass" if whole else "open", text, f"certified in {whole} trials")


def _order_of_opening(content: Report) -> Check:
    decision: dict[str, Any] = content.facts.get(DECISION) or {}
    openings = content.facts.get(TEST_OPENED) or []
    text = "Decided on validation before the test set was opened"
    if not decision or not openings:
        return Check("open", text, "not decided yet" if not decision else "decided, not opened yet")
    first = openings[0]["at"]
    late = [each for each in (*decision.get("earlier", []), decision) if each["at"] <= first]
    return Check("pass" if late else "fail", text, f"decided {decision['at']}, opened {first}")


def _openings(content: Report) -> Check:
    count = len(content.facts.get(TEST_OPENED) or [])
    text = "The test set was opened once"
    if count > 1:
        return Check("warn", text, f"opened {count} times: the search was extended after its scores were known")
    return Check("pass" if count else "open", text, "" if count else "not opened yet")


def _seeds(content: Report) -> Iterator[Check]:
    if len(content.leaderboard):
        fewest = int(content.leaderboard["seeds"].min())
        told = f"{fewest} to {int(content.leaderboard['seeds'].max())} seeds a strategy"
        yield Check("pass" if fewest >= FEW_SEEDS else "warn", f"At least {FEW_SEEDS} fresh seeds each", told)


def _controls(content: Report) -> Iterator[Check]:
    wanted = content.facts.get("controls", {})
    if wanted and len(content.leaderboard):
        gone = sorted(set(wanted) - set(content.controls))
        text = "Compared with what one would do without a search"
        yield Check("warn" if gone else "pass", text, f"missing: {', '.join(gone)}" if gone else ", ".join(wanted))


def _optimism(content: Report) -> Iterator[Check]:
    value = content.optimism.get("test")
    if value is not None:
        told = f"its search score was {value:+.3f} against its mean test score; no decision rests on search scores"
        yield Check("pass", "The winner's optimism is measured", told)


def _failures(content: Report) -> Iterator[Check]:
    failed, trained = int(content.search["failed"]), int(content.search["trials"])
    if trained:
        told = f"{failed} of {trained} search trials failed" if failed else f"{trained} search trials"
        yield Check("warn" if failed else "pass", "No search trial failed", told)

"""The trust checklist: each question answers pass where all is well, and otherwise says what is not."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from search.report.trust import Check, checks
from search.results.borders import COLUMNS as BORDERS
from search.results.compute import Compute
from search.results.pruning import AGREEMENT
from search.results.winner import PROMISED

FACTS: dict[str, Any] = {
    "split_hash": "abc",
    "warnings": [],
    "versions": {"python": "3.11.7"},
    "controls": {"full": "k1"},
    "commits": {"study": {"hash": "0123456789abcdef", "changed": False}, "thawline": None},
    "decision": {"at": "2026-11-20T10:00:00+00:00", "earlier": []},
    "test_opened": [{"at": "2026-11-20T10:00:01+00:00", "trials": ["c0"]}],
}
TRIALS = pd.DataFrame({"state": ["complete"] * 8, "certificate": ["ok"] * 6 + ["none"] * 2})
BOARD = pd.DataFrame(
    [
        {
            "rank": 1,
            "key": "k0",
            "strategy": "top 2",
            "seeds": 5,
            "test_mean": 0.9,
            "test_low": 0.88,
            "test_high": 0.92,
        },
        {"rank": 2, "key": "k1", "strategy": "full", "seeds": 3, "test_mean": 0.85, "test_low": 0.8, "test_high": 0.9},
    ]
)
KNOWN: dict[str, Any] = {
    "borders": pd.DataFrame([("head_lr", 0.01, 1e-4, 0.1, "", False)], columns=list(BORDERS)),
    "agreement": pd.DataFrame([("direct", 1, 20, 8, 0.9, 1)], columns=list(AGREEMENT)),
    "promised": pd.DataFrame([(1, "k0", "top 2", "finalist", 0.91, 0.9, 0.9, 0.01, 0.01)], columns=list(PROMISED)),
    "compute": Compute(search=100.0, confirmation=60.0, floor=50.0),
    "cut": {},
    "hours": None,
    "computing": ({"device": "cpu", "threads": 1, "deterministic_algorithms": False, "trials": 8},),
    "mode": "max",
}


def made(trials: pd.DataFrame = TRIALS, board: pd.DataFrame = BOARD, **changed: Any) -> dict[str, Check]:
    facts = FACTS | changed.pop("facts", {})
    return {check.name: check for check in checks(trials, board, facts, **KNOWN | changed)}


def test_where_all_is_well_every_check_passes() -> None:
    found = made()
    assert len(found) == 16
    assert {check.status for check in found.values()} == {"pass"}


@pytest.mark.parametrize(
    ("name", "status", "text", "changed"),
    [
        (
            "frozen stayed frozen",
            "fail",
            "changed in 1 trials",
            {"trials": TRIALS.assign(certificate=["broken"] + ["ok"] * 7)},
        ),
        (
            "failures",
            "warn",
            "4 of 8 trials failed",
            {"trials": TRIALS.assign(state=["failed"] * 4 + ["complete"] * 4)},
        ),
        ("data", "warn", "2 samples of test", {"facts": {"warnings": ["2 samples of test are exact duplicates"]}}),
        ("versions", "warn", "not recorded", {"facts": {"versions": None}}),
        ("determinism", "warn", "not recorded", {"computing": ()}),
        (
            "determinism",
            "warn",
            "8 trials on cpu with 1 thread (deterministic algorithms off); 2 trials on cpu with 4 threads",
            {"computing": (*KNOWN["computing"], {"device": "cpu", "threads": 4, "cudnn_benchmark": True, "trials": 2})},
        ),
        (
            "commit",
            "warn",
            "the study's folder at commit 0123456789ab with changes",
            {"facts": {"commits": {"study": {"hash": "0123456789abcdef", "changed": True}, "thawline": None}}},
        ),
        ("baselines", "warn", "the control full", {"facts": {"controls": {"full": "gone"}}}),
        ("test set", "warn", "not opened yet", {"facts": {"test_opened": []}}),
        ("test set", "warn", "opened 2 times", {"facts": {"test_opened": FACTS["test_opened"] * 2}}),
        ("test set", "fail", "before the decision", {"facts": {"test_opened": [{"at": "2026-11-20T09:00:00+00:00"}]}}),
        ("seeds", "warn", "on 2 fresh seeds", {"board": BOARD.assign(seeds=2)}),
        ("test order", "warn", "full is first", {"board": BOARD.assign(test_mean=[0.8, 0.9])}),
        (
            "optimism",
            "warn",
            "promised 0.9900",
            {"promised": KNOWN["promised"].assign(searched=0.99, optimism_test=0.09)},
        ),
        (
            "borders",
            "warn",
            "head_lr 0.01 in 0.0001 … 0.1",
            {"borders": KNOWN["borders"].assign(border="high", can_widen=True)},
        ),
        ("early stopping", "warn", "correlation of 0.10", {"agreement": KNOWN["agreement"].assign(correlation=0.1)}),
        ("early stopping", "warn", "Too few trials", {"agreement": KNOWN["agreement"].assign(n=3)}),
        ("compute", "warn", "its floor alone 60%", {"compute": Compute(100.0, 150.0, 150.0)}),
        ("time", "warn", "3 trials never begun", {"cut": {"search": {"stopped": [], "not_started": 3}}}),
    ],
)
def test_what_is_not_well_is_said(name: str, status: str, text: str, changed: dict[str, Any]) -> None:
    found = made(**changed)
    assert found[name].status == status
    assert text in found[name].text
    assert all(check.status == "pass" for other, check in found.items() if other != name)


def test_a_winner_at_a_border_that_cannot_move_is_no_warning() -> None:
    natural = KNOWN["borders"].assign(dimension="unfrozen_depth", border="high", can_widen=False)
    assert made(borders=natural)["borders"].status == "pass"


def test_without_a_verdict_only_what_is_known_is_checked() -> None:
    facts = {name: value for name, value in FACTS.items() if name not in ("decision", "test_opened")}
    found = checks(TRIALS, BOARD.iloc[:0], facts, **KNOWN)
    assert {check.name for check in found} & {"test set", "seeds", "optimism"} == set()


def test_a_later_decision_of_an_extension_is_no_breach() -> None:
    later = {"at": "2026-11-21T10:00:00+00:00", "earlier": [{"winner": "k1", "at": FACTS["decision"]["at"]}]}
    found = made(facts={"decision": later, "test_opened": [*FACTS["test_opened"], {"at": "2026-11-21T10:00:01+00:00"}]})
    assert found["test set"].status == "warn"
    assert "opened 2 times" in found["test set"].text


def test_a_folder_without_git_is_no_warning() -> None:
    found = made(facts={"commits": {"study": None, "thawline": None}})["commit"]
    assert (found.status, "under git" in found.text) == ("pass", True)


def test_splits_dealt_anew_are_said() -> None:
    found = made(resplit=True)["one split"]
    assert found.status == "pass"
    assert "each fresh seed dealt train and validation anew" in found.text

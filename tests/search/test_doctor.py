"""The doctor names what would stop a study, with the way out, and finds nothing wrong with this environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from search import doctor as doctors
from search.doctor import Finding, doctor, enough, own_package

ROOT = Path(__file__).parents[2]


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_this_environment_can_run_a_study() -> None:
    found = doctor(start_ray=False)
    assert [finding for finding in found if finding.state == "problem"] == []
    named = {finding.name for finding in found}
    assert {"python", "ray", "torch", "optuna", "spaces", "search", "trainables", "cpu", "gpu", "memory"} <= named
    assert {"disk here", "disk for temporary files", "hugging face hub"} <= named
    assert "ray starts" not in named


def test_a_package_of_another_version_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"torch": "2.15.3", "ray": "2.40.0", "optuna": "5.0.0rc1"}

    def version(name: str) -> str:
        if name not in there:
            raise metadata.PackageNotFoundError(name)
        return there[name]

    wanted = ["torch>=2.15,<2.16", "ray[tune]>=2.60,<2.61", "optuna>=5.0.0rc1", "numpy>=2", "pytest>=8; extra == 'dev'"]
    monkeypatch.setattr(doctors.metadata, "requires", lambda _: wanted)
    monkeypatch.setattr(doctors.metadata, "version", version)
    found = by_name(doctors.versions())
    assert {name: finding.state for name, finding in found.items()} == {
        "torch": "ok",
        "ray": "problem",
        "optuna": "ok",
        "numpy": "problem",
    }
    assert "2.40.0 does not fit" in found["ray"].about
    assert "pip install" in found["numpy"].about


def test_a_stranger_s_package_of_our_name_is_a_problem_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "spaces").mkdir()
    (tmp_path / "spaces" / "__init__.py").write_text("")
    code = (
        "import sys; from pathlib import Path; from search.doctor import own_package; "
        f"sys.path.insert(0, {str(tmp_path)!r}); "
        f"print(own_package('spaces', Path({str(ROOT)!r})))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("problem")
    assert str(tmp_path / "spaces") in done.stdout
    assert str(ROOT / "spaces") in done.stdout
    assert f"take {tmp_path} off PYTHONPATH" in done.stdout


def test_our_own_packages_are_found() -> None:
    assert {own_package(name, ROOT).state for name in doctors.PACKAGES} == {"ok"}


@pytest.mark.parametrize(("there", "state"), [(4096.0, "ok"), (2048.0, "ok"), (100.0, "warning")])
def test_too_little_room_is_a_warning_that_says_how_much_is_better(there: float, state: str) -> None:
    found = enough("memory", there, 2048, "end other programs")
    assert found.state == state
    assert ("end other programs" in found.about) == (state == "warning")


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_the_hub_is_told_offline_where_it_is(monkeypatch: pytest.MonkeyPatch, value: str, offline: bool) -> None:
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    [found] = doctors.hub()
    assert found.about.startswith("offline (HF_HUB_OFFLINE)") == offline


def test_an_old_python_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctors.sys, "version_info", (3, 10, 2))
    assert doctors.python()[0].state == "problem"


def command(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "search", "doctor", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command_speaks_json(tmp_path: Path) -> None:
    done = command("--json", "--no-ray", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert all(set(row) == {"name", "state", "about"} for row in rows)
    assert {row["state"] for row in rows} <= {"ok", "warning"}


def test_a_ray_that_does_not_start_is_a_problem_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    from search import tuner

    def refuse(**_: object) -> None:
        raise TimeoutError("no answer from the cluster")

    monkeypatch.setattr(tuner.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(tuner.ray, "init", refuse)
    [found] = doctors.ray_starts()
    assert found.state == "problem"
    assert "no answer from the cluster" in found.about


def test_the_command_exits_1_where_a_study_could_not_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from search.cli import main

    monkeypatch.setattr(doctors, "devices", lambda: [Finding("gpu", "problem", "is on fire")])
    assert main(["doctor", "--no-ray"]) == 1
    assert "problem  gpu: is on fire" in capsys.readouterr().out

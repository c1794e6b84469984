"""The architecture, held by the imports: floors, the places of Ray and Optuna, what stays free of torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.imports import PACKAGES, ROOT, files, imported, reached, top_level

# What each package may not import, at the top of a file or inside a function.
FORBIDDEN = {
    "spaces": {"trainables", "search", "thawline", "torch", "torchvision", "transformers", "ray", "optuna", "pandas"},
    "trainables": {"search", "thawline", "optuna"},
    "search": {"thawline"},
}
RAY_BELOW_SEARCH = {Path("trainables/trial.py"), Path("trainables/team_trial.py")}
HEAVY = {"torch", "torchvision", "transformers", "ray", "optuna", "sklearn", "pandas"}
LIGHT = [
    *files("spaces"),
    *(Path(name) for name in ("trainables/config.py", "trainables/data/source.py")),
    *(Path(name) for name in ("search/config.py", "search/layering.py", "search/errors.py")),
    *(path for path in files("search") if path.parts[1] == "cli"),
]


@pytest.mark.parametrize("path", files(*PACKAGES), ids=str)
def test_an_import_only_goes_down(path):
    assert not top_level(imported(path)) & FORBIDDEN[path.parts[0]]


@pytest.mark.parametrize("path", files("trainables"), ids=str)
def test_below_the_search_only_the_trial_knows_ray(path):
    assert path in RAY_BELOW_SEARCH or "ray" not in top_level(imported(path))


@pytest.mark.parametrize("path", LIGHT, ids=str)
def test_what_the_command_line_reads_first_is_free_of_heavy_libraries(path):
    assert not reached(path) & {"torch", "torchvision", "transformers", "ray"}


def test_the_rungs_know_no_ray():
    assert "ray" not in reached(Path("search/rungs.py"))


@pytest.mark.parametrize("module", ["spaces.suggest", "trainables.config", "search.layering", "search.cli"])
def test_importing_a_light_module_loads_no_heavy_library(module):
    code = f"import {module}, sys; print(*(name for name in {sorted(HEAVY)} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", PACKAGES)
def test_the_package_is_this_project_s(name):
    # An unrelated package that anyone can install is named `spaces`.
    code = f"import {name}; print({name}.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT.parent, capture_output=True, text=True)
    assert done.returncode == 0, f"{name} is not installed: make .venv\n{done.stderr}"
    expected = ROOT / name / "__init__.py"
    message = f"`import {name}` finds {done.stdout.strip()}, not this project's: pip uninstall {name}, then make .venv"
    assert Path(done.stdout.strip()) == expected, message


def test_the_walk_sees_imports_in_functions_and_through_our_own_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.architecture.imports.ROOT", tmp_path)
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "__init__.py").write_text("")
    (tmp_path / "search" / "low.py").write_text("import ray\n\ndef late():\n    import torch\n")
    (tmp_path / "search" / "high.py").write_text("from search.low import late\n")
    assert imported(Path("search/low.py")) == {"ray", "torch"}
    assert imported(Path("search/low.py"), at_import_time=True) == {"ray"}
    assert "ray" in reached(Path("search/high.py"))
    assert "torch" not in reached(Path("search/high.py"))

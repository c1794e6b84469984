"""Functions of the user's own come from the study's folder, whichever study came before in this process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from spaces.errors import BadInput
from trainables.user_code import user_function


@pytest.fixture(autouse=True)
def path_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])


def folder(path: Path, body: str, name: str = "same_name_everywhere") -> str:
    path.mkdir(parents=True)
    (path / f"{name}.py").write_text(body)
    return str(path)


def test_two_folders_may_hold_modules_of_one_name(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", "def f():\n    return 1\n")
    two = folder(tmp_path / "two", "def f():\n    return 2\n")
    spec = "same_name_everywhere:f"
    found = [user_function(spec, path, place="model")() for path in (one, two, one)]
    assert found == [1, 2, 1]


def test_an_installed_module_is_found_too_and_stays_itself(tmp_path: Path) -> None:
    before = sys.modules["json"]
    for name in ("a", "b"):
        assert user_function("json:dumps", folder(tmp_path / name, ""), place="model")([1]) == "[1]"
    assert sys.modules["json"].dumps([1]) == before.dumps([1])


def test_an_error_in_the_module_names_its_line(tmp_path: Path) -> None:
    path = folder(tmp_path / "bad", "x = 1\ny = 1 / 0\n", "broken_module")
    with pytest.raises(BadInput, match=r"data\.source: cannot import 'broken_module'.*broken_module\.py, line 2"):
        user_function("broken_module:f", path, place="data.source")

"""The token: where it is looked for, who may read its file, that it shows nowhere."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from search.cluster import token


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (token.VALUE, token.FILE):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_a_token_is_made_once_and_only_its_owner_may_read_it(home: Path) -> None:
    assert token.find() is None
    token.ensure()
    made = token.find()
    assert made is not None
    assert len(made.value) == 64
    assert made.place == str(home / ".ray" / "auth_token")
    assert mode(home / ".ray" / "auth_token") == 0o600
    token.ensure()
    assert token.find() == made


def test_a_file_that_others_may_read_is_closed_to_them(home: Path) -> None:
    file = home / ".ray" / "auth_token"
    file.parent.mkdir()
    file.write_text("readable\n")
    file.chmod(0o644)
    found = token.find()
    assert found is not None
    assert (found.value, mode(file)) == ("readable", 0o600)


def test_ray_s_order_of_places_is_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token.ensure()
    (home / "other").write_text("from a file")
    monkeypatch.setenv(token.FILE, str(home / "other"))
    assert token.find() == token.Token("from a file", str(home / "other"))
    monkeypatch.setenv(token.VALUE, "from a variable")
    assert token.find() == token.Token("from a variable", token.VALUE)


def test_a_file_that_is_named_and_not_there_is_no_token_and_none_is_made_elsewhere(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(token.FILE, str(home / "gone"))
    token.ensure()
    assert token.find() is None
    assert not (home / ".ray").exists()


def test_a_token_does_not_show_itself() -> None:
    held = token.Token("geheim", "here")
    assert "geheim" not in f"{held!r} {held}"
    assert held.header == {"Authorization": "Bearer geheim"}

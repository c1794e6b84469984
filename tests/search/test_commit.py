"""Which commit a study began with: found where there is one, and never a stranger's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from search import commit
from search.commit import commit_of, commits, in_words


def git(folder: Path, *arguments: str) -> str:
    names = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *names, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q")
    for name in ("study.yaml", "network.py"):
        (folder / name).write_text("1")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "A study")
    return folder


def test_a_clean_folder_is_its_commit(project: Path) -> None:
    found = commit_of(project, "study.yaml")
    assert found is not None
    assert (found.hash, found.changed) == (git(project, "rev-parse", "HEAD"), False)
    (project / "runs").mkdir()  # what a run leaves behind changes no code
    (project / "runs" / "report.md").write_text("2")
    assert commit_of(project, "study.yaml") == found


def test_changed_code_and_a_study_file_of_no_commit_are_told(project: Path) -> None:
    assert commit_of(project, "other.yaml").changed  # type: ignore[union-attr]
    (project / "network.py").write_text("2")
    found = commits(project / "study.yaml")["study"]
    assert found is not None
    assert found["changed"]
    assert in_words(found) == f"{found['hash'][:12]} with changes"


def test_without_git_there_is_no_commit(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert commit_of(tmp_path) is None
    assert in_words(None) is None
    monkeypatch.setenv("PATH", "")
    assert commit_of(project) is None


def test_the_commit_of_a_folder_that_holds_an_installed_thawline_is_not_thawline_s(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = project / "venv" / "site-packages"
    inside.mkdir(parents=True)
    monkeypatch.setattr(commit, "THAWLINE", inside)
    found = commits(project / "study.yaml")
    assert found["thawline"] is None
    assert found["study"] is not None
    monkeypatch.setattr(commit, "THAWLINE", project)
    assert commits(project / "study.yaml")["thawline"] is not None

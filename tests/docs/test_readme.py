"""What README and docs say can be done: every command exists, every study file parses, every link leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from search.layering import resolve

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
VERB = re.compile(r"(?:^|[\s;&|(])thawline ([a-z][a-z-]*)", re.MULTILINE)
TARGET = re.compile(r"(?:^|[\s;&|(])make ([a-z.][a-z-]*)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def blocks(page: Path, *languages: str) -> list[str]:
    return [body for language, body in FENCE.findall(page.read_text(encoding="utf-8")) if language in languages]


def code(page: Path) -> str:
    """Everything that the page sets as code, in blocks and in lines."""
    text = page.read_text(encoding="utf-8")
    return "\n".join([*(body for _, body in FENCE.findall(text)), *SPAN.findall(FENCE.sub("", text))])


VERBS = sorted({verb for page in PAGES for verb in VERB.findall(code(page))})
STUDIES = [body for page in PAGES for body in blocks(page, "yaml") if "model:" in body]


@pytest.mark.parametrize("verb", VERBS)
def test_a_command_that_the_docs_name_exists(verb):
    done = subprocess.run([sys.executable, "-m", "search", verb, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_readme_names_the_commands_that_exist():
    assert {"demo", "init", "validate", "run", "resume", "report", "ls", "blocks"} <= set(VERBS)


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_file_in_the_docs_is_valid(study, tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text(study, encoding="utf-8")
    assert resolve(file, look=False).config.model  # its data is the reader's own, so it is not looked for


def test_the_readme_shows_a_study_file():
    assert any("model:" in body for body in blocks(ROOT / "README.md", "yaml"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_make_target_that_the_docs_name_exists(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    missing = [t for t in TARGET.findall(code(page)) if not re.search(rf"^{re.escape(t)}:", makefile, re.MULTILINE)]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_to_a_file(page):
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if "://" not in target and not (page.parent / target).exists()] == []

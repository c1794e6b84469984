"""The shape of the tree: short files, telling names, pins without addresses."""

from __future__ import annotations

import re

import pytest

from tests.architecture.imports import PACKAGES, ROOT, files

LONGEST = 300
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "base", "manager", "misc", "common"}
PIN = re.compile(r"[a-z0-9][a-z0-9._-]*==[A-Za-z0-9.+!]+( ; .+)?")


@pytest.mark.parametrize("path", files(*PACKAGES), ids=str)
def test_a_file_fits_one_idea(path):
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", files(*PACKAGES, "tests", "benchmarks", "examples"), ids=str)
def test_a_name_says_what_the_file_holds(path):
    assert not {part.removesuffix(".py") for part in path.parts} & NAMES_THAT_SAY_NOTHING


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_typed(package):
    assert (ROOT / package / "py.typed").is_file()


def test_a_pin_is_a_name_and_a_version_and_no_address():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not PIN.fullmatch(line)] == []
    assert len(lines) > 50

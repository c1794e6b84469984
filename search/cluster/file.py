"""Check a cluster file without a cloud, a credential or a network: everything that is wrong with it, at once."""

from __future__ import annotations

import re
from pathlib import Path

from search.cluster import machines
from search.cluster.schema import check_schema, check_with_ray
from search.cluster.starting import check_starting
from search.cluster.yaml_lines import Lines, read
from spaces.errors import BadInput, Problem

PLACEHOLDER = re.compile(r"REPLACE|<[A-Za-z][\w -]*\w>|\b[xX]{4,}\b")


def check(path: str | Path) -> Lines:
    """Read and check a cluster file; Ray's own reading comes last, and only where nothing else is wrong.

    Raises:
        BadInput: every problem found, in the order of the file.
    """
    file = read(Path(path))
    problems = [*check_placeholders(file), *check_schema(file), *machines.check_machines(file), *check_starting(file)]
    problems = problems or check_with_ray(file)
    if problems:
        first = {problem.place: problem for problem in reversed(problems)}  # of one place, the first found
        raise BadInput(sorted(first.values(), key=lambda problem: _line(problem.place, file)))
    return file


def notes(path: str | Path) -> list[str]:
    """Check a cluster file; return what it starts, and what is allowed in it and may cost more than was meant.

    Raises:
        BadInput: every problem found.
    """
    file = check(path)
    told = [f"note: {note}" for note in machines.notes(file)]
    return [f"{path}: keys, values, versions and token are fine: {machines.summary(file)}", *told]


def check_placeholders(file: Lines) -> list[Problem]:
    """Return the values that are still to be filled in."""
    problems = []
    for keys, value in file.leaves():
        if isinstance(value, str) and PLACEHOLDER.search(value):
            comment = file.comment(keys)
            wanted = f" ({comment})" if comment else ""
            problems.append(file.problem(keys, f"{value} is a placeholder; put a value of your own there{wanted}"))
    return problems


def _line(place: str, file: Lines) -> int:
    number = place.removeprefix(f"{file.path}:").partition(":")[0]
    return int(number) if number.isdigit() else 0

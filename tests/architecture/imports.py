"""What the files of the three packages import, read from their source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("spaces", "trainables", "search")


def files(*packages: str) -> list[Path]:
    """Return every source file of ``packages``, relative to the checkout."""
    return sorted(path.relative_to(ROOT) for name in packages for path in (ROOT / name).rglob("*.py"))


def imported(path: Path, *, at_import_time: bool = False) -> set[str]:
    """Return the dotted modules that ``path`` imports; with ``at_import_time`` only those that importing it runs."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return set(_modules(tree, path, at_import_time))


def top_level(modules: set[str]) -> set[str]:
    """Return the packages that ``modules`` belong to."""
    return {name.partition(".")[0] for name in modules}


def reached(path: Path) -> set[str]:
    """Return the packages that importing ``path`` imports, through any of our own files."""
    seen: set[Path] = set()
    waiting, found = [path], set[str]()
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        for module in imported(here, at_import_time=True):
            found.add(module.partition(".")[0])
            waiting += _own_files(module)
    return found


def _modules(node: ast.AST, path: Path, at_import_time: bool) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, level=level, names=names):
                start = ".".join(path.parent.parts[: len(path.parent.parts) - level + 1]) if level else ""
                origin = ".".join(part for part in (start, module) if part)
                yield origin
                yield from (f"{origin}.{alias.name}" for alias in names if alias.name != "*")
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() if at_import_time:
                continue
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")) if at_import_time:
                for statement in child.orelse:
                    yield from _modules(ast.Module([statement], []), path, at_import_time)
            case _:
                yield from _modules(child, path, at_import_time)


def _own_files(module: str) -> Iterator[Path]:
    """Yield the files that run when ``module`` is imported: its own, and those of the packages around it."""
    parts = module.split(".")
    if parts[0] not in PACKAGES:
        return
    for count in range(1, len(parts) + 1):
        place = Path(*parts[:count])
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if (ROOT / file).is_file():
                yield file

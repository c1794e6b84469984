"""The user's own functions, named ``module:function`` in a study file and found beside it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from spaces.check import did_you_mean
from spaces.errors import BadInput

_FOLDER_OF: dict[str, str] = {}  # of every module imported here, the study's folder it was asked for


def user_function(spec: str, code_path: str | None, *, place: str) -> Callable[..., Any]:
    """Return the function ``spec`` names, from the folder ``code_path`` before anywhere else.

    Raises:
        BadInput: the module cannot be imported, or has no such function; ``place`` is the key that names it.
    """
    module_name, _, name = spec.partition(":")
    try:
        module = _module(module_name, code_path)
    except Exception as error:  # the user's code may raise anything
        message = f"cannot import {module_name!r}: {type(error).__name__}: {error}{where(error)}"
        raise BadInput.at(place, message) from error
    function = getattr(module, name, None)
    if not callable(function):
        known = [each for each, value in vars(module).items() if callable(value) and not each.startswith("_")]
        raise BadInput.at(place, f"the module {module_name!r} has no function {name!r}{did_you_mean(name, known)}")
    return function  # type: ignore[no-any-return]


def where(error: BaseException) -> str:
    """Return the file and line of the user's code that raised, in brackets; empty where none of it did."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    outside = "importlib" in last.filename or Path(last.filename).is_relative_to(Path(__file__).parent)
    return "" if outside else f" ({last.filename}, line {last.lineno})"


def _module(name: str, code_path: str | None) -> ModuleType:
    """Import the module; one of the same name from another study's folder is forgotten first."""
    importlib.invalidate_caches()
    if code_path is None:
        return importlib.import_module(name)
    if code_path in sys.path:
        sys.path.remove(code_path)
    sys.path.insert(0, code_path)
    top = name.partition(".")[0]
    if _FOLDER_OF.get(top, code_path) != code_path:
        for each in [each for each in sys.modules if each.partition(".")[0] == top]:
            del sys.modules[each]
    _FOLDER_OF[top] = code_path
    return importlib.import_module(name)

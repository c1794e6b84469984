"""The forms of ``model``, checked by name alone: nothing is imported and no network is built."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from spaces.check import did_you_mean

FORMS = {
    "torchvision:NAME": "a torchvision classification network",
    "transformers:NAME_OR_FOLDER": "a transformers network, by name or from a folder",
    "package:PYTHON_PACKAGE": "a transformers network that an installed package carries",
    "module:function": "your own function that returns a network",
}
MODALITY_OF_FORM = {"torchvision": "image", "transformers": "text", "package": "text"}
PREFIXES = tuple(MODALITY_OF_FORM)
BUILDER = re.compile(r"^@register_model\(\)\n(?:@.*\n)*def (\w+)\(", re.MULTILINE)


def torchvision_names() -> list[str]:
    """Return torchvision's classification networks, read from its source without importing it."""
    found = importlib.util.find_spec("torchvision")
    folders = (found.submodule_search_locations or []) if found else []
    files = [file for folder in folders for file in Path(folder, "models").glob("*.py")]
    return sorted(name for file in files for name in BUILDER.findall(file.read_text(encoding="utf-8")))


def model_complaint(model: str, folder: Path) -> str | None:
    """Return why ``model`` names no network as seen from ``folder``, or None."""
    form, colon, name = model.partition(":")
    if not colon or not form or not name:
        return f"must be one of {', '.join(FORMS)}, got {model!r}"
    match form:
        case "torchvision":
            return _torchvision_complaint(name)
        case "transformers":
            folder_like = name.startswith((".", "/", "~"))
            return (
                f"no such folder: {name}" if folder_like and not (folder / Path(name).expanduser()).is_dir() else None
            )
        case "package":
            there = installed(name.replace("-", "_"))
            return None if there else f"no installed package {name!r}: install it, or check its name"
    return function_complaint(model, folder, PREFIXES)


def _torchvision_complaint(name: str) -> str | None:
    names = torchvision_names()
    if name in names:
        return None
    return f"torchvision has no {name!r}{did_you_mean(name, names)}; thawline ls models lists its networks"


def function_complaint(spec: str, folder: Path, prefixes: tuple[str, ...] = ()) -> str | None:
    """Return why ``spec``, a module:function, cannot be found next to the study file or installed, or None."""
    module, _, function = spec.partition(":")
    if not function.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        return f"must be module:function, got {spec!r}"
    top = module.partition(".")[0]
    if folder.joinpath(*module.split(".")).with_suffix(".py").is_file() or (folder / top).is_dir() or installed(top):
        return None
    return f"no module {module!r} next to the study file ({folder}) or installed{did_you_mean(form_of(spec), prefixes)}"


def form_of(model: str) -> str:
    """Return the part before the colon."""
    return model.partition(":")[0]


def installed(package: str) -> bool:
    """Tell whether the top-level ``package`` can be imported, without importing it."""
    if not package.isidentifier():
        return False
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False

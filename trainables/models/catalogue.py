"""The kinds of model a study file can name. A literal table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spaces.errors import BadInput
from trainables.models.model import Model


@dataclass(frozen=True)
class Wanted:
    """What a network is asked for."""

    name: str  # what follows the kind in the study file
    weights: str
    classes: int
    image_size: int | None = None
    code_path: str | None = None


def _vision(wanted: Wanted) -> Model:
    from trainables.models import vision

    return vision.build(wanted.name, weights=wanted.weights, classes=wanted.classes, image_size=wanted.image_size)


def _text(wanted: Wanted) -> Model:
    from trainables.models import text

    return text.build(wanted.name, weights=wanted.weights, classes=wanted.classes)


def _package(wanted: Wanted) -> Model:
    from trainables.models import text

    return text.build(text.package_folder(wanted.name), weights=wanted.weights, classes=wanted.classes)


def _own(wanted: Wanted) -> Model:
    from trainables.models import own

    return own.build(
        wanted.name,
        weights=wanted.weights,
        classes=wanted.classes,
        image_size=wanted.image_size,
        code_path=wanted.code_path,
    )


# kind -> (how it is built, the data it takes). The imports wait until a model of that kind is asked for:
# torchvision and transformers cost seconds each.
KINDS: dict[str, tuple[Callable[[Wanted], Model], str]] = {
    "torchvision": (_vision, "image"),
    "transformers": (_text, "text"),
    "package": (_package, "text"),
}


def modality_of(spec: str) -> str:
    """Return the kind of data that the model ``spec`` takes; one's own network takes images."""
    kind, _, _ = spec.partition(":")
    return KINDS[kind][1] if kind in KINDS else "image"


def files(spec: str, weights: str) -> tuple[Path, ...] | None:
    """Return the files that a network and its weights are read from; None for a function of one's own.

    Such a function may build another network each time. What a library downloads does not change under its name.
    """
    kind, _, name = spec.partition(":")
    if kind not in KINDS:
        return None
    given = () if weights in ("default", "none") else (Path(weights),)
    if kind == "torchvision":
        return given
    from trainables.models import text

    folder = Path(text.package_folder(name) if kind == "package" else name)
    return (*given, *sorted(each for each in folder.iterdir() if each.is_file())) if folder.is_dir() else given


def build(
    spec: str,
    *,
    weights: str,
    modality: str,
    classes: int,
    image_size: int | None = None,
    code_path: str | None = None,
) -> Model:
    """Build the network that a study file's ``model`` names, with a head of ``classes`` outputs."""
    kind, _, name = spec.partition(":")
    if modality != modality_of(spec):
        message = f"{spec} takes {modality_of(spec)} data, the task needs a network for {modality} data"
        raise BadInput.at("model", message)
    if kind in KINDS:
        return KINDS[kind][0](Wanted(name, weights, classes, image_size, code_path))
    return _own(Wanted(spec, weights, classes, image_size, code_path))

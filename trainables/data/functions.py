"""Read samples from the user's own function, named ``module:function`` in the study file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from spaces.check import did_you_mean
from spaces.errors import BadInput, Problem
from trainables.config import SPLITS, Split
from trainables.data.layout import Modality
from trainables.data.samples import Reading, Sample, content_hash
from trainables.data.tables import class_name
from trainables.data.words import listed
from trainables.user_code import user_function, where

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PLACE = "data.source"


def read(source: str, modality: Modality, code_path: str | None) -> tuple[dict[Split, Reading], tuple[str, ...] | None]:
    """Call the function and read each split it returns, and the class names where it gives them."""
    given = _call(source, code_path)
    if not isinstance(given, Mapping) or "train" not in given:
        got = f"the keys {listed(list(given))}" if isinstance(given, Mapping) else f"a {type(given).__name__}"
        raise BadInput.at(PLACE, f'{source} must return a mapping with at least "train": (inputs, labels), got {got}')
    allowed = (*SPLITS, "classes")
    strange = [key for key in given if key not in allowed]
    if strange:
        raise BadInput(
            Problem(PLACE, f"{source} returned {key!r}{did_you_mean(str(key), allowed)}; allowed: {', '.join(allowed)}")
            for key in strange
        )
    names = given.get("classes")
    classes = None if names is None else tuple(class_name(name) for name in _plain(names))
    return {split: _reading(split, given[split], modality, classes) for split in SPLITS if split in given}, classes


def _call(source: str, code_path: str | None) -> object:
    function = user_function(source, code_path, place=PLACE)
    try:
        return function()
    except Exception as error:  # the user's code may raise anything; its type and place are the message
        raise BadInput.at(PLACE, f"{source} failed with {type(error).__name__}: {error}{where(error)}") from error


def _reading(split: Split, given: object, modality: Modality, classes: Sequence[str] | None) -> Reading:
    if not isinstance(given, tuple | list) or len(given) != 2:
        return _refused(f"{split} must be a pair (inputs, labels), got a {type(given).__name__}")
    labels = _plain(given[1])
    inputs, problem = _images(split, given[0]) if modality == "image" else _texts(split, given[0])
    if problem is not None:
        return _refused(problem)
    if len(inputs) != len(labels):
        return _refused(f"{split} has {len(inputs)} inputs but {len(labels)} labels")
    if not inputs:
        return _refused(f"{split} holds no samples")
    names, problem = _label_names(split, labels, classes)
    if problem is not None:
        return _refused(problem)
    return Reading(
        tuple(
            Sample(f"source:{split}:{index}", each, name, content_hash(each))
            for index, (each, name) in enumerate(zip(inputs, names, strict=True))
        )
    )


def _refused(message: str) -> Reading:
    return Reading(problems=(Problem(PLACE, message),))


def _plain(values: object) -> list[object]:
    """Turn an array, a tensor or any sequence into a list of Python's own values."""
    listing = values.tolist() if hasattr(values, "tolist") else values
    if not isinstance(listing, Sequence) or isinstance(listing, str):
        return []
    return [each.item() if hasattr(each, "item") else each for each in listing]


def _label_names(split: Split, labels: Sequence[object], classes: Sequence[str] | None) -> tuple[list[str], str | None]:
    """Return class names; with ``classes`` given, labels are those names or their positions."""
    bad = [
        index for index, label in enumerate(labels) if label != label or not isinstance(label, str | int | float)
    ] + [index for index, label in enumerate(labels) if isinstance(label, str) and not label.strip()]
    if bad:
        return (
            [],
            f"{split} must have one text or number as the label of each sample, got {labels[bad[0]]!r} at {bad[0]}",
        )
    names = [class_name(label) for label in labels]
    if classes is None or set(names) <= set(classes):
        return names, None
    positions = [label for label in labels if isinstance(label, int) and 0 <= label < len(classes)]
    if len(positions) == len(labels):
        return [classes[position] for position in positions], None
    index = next(i for i, name in enumerate(names) if name not in classes)
    return [], f"{split} has the label {labels[index]!r} at {index}, which classes lacks: {listed(classes, 20)}"


def _texts(split: Split, given: object) -> tuple[list[object], str | None]:
    texts: list[object] = [tuple(each) if isinstance(each, list) else each for each in _plain(given)]
    pairs = bool(texts) and isinstance(texts[0], tuple)
    for index, each in enumerate(texts):
        parts = each if isinstance(each, tuple) else (each,)
        if not all(isinstance(part, str) for part in parts) or len(parts) != (2 if pairs else 1):
            return [], f"{split} must be a list of texts, or of pairs of texts, got {_short(each)} at {index}"
        if not all(part.strip() for part in parts):
            return [], f"{split} has an empty text at {index}; remove it"
    return texts, None if texts else f"{split} must be a list of texts, got {_short(given)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _images(split: Split, given: object) -> tuple[list[object], str | None]:
    import numpy as np

    wanted = "one array of images (N, H, W) or (N, H, W, 1 or 3), uint8 or floats from 0 to 1"
    try:
        array = np.asarray(given)
    except (TypeError, ValueError) as error:
        return [], f"{split} must be {wanted}, got what makes no array ({error})"
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[-1] not in (1, 3) or 0 in array.shape[1:]:
        return [], f"{split} must be {wanted}, got the shape {array.shape}"
    if array.dtype == np.uint8:
        return [*_separate(array)], None
    if not np.issubdtype(array.dtype, np.floating):
        return [], f"{split} must be {wanted}, got {array.dtype}"
    if len(array) and not (array.min() >= 0 and array.max() <= 1):  # false for NaN as well
        return (
            [],
            f"{split} must be {wanted}, got values from {array.min():g} to {array.max():g}; divide by the largest",
        )
    return [*_separate(np.round(array * 255).astype(np.uint8))], None


def _separate(array: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Give each image its own memory, so that a few of them do not keep all of them alive."""
    return [cast("NDArray[np.uint8]", image.copy()) for image in array]

"""Read a folder whose sub-folders are the classes of the images in them. Opens every image once; needs no torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from spaces.errors import Problem
from trainables.data.layout import is_image, visible
from trainables.data.samples import Reading, Sample
from trainables.data.words import counted, listed

if TYPE_CHECKING:
    from PIL import Image

SHOWN = 20  # unreadable images named one by one


def read(folder: Path, root: Path, place: str, *, verify: bool = True) -> Reading:
    """Read every image below the class folders of ``folder``. ``root`` is what ids are relative to."""
    class_folders = [path for path in visible(folder) if path.is_dir()]
    if not class_folders:
        return Reading(problems=(Problem(place, f"{folder} holds no class folders (one folder of images per class)"),))
    loose = [path for path in visible(folder) if is_image(path)]
    files = {each: list(_files(each)) for each in class_folders}
    images = [(each, path) for each, paths in files.items() for path in paths if is_image(path)]
    other = [path for paths in files.values() for path in paths if not is_image(path)] + loose
    empty = [each for each, paths in files.items() if not any(is_image(path) for path in paths)]
    problems = [
        Problem(place, f"the class folder {_name(each, root)} holds no image; fill it or remove it") for each in empty
    ]
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        seen = list(threads.map(lambda image: _look(image[1], verify), images))
    broken = [(path, why) for (_, path), (_, why) in zip(images, seen, strict=True) if why]
    problems += [Problem(place, f"{_name(path, root)} is not a readable image ({why})") for path, why in broken[:SHOWN]]
    if len(broken) > SHOWN:
        problems.append(Problem(place, f"{counted(len(broken) - SHOWN, 'more image')} cannot be read"))
    samples = tuple(
        Sample(_name(path, root), path, each.name, content)
        for (each, path), (content, _) in zip(images, seen, strict=True)
    )
    return Reading(samples, tuple(problems), _passed_over(other, root))


def _files(folder: Path) -> Iterator[Path]:
    for path in visible(folder):
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _passed_over(paths: list[Path], root: Path) -> tuple[str, ...]:
    if not paths:
        return ()
    names = listed([_name(path, root) for path in paths], 3)
    return (f"{counted(len(paths), 'file')} passed over, not an image in a class folder: {names}",)


def _look(path: Path, verify: bool) -> tuple[str, str | None]:
    """Return the content hash of an image file, and why it cannot be read (None if it can)."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return "", error.strerror or type(error).__name__
    digest = hashlib.sha256(content).hexdigest()
    if not verify:
        return digest, None
    try:
        open_image(BytesIO(content))
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes of them
        reason = "unknown format or no image at all" if "cannot identify" in str(error) else str(error)
        return digest, reason or type(error).__name__
    return digest, None


def open_image(file: Path | BytesIO) -> Image.Image:
    """Decode an image file to RGB, upright, with 16-bit grey values scaled to 8 bit."""
    from PIL import Image, ImageOps

    with Image.open(file) as opened:
        upright = ImageOps.exif_transpose(opened)
        if upright.mode.startswith("I"):  # Pillow's own conversion would clip everything above 255 to white
            return upright.convert("I").point(lambda value: value * (1 / 257)).convert("L").convert("RGB")
        # Through RGBA, because transparency in a palette is otherwise lost with a warning.
        palette = upright.mode == "P" and "transparency" in upright.info
        return (upright.convert("RGBA") if palette else upright).convert("RGB")

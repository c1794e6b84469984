"""The images of a split, decoded: by this process, or once for all processes of the node, as a file that each maps.

The file lies in the activation cache and is built, checked, evicted and cleared as what lies there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import xxhash
from torch import Tensor

from trainables.activations import folder
from trainables.activations.files import Form, Kept, Meta, Unavailable, Writer
from trainables.activations.store import Store
from trainables.data.images import DECODERS, Preprocessing, decode
from trainables.data.samples import Examples, content_hash, contents_of

FORMAT = 1  # of the file
IMAGES = "images"
AT_ONCE = 64  # images
CPU = torch.device("cpu")
# CPU-seconds of decoding that a process does by itself before it looks for a file, and that a file must save it. Less
# is not worth the care, and a trial that reads recordings decodes a handful of images and should stop there.
ALONE = 0.25


class Images:
    """The images of a split by index: ``images[indices]`` is uint8 (b, 3, S, S).

    Each is decoded when first asked for, and kept if all fit ``budget_bytes``. Where decoding all takes long, the file
    of the whole split takes their place. Without one, every process decodes by itself: slower, and the same.
    """

    def __init__(self, examples: Examples, preprocessing: Preprocessing, budget_bytes: int = 2 * 2**30) -> None:
        """Decode nothing yet."""
        self.examples = examples
        self.preprocessing = preprocessing
        size = preprocessing.image_size
        self._kept: Tensor | None = None
        if len(examples) * 3 * size * size <= budget_bytes:
            self._kept = torch.empty((len(examples), 3, size, size), dtype=torch.uint8)
        self._decoded = torch.zeros(len(examples), dtype=torch.bool)
        self._file: Kept | None = None
        self._looked = False  # for a file
        self._count, self._seconds = 0, 0.0  # what was decoded here, and the CPU-seconds it took

    def __len__(self) -> int:
        """Count the images."""
        return len(self.examples)

    def __getitem__(self, indices: Tensor) -> Tensor:
        """Return the images at ``indices``, a LongTensor, in that order."""
        if not self._looked and self._is_long():
            self._looked = True
            self._file = on_this_node(self.examples, self.preprocessing, self._each() * len(self))
            if self._file is not None:
                self._kept = None
        if self._file is not None:
            return self._file.take(indices, None, CPU)[IMAGES]
        if self._kept is None:
            return self._decode(indices)
        new = torch.unique(indices[~self._decoded[indices]])
        if len(new):
            self._kept[new] = self._decode(new)
            self._decoded[new] = True
        return self._kept[indices]

    def _decode(self, indices: Tensor) -> Tensor:
        before = time.process_time()
        decoded = decode([self.examples.inputs[i] for i in indices.tolist()], self.preprocessing)
        self._seconds += time.process_time() - before
        self._count += len(indices)
        return decoded

    def _each(self) -> float:
        return self._seconds / self._count

    def _is_long(self) -> bool:
        """Tell whether decoding has taken long enough, and the rest of it would."""
        return (
            self._count > 0
            and self._seconds >= ALONE
            and self._each() * (len(self) - int(self._decoded.sum())) >= ALONE
        )


def on_this_node(examples: Examples, preprocessing: Preprocessing, seconds: float) -> Kept | None:
    """Return all images in one file, mapped; written now if no process has. None where the cache cannot serve.

    ``seconds`` is what decoding them takes, about.
    """
    place = folder.location()
    if place is None:
        return None
    try:
        store = Store(place, folder.budget(place))
        kept, _ = store.open_or_build(
            _key(examples, preprocessing),
            _form(preprocessing).bytes * len(examples),
            seconds,
            lambda part: _fill(examples, preprocessing, part),
        )
    except (Unavailable, OSError):  # an image that cannot be read is met again, by whoever asks for it
        return None
    return kept


def _key(examples: Examples, preprocessing: Preprocessing) -> str:
    """Return a hash of the images' contents and of what decides their pixels; their scale is applied later."""
    cut = (preprocessing.image_size, preprocessing.resize, preprocessing.interpolation)
    parts = [json.dumps([IMAGES, FORMAT, DECODERS, cut]), *contents_of(examples)]
    return xxhash.xxh3_128_hexdigest("\n".join(parts).encode())


def _form(preprocessing: Preprocessing) -> Form:
    size = preprocessing.image_size
    return Form(IMAGES, "uint8", "uint8", (3, size, size), (1, 2, 3))


def _fill(examples: Examples, preprocessing: Preprocessing, place: Path) -> Meta:
    started, contents = time.process_time(), contents_of(examples)
    with Writer(place, (_form(preprocessing),), "right") as writer:
        for start in range(0, len(examples), AT_ONCE):
            inputs = examples.inputs[start : start + AT_ONCE]
            _check_unchanged(inputs, contents[start : start + AT_ONCE])
            writer.add({IMAGES: decode(inputs, preprocessing)}, None)
    about = {"decoded": IMAGES, "image_size": preprocessing.image_size, "samples": len(examples)}
    return writer.meta(about, time.process_time() - started)


def _check_unchanged(inputs: Sequence[object], contents: Sequence[str]) -> None:
    """Refuse to keep, for all later runs, other images under the names of those that were read."""
    if any(content_hash(each) != content for each, content in zip(inputs, contents, strict=True)):
        raise Unavailable("an image has changed since the data was read")

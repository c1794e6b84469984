"""Images are decoded once a node, and whatever happens to the file of them, a trial sees the same pixels."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from spaces.errors import BadInput
from tests.support import tiny_trials
from tests.trainables.data.test_decoding import SMALL, noise
from trainables.activations import folder
from trainables.data import decoded
from trainables.data.decoded import Images
from trainables.data.images import decode
from trainables.data.samples import Examples, content_hash
from trainables.loop import train
from trainables.run import build

ROOT = Path(__file__).parents[3]
COUNT = 150  # more than are decoded at once
ALL = torch.arange(COUNT)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of an empty cache, which a process looks into after its first batch."""
    monkeypatch.setenv(folder.SWITCH, str(tmp_path / "cache"))
    monkeypatch.setattr(decoded, "ALONE", 0.0)
    return tmp_path / "cache" / "thawline" / "activations"


def files(place: Path) -> tuple[Path, ...]:
    place.mkdir(exist_ok=True)
    paths = tuple(place / f"{index}.png" for index in range(COUNT))
    for index, path in enumerate(paths):
        Image.fromarray(noise(12, 10, seed=index)).save(path)
    return paths


def read(paths: tuple[Path, ...]) -> Examples:
    ids = tuple(path.name for path in paths)
    return Examples(paths, (0,) * len(paths), ids, contents=tuple(map(content_hash, paths)))


@pytest.fixture
def examples(tmp_path: Path) -> Examples:
    return read(files(tmp_path / "images"))


def whole(examples: Examples) -> torch.Tensor:
    return decode(examples.inputs, SMALL)


def used(examples: Examples, **options: int) -> Images:
    """Return the images after a first batch, which every process decodes by itself."""
    images = Images(examples, SMALL, **options)
    images[torch.tensor([3, 1])]
    return images


def kept() -> list[dict[str, object]]:
    return [entry.about for entry in folder.entries()]


def test_a_later_process_reads_what_the_first_one_decoded(examples: Examples) -> None:
    pixels, later = whole(examples), used(examples)
    assert torch.equal(used(examples)[ALL], pixels)
    assert kept() == [{"decoded": "images", "image_size": 8, "samples": COUNT}]
    for path in examples.inputs:
        path.unlink()
    for rows in ([5, 2, 5], [149], [3, 1, 0]):
        assert torch.equal(later[torch.tensor(rows)], pixels[rows])


@pytest.mark.parametrize("budget", [0, 2**30])
def test_what_a_batch_is_used_for_changes_neither_the_file_nor_the_next_batch(examples: Examples, budget: int) -> None:
    images = used(examples, budget_bytes=budget)
    images[ALL].zero_()
    assert images._file is not None
    images._file._data[0][:2].zero_()  # even the map is this process's own
    assert torch.equal(used(examples)[ALL], whole(examples))


def test_what_is_decoded_in_no_time_is_not_kept(examples: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded, "ALONE", 100.0)
    images = used(examples)
    assert torch.equal(images[ALL], whole(examples))
    assert kept() == []


def test_the_scale_of_the_channels_is_no_matter_and_the_cut_is(examples: Examples) -> None:
    for preprocessing in (SMALL, replace(SMALL, mean=(0.0, 0.0, 0.0)), SMALL.at(9), replace(SMALL, resize=9)):
        images = Images(examples, preprocessing)
        for _ in range(2):
            assert torch.equal(images[ALL], decode(examples.inputs, preprocessing))
            images._decoded[0] = False  # something is left to decode
    assert len(kept()) == 3


def test_an_image_that_is_another_one_at_the_next_reading_has_another_file(examples: Examples) -> None:
    used(examples)[ALL]
    Image.fromarray(noise(12, 10, seed=999)).save(examples.inputs[7])
    again = read(examples.inputs)
    assert torch.equal(used(again)[ALL], whole(again))
    assert len(kept()) == 2


def test_images_that_changed_since_they_were_read_are_not_kept(examples: Examples) -> None:
    Image.fromarray(noise(12, 10, seed=999)).save(examples.inputs[140])
    assert torch.equal(used(examples)[ALL], whole(examples))
    assert kept() == []
    assert list(folder.unfinished(folder.location())) == []


def test_an_image_that_cannot_be_read_is_the_error_of_who_asks_for_it(examples: Examples) -> None:
    images = used(examples)
    examples.inputs[140].unlink()
    assert torch.equal(images[ALL[:100]], decode(examples.inputs[:100], SMALL))
    with pytest.raises(FileNotFoundError, match=r"140\.png"):
        images[ALL]


@pytest.mark.parametrize("harm", ["flipped", "cut short", "gone"])
def test_a_file_that_is_not_as_it_was_written_is_written_anew(examples: Examples, cache: Path, harm: str) -> None:
    used(examples)[ALL]
    (entry,) = folder.entries()
    file = entry.folder / "0"
    content = file.read_bytes()
    match harm:
        case "flipped":
            file.write_bytes(content[:5] + bytes([content[5] ^ 1]) + content[6:])
        case "cut short":
            file.write_bytes(content[:-3])
        case "gone":
            file.unlink()
    assert torch.equal(used(examples)[ALL], whole(examples))
    assert file.read_bytes() == content


def full(_handle: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("why", ["off", "full", "not writable", "too small"])
def test_without_the_cache_every_process_decodes(
    examples: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    match why:
        case "off":
            monkeypatch.setenv(folder.SWITCH, "off")
        case "full":
            monkeypatch.setattr("os.fsync", full)
        case "not writable":
            (tmp_path / "cache").touch()
        case "too small":
            monkeypatch.setenv(folder.LIMIT, str(COUNT * 3 * 64 / 2 / 1e9))
    for budget in (0, 2**30):
        images = used(examples, budget_bytes=budget)
        assert torch.equal(images[ALL], whole(examples))
        assert images._file is None
    assert kept() == []
    assert why != "full" or list(folder.unfinished(folder.location())) == []


def test_a_room_that_is_no_number_is_told(examples: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(folder.LIMIT, "much")
    with pytest.raises(BadInput, match="THAWLINE_CACHE_GB"):
        used(examples)[ALL]


def process(images: Path, more: str) -> subprocess.Popen[str]:
    """Start a process that reads ``images``, counts what it decodes, and runs ``more``."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom tests.trainables.data.test_decoded import *\n"
        "decoded.ALONE, whole_of, done = 0.0, decoded.decode, []\n"
        "def counted(inputs, how):\n    done.append(len(inputs))\n    return whole_of(inputs, how)\n"
        f"decoded.decode = counted\nplace = Path({str(images)!r})\n"
        f"examples = read(tuple(place / f'{{index}}.png' for index in range(COUNT)))\n{more}"
    )
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)


TOGETHER = (
    "print('ready', flush=True)\nwhile not (place.parent / 'go').exists():\n    time.sleep(0.01)\n"
    "total = used(examples)[ALL].sum().item()\nprint(sum(done), total)"
)


@pytest.mark.slow
def test_of_two_processes_that_begin_together_one_decodes(examples: Examples, tmp_path: Path) -> None:
    both = [process(tmp_path / "images", TOGETHER) for _ in range(2)]
    for each in both:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    (tmp_path / "go").touch()
    told = sorted((each.communicate(timeout=120)[0].split() for each in both), key=lambda pair: int(pair[0]))
    total = str(whole(examples).sum().item())
    assert told == [["2", total], [str(2 + COUNT), total]]


def test_a_process_killed_while_it_writes_leaves_nothing_that_anybody_reads(examples: Examples, tmp_path: Path) -> None:
    hang = (
        "def hangs(inputs, preprocessing):\n    if done and done[-1] == decoded.AT_ONCE:\n"
        "        print('here', flush=True)\n        time.sleep(600)\n    return counted(inputs, preprocessing)\n"
        "decoded.decode = hangs\nused(examples)[ALL]"
    )
    killed = process(tmp_path / "images", hang)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "here\n"
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    place = folder.location()
    assert len(list(folder.unfinished(place))) == 1
    assert kept() == []
    assert torch.equal(used(examples)[ALL], whole(examples))
    assert list(folder.unfinished(place)) == []
    assert len(kept()) == 1


def test_a_trial_reads_the_same_and_decodes_only_the_splits_it_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_trials.images(tmp_path)
    monkeypatch.setattr("trainables.run._PREPARED", {})
    one = [(epoch.train_loss, epoch.val_loss) for epoch in train(build(config))]
    assert {about["samples"] for about in kept()} == {tiny_trials.TRAIN, tiny_trials.VAL} - {tiny_trials.TEST}
    monkeypatch.setenv(folder.SWITCH, "off")
    monkeypatch.setattr("trainables.run._PREPARED", {})
    assert [(epoch.train_loss, epoch.val_loss) for epoch in train(build(config))] == one

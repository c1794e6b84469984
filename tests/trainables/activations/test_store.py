"""What is read is what was written, whatever happens to the processes that write."""

from __future__ import annotations

import errno
import signal
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainables.activations.recorded import FORM, SAMPLES, fill, process, read, values
from trainables.activations import folder
from trainables.activations.files import Form, Kept, Meta, Unavailable, Writer
from trainables.activations.store import Store

CPU = torch.device("cpu")


@pytest.fixture
def store(cache: Path) -> Store:
    return Store(cache, limit=10**6, patience=0.5)


def built(store: Store, key: str = "k", size: int = 100, seconds: float = 1.0) -> bool:
    return store.open_or_build(key, size, seconds, fill)[1]


def test_the_second_trial_reads_what_the_first_one_wrote(store: Store) -> None:
    assert built(store)
    assert not built(store)
    assert torch.equal(read(store), values())


def test_writing_into_what_was_read_changes_neither_the_file_nor_the_next_batch(store: Store) -> None:
    built(store)
    kept = store.open("k")
    rows = torch.tensor([2, 5, 2])
    kept.take(rows, None, CPU)["x"].fill_(-1)
    assert torch.equal(kept.take(rows, None, CPU)["x"], values()[rows])
    kept._data[0].fill_(-1)  # even the map itself is this process's own
    assert torch.equal(read(store), values())


def test_what_is_deleted_while_a_trial_reads_stays_readable_to_it(store: Store) -> None:
    built(store)
    kept = store.open("k")
    folder.clear(store.folder)
    assert torch.equal(kept.take(torch.arange(SAMPLES), None, CPU)["x"], values())
    assert store.open("k") is None


@settings(deadline=None, max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=9),
    side=st.sampled_from(["right", "left"]),
    dtype=st.sampled_from(["float32", "bfloat16", "float16", "int64", "bool"]),
    chosen=st.data(),
)
def test_texts_come_back_padded_to_their_batch_wherever_their_length_stands(
    tmp_path_factory: pytest.TempPathFactory, lengths, side, dtype, chosen
) -> None:
    path = tmp_path_factory.mktemp("kept")
    form = Form("x", dtype, dtype, (2,), (2, 1), ragged=True)  # (b, 2, length)
    values = torch.randint(0, 2, (len(lengths), 2, max(lengths))).to(getattr(torch, dtype))
    expected = torch.zeros_like(values)
    for row, length in enumerate(lengths):
        real = slice(0, length) if side == "right" else slice(max(lengths) - length, None)
        expected[row, :, real] = values[row, :, real]
    with Writer(path / "entry", (form,), side) as writer:
        writer.add({"x": values}, torch.tensor(lengths))
    kept = Kept(path / "entry", writer.meta({}, seconds=0.0))
    rows = torch.tensor(chosen.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=5)))
    width = max(lengths[row] for row in rows.tolist())
    cut = slice(0, width) if side == "right" else slice(max(lengths) - width, None)
    taken = kept.take(rows, width, CPU)["x"]
    assert taken.dtype == values.dtype
    assert torch.equal(taken, expected[rows][:, :, cut])
    assert kept.meta.bytes == 2 * sum(lengths) * values.element_size() + 8 * len(lengths)


def test_the_order_of_the_axes_in_memory_is_kept(tmp_path: Path) -> None:
    values = torch.randn(4, 3, 5, 6).contiguous(memory_format=torch.channels_last)
    with Writer(tmp_path / "entry", (Form("x", "float32", "float32", (5, 6, 3), (2, 3, 1)),), "right") as writer:
        writer.add({"x": values}, None)
    taken = Kept(tmp_path / "entry", writer.meta({}, seconds=0.0)).take(torch.arange(4), None, CPU)["x"]
    assert torch.equal(taken, values)
    assert taken.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("file", ["0", folder.META])
@pytest.mark.parametrize("harm", ["flipped", "cut short", "gone"])
def test_a_file_that_is_not_as_it_was_written_is_built_anew(store: Store, cache: Path, file: str, harm: str) -> None:
    built(store)
    path = cache / "k" / file
    content = path.read_bytes()
    match harm:
        case "flipped":
            path.write_bytes(content[:5] + bytes([content[5] ^ 1]) + content[6:])
        case "cut short":
            path.write_bytes(content[:-3])
        case "gone":
            path.unlink()
    assert read(store) is None
    assert built(store)
    assert torch.equal(read(store), values())
    assert [each.name for each in cache.iterdir() if each.name != folder.LOCKS] == ["k"]


HANGS = {
    "before the first byte": "def stop(path):\n    path.mkdir()\n    hang()",
    "in the middle of a file": (
        "def stop(path):\n    writer = module.Writer(path, (FORM,), 'right')\n"
        "    writer.add({'x': values()[:4]}, None)\n    writer._files['0'].flush()\n    hang()"
    ),
    "after the last file": "def stop(path):\n    fill(path)\n    hang()",
    "before the new name": "def stop(path):\n    Path.rename = lambda *_: hang()\n    return fill(path)",
}


@pytest.mark.parametrize("moment", HANGS)
def test_a_builder_killed_at_any_moment_leaves_nothing_that_anybody_reads(
    store: Store, cache: Path, moment: str
) -> None:
    body = "def hang():\n    print('here', flush=True)\n    time.sleep(600)\n"
    killed = process(cache, f"{body}{HANGS[moment]}\nstore.open_or_build('k', 100, 1.0, stop)")
    assert killed.stdout is not None
    assert killed.stdout.readline() == "here\n"
    assert len(list(folder.unfinished(cache))) == 1
    with pytest.raises(Unavailable, match=r"has not got on for 0\.5 s"):  # alive, but it hangs: the trial computes
        built(store)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert store.open("k") is None
    assert folder.entries(cache) == []
    assert built(store)
    assert torch.equal(read(store), values())
    assert list(folder.unfinished(cache)) == []


SLOW = (
    "def slow(path):\n    with open(path.parent.parent / 'builds', 'a') as log:\n        log.write('x')\n"
    "    time.sleep(1)\n    return fill(path)\n"
    "print('ready', flush=True)\n"
    "while not (store.folder.parent / 'go').exists():\n    time.sleep(0.01)\n"
    "kept, new = store.open_or_build('k', 100, 1.0, slow)\n"
    "print(new, read(store).sum().item(), flush=True)"
)


def test_of_two_that_come_at_once_one_builds_and_the_other_waits_and_reads(cache: Path) -> None:
    cache.mkdir(parents=True)
    both = [process(cache, SLOW) for _ in range(2)]
    for each in both:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    (cache.parent / "go").touch()
    told = sorted(each.communicate(timeout=120)[0].split() for each in both)
    total = str(values().sum().item())
    assert told == [["False", total], ["True", total]]
    assert (cache.parent / "builds").read_text() == "x"


NEEDS_MORE = (
    "def first(path):\n    path.mkdir()\n    with open(path / '0', 'wb', buffering=0) as file:\n"
    "        for _ in range(30):\n            file.write(b'x')\n            time.sleep(0.05)\n"
    "    (path / '0').unlink()\n    path.rmdir()\n    return fill(path)\n"
    "def both(path):\n    path.mkdir()\n    print('here', flush=True)\n"
    "    store.open_or_build('images', 100, 1.0, first)\n    path.rmdir()\n    return fill(path)\n"
    "store.open_or_build('k', 100, 1.0, both)"
)


def test_a_builder_that_first_writes_what_it_needs_gets_on(store: Store, cache: Path) -> None:
    other = process(cache, NEEDS_MORE)
    assert other.stdout is not None
    assert other.stdout.readline() == "here\n"
    assert not built(store)  # waited for three times as long as one that does nothing is
    assert other.wait() == 0


def test_a_builder_that_fails_leaves_nothing_and_its_error_is_its_own(store: Store, cache: Path) -> None:
    def fails(path: Path) -> Meta:
        fill(path)
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        store.open_or_build("k", 100, 1.0, fails)
    assert list(folder.unfinished(cache)) == []
    assert built(store)


def test_a_full_disk_is_a_reason_and_leaves_nothing(store: Store, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(Unavailable, match="cannot be written: No space left on device"):
            built(store)
    assert list(folder.unfinished(cache)) == []
    assert built(store)


def test_a_folder_that_cannot_be_made_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot be written"):
        built(Store(tmp_path / "file" / "cache", 10**6))


def test_a_batch_of_another_shape_or_type_is_refused(tmp_path: Path) -> None:
    for number, wrong in enumerate((torch.zeros(2, 4), torch.zeros(2, 3, dtype=torch.float64))):
        writer = Writer(tmp_path / str(number), (FORM,), "right")
        with pytest.raises(Unavailable, match="x "):
            writer.add({"x": wrong}, None)


@pytest.mark.parametrize(("kept", "gap"), [("float16", 5e-4), ("bfloat16", 4e-3)])
def test_stored_in_half_the_bytes_it_comes_back_in_its_own_type(tmp_path: Path, kept: str, gap: float) -> None:
    values = torch.randn(20, 3)
    with Writer(tmp_path / "entry", (Form("x", "float32", kept, (3,), (1,)),), "right") as writer:
        writer.add({"x": values}, None)
    taken = Kept(tmp_path / "entry", writer.meta({}, seconds=0.0)).take(torch.arange(20), None, CPU)["x"]
    assert taken.dtype == torch.float32
    assert 0 < float(((taken - values) / values).abs().max()) <= gap
    assert writer.bytes == 2 * values.numel()


def test_what_half_precision_cannot_hold_is_refused(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "entry", (Form("x", "float32", "float16", (3,), (1,)),), "right")
    with pytest.raises(Unavailable, match="too large for float16"):
        writer.add({"x": torch.full((2, 3), 1e5)}, None)


def test_a_checksum_is_computed_once_while_a_file_stays_as_it_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    built(store)
    store.open("k")
    monkeypatch.setattr("trainables.activations.store.xxhash", None)
    before = time.time()
    assert torch.equal(read(store), values())
    assert folder.entries(store.folder)[0].used >= before - 1
    assert store.open("k").meta.samples == SAMPLES

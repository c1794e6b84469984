"""Images become what the network's own preprocessing would make of them, and are decoded once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms._presets import ImageClassification

from trainables.data.decoded import Images
from trainables.data.images import Preprocessing, decode, normalise
from trainables.data.samples import Examples

SMALL = Preprocessing(image_size=8, resize=10, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5))


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def write(folder: Path, count: int, size: tuple[int, int] = (31, 20)) -> tuple[Path, ...]:
    paths = tuple(folder / f"{index}.png" for index in range(count))
    for index, path in enumerate(paths):
        Image.fromarray(noise(*size, seed=index)).save(path)
    return paths


def of(inputs: tuple[object, ...]) -> Examples:
    return Examples(inputs, (0,) * len(inputs), tuple(str(i) for i in range(len(inputs))))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(31, 20), (20, 31), (9, 9), (8, 8)])
def test_a_file_is_cut_exactly_as_torchvision_cuts_it(tmp_path: Path, interpolation, size: tuple[int, int]) -> None:
    (path,) = write(tmp_path, 1, size)
    preprocessing = Preprocessing(8, 10, SMALL.mean, SMALL.std, interpolation)
    reference = ImageClassification(
        crop_size=8, resize_size=10, mean=SMALL.mean, std=SMALL.std, interpolation=InterpolationMode(interpolation)
    )
    ours = normalise(decode([path], preprocessing), preprocessing)[0]
    assert torch.allclose(ours, reference(Image.open(path)), atol=1e-6)


def test_an_array_of_the_right_size_passes_bit_by_bit() -> None:
    arrays = [noise(8, 8, seed=seed) for seed in range(3)]
    decoded = decode(arrays, SMALL)
    assert decoded.dtype == torch.uint8
    assert (decoded.permute(0, 2, 3, 1).numpy() == np.stack(arrays)).all()


def test_one_channel_is_repeated() -> None:
    grey = noise(8, 8, 1)
    assert (decode([grey], SMALL)[0].numpy() == grey[..., 0]).all()
    resized = decode([noise(16, 12, 1)], SMALL)[0]
    assert resized.shape == (3, 8, 8)
    assert (resized[0] == resized[1]).all()


def test_an_array_of_another_size_is_resized_like_a_file(tmp_path: Path) -> None:
    (path,) = write(tmp_path, 1)
    assert (decode([noise(31, 20)], SMALL) == decode([path], SMALL)).all()


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    decoded = decode([tmp_path / "deep.png"], Preprocessing(8, 8, SMALL.mean, SMALL.std))[0, 0]
    assert np.abs(decoded.numpy() - values / 257).max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK", "LA"])
def test_every_colour_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("image.tiff" if mode == "CMYK" else "image.png")
    Image.fromarray(noise(9, 12)).convert(mode).save(path)
    assert decode([path], SMALL).shape == (1, 3, 8, 8)


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    picture = np.zeros((8, 8, 3), dtype=np.uint8)
    picture[0] = 255
    turned = Image.Exif()
    turned[0x0112] = 3  # lies upside down
    Image.fromarray(picture).save(tmp_path / "photo.png", exif=turned)
    decoded = decode([tmp_path / "photo.png"], Preprocessing(8, 8, SMALL.mean, SMALL.std))[0]
    assert (decoded[:, -1] == 255).all()
    assert (decoded[:, 0] == 0).all()


@pytest.mark.parametrize("budget", [0, 5 * 3 * 64 - 1, 5 * 3 * 64])
def test_a_batch_is_the_same_whether_kept_or_decoded_again(tmp_path: Path, budget: int) -> None:
    paths = write(tmp_path, 5)
    images = Images(of(paths), SMALL, budget_bytes=budget)
    whole = decode(paths, SMALL)
    for indices in ([3, 1], [1, 4, 3, 3], [0, 1, 2, 3, 4]):
        assert (images[torch.tensor(indices)] == whole[indices]).all()
    assert len(images) == 5


def test_what_fits_the_budget_is_decoded_once_and_only_when_asked_for(tmp_path: Path) -> None:
    paths = write(tmp_path, 3)
    kept, fleeting = Images(of(paths), SMALL), Images(of(paths), SMALL, budget_bytes=0)
    first = kept[torch.tensor([0, 1])]
    fleeting[torch.tensor([0, 1])]
    for path in paths:
        path.unlink()
    assert (kept[torch.tensor([0, 1])] == first).all()
    with pytest.raises(FileNotFoundError):
        kept[torch.tensor([2])]
    with pytest.raises(FileNotFoundError):
        fleeting[torch.tensor([0])]


def test_changing_a_batch_does_not_change_what_is_kept(tmp_path: Path) -> None:
    images = Images(of(write(tmp_path, 2)), SMALL)
    batch = images[torch.tensor([0, 1])]
    before = batch.clone()
    batch.zero_()
    assert (images[torch.tensor([0, 1])] == before).all()


def test_preprocessing_survives_json_and_takes_another_size_in_proportion() -> None:
    assert Preprocessing.from_json(json.loads(json.dumps(SMALL.to_json()))) == SMALL
    usual = Preprocessing(224, 256, SMALL.mean, SMALL.std)
    assert usual.at(None) == usual
    assert (usual.at(160).image_size, usual.at(160).resize) == (160, 183)


def test_a_crop_larger_than_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="resize must be at least image_size"):
        Preprocessing(32, 24, SMALL.mean, SMALL.std)

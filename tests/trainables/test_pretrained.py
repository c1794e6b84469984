"""A trial starts from the same network to the bit, whichever trials its process has seen before."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision.models as zoo
from torch import nn

from tests.support import tiny_trials
from tests.support.tiny_trials import FULL, PROBE, TOP
from trainables import pretrained
from trainables.config import TrialConfig
from trainables.finetuning.certificate import digest
from trainables.loop import train
from trainables.models import catalogue
from trainables.models.model import Model
from trainables.pretrained import Start, started
from trainables.run import build

ROOT = Path(__file__).parents[2]
ANEW = TOP | {"reinit": "top", "reinit_blocks": 1}
SCRATCH = FULL | {"reinit": "all"}


def images(folder: Path, **values: object) -> TrialConfig:
    """Return a trial on a squeezenet whose weights lie in a file."""
    torch.manual_seed(3)
    torch.save(zoo.squeezenet1_1(weights=None).state_dict(), folder / "weights.pth")
    config = tiny_trials.images(folder, counts=(12, 6, 6), **values)
    data = config.data.model_copy(update={"image_size": 32})
    changes = {"model": "torchvision:squeezenet1_1", "weights": str(folder / "weights.pth"), "data": data, "epochs": 1}
    return config.model_copy(update=changes)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "_KEPT", {})


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the weights of every network that is built rather than copied, in order."""
    made: list[str] = []
    whole = catalogue.build

    def noted(spec: str, **given: object) -> Model:
        made.append(str(given["weights"]))
        return whole(spec, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(catalogue, "build", noted)
    return made


def outcome(config: TrialConfig) -> str:
    """Train, and return the hash of every weight and the losses, to the last bit."""
    run = build(config)
    losses = [(epoch.train_loss, epoch.val_loss, epoch.score) for epoch in train(run)]
    return f"{digest(run.network.state_dict().items())} {losses} {torch.random.get_rng_state().sum()}"


def in_a_fresh_process(config: TrialConfig) -> str:
    code = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from tests.trainables.test_pretrained import TrialConfig, outcome\n"
        "print(outcome(TrialConfig.model_validate_json(sys.argv[1])))"
    )
    given = [sys.executable, "-c", code, config.model_dump_json()]
    return subprocess.run(given, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("write", "strategy"),
    [(images, ANEW), (tiny_trials.texts, FULL), pytest.param(tiny_trials.texts, PROBE, marks=pytest.mark.slow)],
)
def test_the_fifth_trial_of_a_worker_is_the_first_one_of_another(
    tmp_path: Path, write: Callable[..., TrialConfig], strategy
) -> None:
    config = write(tmp_path, strategy=strategy)
    list(train(build(config.model_copy(update={"strategy": FULL}))))
    for changes in ({"strategy": SCRATCH}, {"seed": 1}):
        build(config.model_copy(update=changes))
    read, copied = outcome(config), outcome(config)
    assert read == copied == in_a_fresh_process(config)


@pytest.mark.parametrize("write", [images, tiny_trials.texts])
def test_trials_of_a_seed_read_the_weights_once(
    tmp_path: Path, write: Callable[..., TrialConfig], built: list[str]
) -> None:
    config = write(tmp_path)
    for strategy in (FULL, PROBE, ANEW, FULL):
        build(config.model_copy(update={"strategy": strategy}))
    assert built == [config.weights, "none"]  # the second for what starts anew
    build(config.model_copy(update={"seed": 1}))
    assert built == [config.weights, "none", config.weights]
    assert len(pretrained._KEPT) == 1
    pretrained.forget()
    build(config)
    assert built == [config.weights, "none", config.weights, config.weights]


def test_weights_that_change_are_read_again(tmp_path: Path) -> None:
    config = images(tmp_path)
    first = build(config).network.features[0].weight
    torch.manual_seed(4)
    file = tmp_path / "weights.pth"
    before = file.stat()
    torch.save(zoo.squeezenet1_1(weights=None).state_dict(), file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert file.stat().st_size == before.st_size
    changed = build(config).network.features[0].weight
    assert torch.equal(changed, torch.load(file, weights_only=True)["features.0.weight"])
    assert not torch.equal(first, changed)


def test_a_folder_of_transformers_that_changes_is_read_again(tmp_path: Path, built: list[str]) -> None:
    config = tiny_trials.texts(tmp_path)
    folder = Path(config.model.partition(":")[2])
    build(config)
    (folder / "tokenizer_config.json").touch()
    build(config)
    assert built == ["default", "default"]


def test_what_a_trial_does_to_its_network_no_other_one_sees(tmp_path: Path) -> None:
    config = images(tmp_path)
    first = build(config)
    start = digest(first.network.state_dict().items())
    with torch.no_grad():
        for tensor in (*first.network.parameters(), *first.network.buffers()):
            tensor.add_(1)
    first.network.features[0] = nn.Identity()
    first.network.train = None  # type: ignore[assignment]
    second = build(config)
    assert digest(second.network.state_dict().items()) == start
    assert isinstance(second.network.features[0], nn.Conv2d)
    assert second.network.train is not None


def test_a_function_of_one_s_own_is_called_for_every_trial(tmp_path: Path, built: list[str]) -> None:
    """It may draw as it likes, and count its calls."""
    config = tiny_trials.images(tmp_path)
    build(config)
    build(config)
    assert built == ["default", "default"]
    assert pretrained._KEPT == {}


def test_a_network_that_cannot_be_copied_is_built_every_time() -> None:
    made: list[nn.Module] = []

    def make() -> Start:
        network = nn.Linear(2, 2)
        network.computed = network.weight * 2  # type: ignore[assignment]  # as torch's older weight norm keeps it
        made.append(network)
        return Start(Model(network, head=()), ())

    assert [started("key", make).model.network for _ in range(2)] == made
    assert len(made) == 2
    assert pretrained._KEPT == {}

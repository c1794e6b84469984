"""From plain data to everything built: network, blocks, plan, optimiser, and random numbers of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from spaces.errors import BadInput
from tests.support import tiny_trials
from tests.support.tiny_trials import BLOCKS, FULL, PROBE, TOP, TRAIN
from trainables.network.blocks import depth
from trainables.run import build

ROOT = Path(__file__).parents[2]
SCRATCH = FULL | {"reinit": "all"}
ANEW = TOP | {"reinit": "top", "reinit_blocks": 1}


@pytest.mark.parametrize("write", [tiny_trials.images, tiny_trials.texts], ids=["images", "texts"])
def test_a_run_is_cut_into_its_blocks_and_planned_for_them(tmp_path: Path, write) -> None:
    run = build(write(tmp_path, strategy=TOP))
    assert depth(run.blocks) == BLOCKS
    assert set(run.plan.trainable) == {*run.blocks[-2].parameters, *run.blocks[-1].parameters}
    trains = {name for name, parameter in run.network.named_parameters() if parameter.requires_grad}
    assert trains == set(run.plan.trainable)


def test_the_facts_count_parameters(tmp_path: Path) -> None:
    config = tiny_trials.images(tmp_path)
    full, probe = build(config).facts, build(config.model_copy(update={"strategy": PROBE})).facts
    assert full["trainable_params"] == full["total_params"] == probe["total_params"]
    assert probe["trainable_params"] == 6 * 3 + 3


def test_a_depth_beyond_the_network_is_full(tmp_path: Path) -> None:
    config = tiny_trials.images(tmp_path)
    deep = config.model_copy(update={"strategy": TOP | {"unfrozen_depth": 99}})
    assert build(deep).plan == build(config).plan


def test_the_backbone_starts_as_it_was_pretrained_and_the_head_anew(tmp_path: Path) -> None:
    config = tiny_trials.images(tmp_path)
    states = [build(config.model_copy(update={"seed": seed})).network.state_dict() for seed in (0, 1)]
    differing = {name for name, tensor in states[0].items() if not torch.equal(tensor, states[1][name])}
    assert differing == {"fc.weight", "fc.bias"}


@pytest.mark.parametrize(("strategy", "parts"), [(ANEW, ("units.2.",)), (SCRATCH, ("stem.", "units."))])
def test_what_starts_anew_differs_from_what_was_pretrained(tmp_path: Path, strategy, parts: tuple[str, ...]) -> None:
    config = tiny_trials.images(tmp_path, strategy=strategy)
    plain = {name: tensor.clone() for name, tensor in build(tiny_trials.images(tmp_path)).network.named_parameters()}
    differing = {
        name for name, tensor in build(config).network.named_parameters() if not torch.equal(tensor, plain[name])
    }
    convolutions = {name for name in plain if name.startswith(parts) and "norm" not in name}
    assert differing == convolutions  # norms start at 1 and 0 in any case, the head from the same seed


def test_a_function_that_cannot_start_anew_is_refused(tmp_path: Path) -> None:
    same = "\n\ndef same():\n    torch.manual_seed(0)\n    return Net()\n"
    config = tiny_trials.of_function(tiny_trials.images(tmp_path, same, strategy=SCRATCH), "same")
    with pytest.raises(BadInput, match="built the same weights twice"):
        build(config)


def test_what_the_network_itself_keeps_fixed_stays_fixed(tmp_path: Path) -> None:
    fixed = "\n\ndef fixed():\n    net = Net()\n    net.stem.weight.requires_grad_(False)\n    return net\n"
    run = build(tiny_trials.of_function(tiny_trials.images(tmp_path, fixed), "fixed"))
    assert run.plan.frozen == ("stem.weight",)
    assert not run.network.get_parameter("stem.weight").requires_grad


def test_the_random_numbers_of_training_do_not_depend_on_what_construction_drew(tmp_path: Path) -> None:
    config = tiny_trials.images(tmp_path)
    states = []
    for strategy in (PROBE, FULL, SCRATCH):
        build(config.model_copy(update={"strategy": strategy}))
        states.append(torch.random.get_rng_state())
    assert torch.equal(states[0], states[1])
    assert torch.equal(states[0], states[2])


def test_a_network_of_one_layer_and_a_head_is_refused(tmp_path: Path) -> None:
    flat = """

class Flat(nn.Sequential):
    preprocessing = {"image_size": 16}


def flat():
    return Flat(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(784, 2))
"""
    with pytest.raises(BadInput, match="model: has a single layer before its head"):
        build(tiny_trials.of_function(tiny_trials.images(tmp_path, flat), "flat"))


def test_a_part_holds_inputs_labels_and_ids_of_its_split(tmp_path: Path) -> None:
    run = build(tiny_trials.images(tmp_path))
    part = run.part("train")
    assert part.labels.dtype == torch.int64
    assert part.labels.tolist() == list(run.dataset.train.labels)
    assert part.ids == run.dataset.train.ids
    batch = part.inputs.batch(torch.tensor([0, TRAIN - 1]), run.device)
    assert (batch.shape, batch.dtype) == ((2, 3, 16, 16), torch.float32)
    assert run.part("train").inputs is part.inputs  # decoded once


def test_the_tokens_of_a_text_are_those_of_its_tokenizer(tmp_path: Path) -> None:
    run = build(tiny_trials.texts(tmp_path))
    batch = run.part("train").inputs.batch(torch.tensor([0]), run.device)
    words = run.model.tokenizer.convert_ids_to_tokens(batch["input_ids"][0])
    assert words[:4] == ["[CLS]", "a", "good", "film"]
    assert words[-1] == "[SEP]"
    assert batch["attention_mask"].all()


def test_a_trial_that_deals_anew_trains_on_other_samples_and_keeps_the_test_set(tmp_path: Path) -> None:
    config = tiny_trials.images(tmp_path)
    plain, *dealt = (
        build(config.model_copy(update=changes))
        for changes in ({}, {"resplit": True, "seed": 1}, {"resplit": True, "seed": 2}, {"resplit": True, "seed": 1})
    )
    assert dealt[0].dataset.hash == dealt[2].dataset.hash
    assert len({run.dataset.hash for run in (plain, *dealt)}) == 3
    for run in (*dealt, plain):
        for split in ("train", "val", "test"):
            part, examples = run.part(split), run.dataset.split(split)
            assert part.ids == examples.ids
            assert part.labels.tolist() == list(examples.labels)
            indices = torch.arange(len(examples))
            prepared = run.task.inputs(examples, run.model, run.config.data)
            assert torch.equal(part.inputs.batch(indices, run.device), prepared.batch(indices, run.device))
        assert run.part("test").ids == plain.part("test").ids


def test_a_trial_on_images_never_imports_transformers(tmp_path: Path) -> None:
    """It would cost a worker seconds, and hundreds of megabytes."""
    config = tiny_trials.images(tmp_path, strategy=PROBE, epochs=1)
    code = (
        "import sys\nfrom trainables.config import TrialConfig\nfrom trainables.loop import train\n"
        "from trainables.run import build\nlist(train(build(TrialConfig.model_validate_json(sys.argv[1]))))\n"
        "print('transformers' in sys.modules)"
    )
    given = [sys.executable, "-c", code, config.model_dump_json()]
    done = subprocess.run(given, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"

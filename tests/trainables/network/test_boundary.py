"""Running a network from a boundary gives what running all of it gives, or the boundary is refused."""

from __future__ import annotations

import copy
import dataclasses
import math

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from tests.trainables.network.cut_networks import (
    FAST,
    SLOW,
    Cut,
    by_hand,
    image_logits,
    of_torchvision,
    of_transformers,
)
from trainables.network.boundary import Refused, plan_boundaries, plan_boundary
from trainables.network.recording import Boundary, error, finish, record, replay, tail


def exact(made: Cut, plan: Boundary) -> bool:
    """Tell whether a replay of the third batch gives the whole forward's logits, in their own order of magnitude."""
    made.network.eval()
    with torch.no_grad():
        whole = made.forward(made.network, made.third)
    return error(made.network, plan, made.forward, made.third) <= 1e-6 * float(whole.abs().max())


def exact_everywhere(made: Cut) -> None:
    plans = plan_boundaries(made.network, made.blocks, made.forward, made.probes)
    assert len(plans) == len(made.blocks) - 1
    assert [plan for plan in plans if isinstance(plan, Refused)] == []
    assert all(plan.bytes_per_sample > 0 for plan in plans)
    assert [plan.block for plan in plans if not exact(made, plan)] == []


@pytest.mark.parametrize("name", FAST)
def test_a_replay_is_exact_at_every_boundary(name):
    exact_everywhere(FAST[name]())


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_a_replay_is_exact_at_every_boundary_of_a_larger_network(name):
    exact_everywhere(SLOW[name]())


@pytest.mark.slow
def test_in_the_middle_of_a_dense_block_every_earlier_feature_map_is_stored():
    made = of_torchvision("densenet121")
    layers = [f"features.denseblock2.denselayer{number}" for number in (3, 6)]
    blocks = by_hand(made.network, [*layers, "classifier"])
    stored = []
    for index in (1, 2, 3):
        plan = planned(Cut(made.network, blocks, made.forward, made.probes, made.third), index)
        assert exact(made, plan)
        stored.append(len(plan.stored))
    assert stored == [3, 6, 1]


def planned(made: Cut, index: int, **options: object) -> Boundary:
    plan = plan_boundary(made.network, made.blocks, index, made.forward, made.probes, **options)
    assert isinstance(plan, Boundary), plan
    return plan


def refusal(made: Cut, index: int, **options: object) -> str:
    plan = plan_boundary(made.network, made.blocks, index, made.forward, made.probes, **options)
    assert isinstance(plan, Refused), plan
    return plan.reason


# What is stored


@pytest.mark.parametrize(("name", "shape"), [("resnet18", (512,)), ("bert", (16,)), ("llama", (7, 16))])
def test_the_heads_boundary_stores_the_pooled_features_where_the_network_pools_before_it(name, shape):
    made = FAST[name]()
    plan = planned(made, len(made.blocks) - 1)
    assert [leaf.shape for leaf in plan.stored] == [shape]
    assert plan.bytes_per_sample == 4 * torch.Size(shape).numel()


def test_a_decoders_boundary_stores_the_encoders_states_too():
    made = FAST["t5"]()
    decoder = next(block for block in made.blocks if "decoder" in block.name)
    plan = planned(made, decoder.index + 1)
    assert [leaf.shape for leaf in plan.stored] == [(7, 16), (7, 16)]


def test_what_grows_with_the_length_squared_is_computed_anew():
    plan = planned(FAST["mpnet"](), 2)
    assert [call.module for call in plan.opened] == ["mpnet.encoder.relative_attention_bias"]
    assert [leaf.shape for leaf in plan.stored] == [(7, 16)]


def test_the_sample_comes_first_in_the_store_wherever_the_network_has_it():
    made = FAST["xlnet"]()  # length first
    plan = planned(made, 2)
    stored = record(made.network, plan, made.forward, made.third)
    assert {leaf.axis for leaf in plan.stored} == {1}
    assert {leaf.shape[0] for leaf in stored.values()} == {3}


def test_the_dropout_before_the_classifier_stays_on_the_trained_side():
    made = FAST["bert"]()
    plan = planned(made, len(made.blocks) - 1)
    assert plan.call.module == "dropout"


@pytest.mark.parametrize(
    ("name", "expected"), [("bert", ("dropout", "classifier")), ("resnet18", ("fc",)), ("distilbert", ())]
)
def test_the_head_alone_makes_the_result_where_nothing_else_lies_between(name, expected):
    made = FAST[name]()  # DistilBERT calls an activation that is no module
    plan = planned(made, len(made.blocks) - 1)
    made.network.eval()
    assert tail(made.network, plan, made.forward, made.third) == expected
    stored = record(made.network, plan, made.forward, made.third)
    if expected:
        (leaf,) = plan.stored
        with torch.no_grad():
            assert torch.equal(finish(made.network, expected, stored[leaf.key]), made.forward(made.network, made.third))
    assert tail(made.network, planned(made, 1), made.forward, made.third) == ()


def test_a_plan_survives_json():
    plan = planned(FAST["bart"](), 4)
    adapter = TypeAdapter(Boundary)
    again = adapter.validate_json(adapter.dump_json(plan))
    made = FAST["bart"]()
    assert again == plan
    assert exact(made, again)


# Negative controls


@pytest.mark.parametrize(("name", "index"), [("resnet18", 5), ("mobilenet_v2", 9), ("bert", 2), ("distilbert", 3)])
def test_the_result_comes_from_the_store_and_from_nothing_before_the_boundary(name, index):
    made = FAST[name]()
    plan = planned(made, index)
    made.network.eval()
    with torch.no_grad():
        whole = made.forward(made.network, made.third)
        stored = record(made.network, plan, made.forward, made.third)
        others = {key: leaf.roll(1, 0) for key, leaf in stored.items()}
        change = replay(made.network, plan, made.forward, made.third, others) - whole
        assert change.abs().max() > 0.1 * (whole.amax(0) - whole.amin(0)).max() > 0
        poisoned = [name for block in made.blocks[:index] for name in (*block.parameters, *block.buffers)]
        tensors = dict(made.network.named_parameters()) | dict(made.network.named_buffers())
        for tensor in (tensors[name] for name in poisoned):
            if tensor.is_floating_point():
                tensor.fill_(float("nan"))
        again = replay(made.network, plan, made.forward, made.third, stored)
    assert len(poisoned) > 3
    assert torch.equal(again, whole)


@pytest.mark.parametrize("name", ["resnet18", "bert", "t5"])
def test_a_tensor_missing_from_the_store_is_loud(name):
    made = FAST[name]()
    plan = dataclasses.replace(planned(made, 2), stored=())
    made.network.eval()
    assert math.isnan(error(made.network, plan, made.forward, made.third))


def test_a_replay_reads_no_image():
    made = FAST["resnet18"]()
    plan = planned(made, 4)
    made.network.eval()
    with torch.no_grad():
        whole = made.forward(made.network, made.third)
        stored = record(made.network, plan, made.forward, made.third)
        unread = torch.full_like(made.third, float("nan"))
        assert torch.equal(replay(made.network, plan, made.forward, unread, stored), whole)


# Training from the store


def gradients(made: Cut, plan: Boundary, *, from_store: bool) -> dict[str, torch.Tensor]:
    """Return the gradients and buffers after one step's backward in train mode, the prefix in eval."""
    network = made.network
    network.train()
    running = {plan.call.module.rpartition(".")[0], ""}
    running |= {name for name in dict(network.named_modules()) if plan.call.module.startswith(f"{name}.")}
    prefix = {name for block in made.blocks[: plan.index] for name in block.modules}
    for name, module in network.named_modules():
        if name in running | prefix:
            module.training = False
    trained = {name for block in made.blocks[plan.index :] for name in block.parameters}
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in trained)
    if from_store:
        stored = record(network, plan, made.forward, made.third)
        result = replay(network, plan, made.forward, made.third, stored)
    else:
        result = made.forward(network, made.third)
    nn.functional.cross_entropy(result, torch.arange(len(result)) % result.shape[1]).backward()
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None} | dict(
        network.named_buffers()
    )


NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("index", [1, 3])
def test_the_gradients_are_those_of_the_whole_network(index, checkpointing):
    made = of_transformers("bert", **NO_DROPOUT)
    plan = planned(made, index)
    whole = gradients(copy.deepcopy(made), plan, from_store=False)
    if checkpointing:
        made.network.activation_checkpointing_enable({"use_reentrant": False})
    replayed = gradients(made, plan, from_store=True)
    assert whole.keys() == replayed.keys()
    assert sum("layer" in name for name in whole) > 10
    largest = max(float(value.abs().max()) for name, value in whole.items() if value.is_floating_point())
    assert largest > 0
    assert all(torch.allclose(whole[name], replayed[name], rtol=0, atol=1e-5 * largest) for name in whole)


def test_the_gradients_and_batch_statistics_of_a_convolutional_network_are_those_of_the_whole():
    made = of_torchvision("resnet18")
    plan = planned(made, 5)
    whole = gradients(copy.deepcopy(made), plan, from_store=False)
    replayed = gradients(made, plan, from_store=True)
    assert whole.keys() == replayed.keys()
    assert all(torch.equal(whole[name], replayed[name]) for name in whole)


# Refusals: networks that would be silently wrong


class Layered(nn.Module):
    """Two layers and a head; what happens between them is for the subclasses."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.head = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.first(x)))


class Skips(Layered):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        early = self.first(x)
        return self.head(self.second(early.relu()) + early)


class WritesInPlace(Layered):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.first(x).relu_()))


class Decides(Layered):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        early = self.first(x)
        later = self.second(early.relu())
        return self.head(later if early.abs().max() > 50 else -later)


class Compares(Layered):
    """The comparison makes False of NaN, so that NaN alone would not show it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        early = self.first(x)
        return self.head(self.second(early.relu()) * (1 - (early > 5).float().mean(1, keepdim=True)))


class MixesSamples(Layered):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        early = self.first(x)
        return self.head(self.second(early - early.mean(0)))


class Tied(Layered):
    """The head's weight is used before the second layer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.first(x) @ self.head.weight.T @ self.head.weight))


class Loops(Layered):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(len(x)):
            x = self.first(x)
        return self.head(self.second(x))


def layered(kind: type[Layered]) -> Cut:
    network = kind()
    batches = [torch.randn(count, 6, generator=torch.Generator().manual_seed(count)) for count in (3, 5, 4)]
    return Cut(network, by_hand(network, ["second", "head"]), image_logits, (batches[0], batches[1]), batches[2])


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Decides, "way depends on values"),
        (Compares, "way depends on values"),
        (MixesSamples, "depends on the other samples"),
        (Tied, "head.weight trains"),
        (Loops, "depending on the batch"),
    ],
)
def test_what_would_be_silently_wrong_is_refused_with_its_reason(kind, reason):
    assert reason in refusal(layered(kind), 1)


def test_a_tied_parameter_does_no_harm_where_it_is_frozen():
    made = layered(Tied)
    plan = planned(made, 1, trainable=["second.weight", "second.bias"])
    assert exact(made, plan)


def test_positions_that_train_and_feed_an_earlier_layer_are_refused():
    made = FAST["deberta-v2"]()
    reason = refusal(made, 2, trainable=["deberta.encoder.rel_embeddings.weight"])
    assert "deberta.encoder.rel_embeddings.weight trains" in reason


def test_a_network_that_starts_with_its_trained_part_is_refused():
    network = Layered()
    made = layered(Layered)
    made = Cut(network, by_hand(network, ["first", "head"]), made.forward, made.probes, made.third)
    assert "Nothing is finished" in refusal(made, 1)


@pytest.mark.parametrize(("kind", "stored"), [(Skips, ["first#0:"]), (WritesInPlace, [">0.0"])])
def test_a_skip_is_stored_once_and_a_write_in_place_gets_memory(kind, stored):
    made = layered(kind)
    plan = planned(made, 1)
    assert [leaf.key for leaf in plan.stored] == stored
    assert plan.dense == (kind is WritesInPlace)
    assert exact(made, plan)


# The network is left as it was


def state(network: nn.Module) -> list[object]:
    modules = [
        ("forward" in m.__dict__, m.training, len(m._forward_hooks), len(m._forward_pre_hooks))
        for m in network.modules()
    ]
    return [
        modules,
        [p.requires_grad for p in network.parameters()],
        {n: t.clone() for n, t in network.state_dict().items()},
    ]


def unchanged(before: list[object], after: list[object]) -> bool:
    return before[:2] == after[:2] and all(torch.equal(before[2][name], after[2][name]) for name in before[2])


@pytest.mark.parametrize("name", ["resnet18", "bert", "t5"])
def test_planning_leaves_the_network_as_it_was(name):
    made = FAST[name]()
    made.network.train()
    made.network.get_submodule(made.blocks[1].name).eval()
    next(made.network.parameters()).requires_grad_(False)
    before = state(made.network)
    assert isinstance(plan_boundary(made.network, made.blocks, 2, made.forward, made.probes), Boundary)
    assert unchanged(before, state(made.network))


def test_a_forward_that_raises_leaves_the_network_as_it_was():
    made = layered(Layered)
    plan = planned(made, 1)
    stored = record(made.network, plan, made.forward, made.third)
    own = made.network.second.forward
    made.network.second.forward = own  # set by somebody else on the instance
    before = state(made.network)

    def fails(network: nn.Module, batch: torch.Tensor) -> torch.Tensor:
        network(batch)
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        replay(made.network, plan, fails, made.third, stored)
    with pytest.raises(ArithmeticError):
        plan_boundary(made.network, made.blocks, 1, fails, made.probes)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        record(made.network, plan, made.forward, torch.zeros(2, 7))
    assert unchanged(before, state(made.network))
    assert made.network.second.forward is own

"""Reading pays where it is cheaper than computing, and the row says in numbers why."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from trainables.activations.worth import SPEEDS, Use, judge, operations

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
# MiniLM at 64 tokens, before its last layer: as stored in fp32.
MINILM = Use(1.1e9, 1.36e9, 98_304, samples=1000, batch_size=32, epochs=4, shared=True)


def test_a_transformer_s_layers_pay_and_the_reason_has_the_numbers() -> None:
    verdict = judge(MINILM, CPU, threads=1)
    assert verdict.pays
    assert verdict.reason == "saves 1.1 G of 1.36 G operations a sample and reads 98.3 k bytes"
    assert verdict.seconds == pytest.approx(1000 * 1.1e9 / SPEEDS["cpu"].operations)


@pytest.mark.parametrize(
    ("operations", "size"), [(1e3, 1e3), (2e5, 3e3), (2e7, 1e8)], ids=["tiny", "small", "large map"]
)
def test_what_is_computed_sooner_than_read_is_computed(operations: float, size: float) -> None:
    verdict = judge(replace(MINILM, operations=operations, bytes=size), CPU, threads=1)
    assert not verdict.pays
    assert verdict.reason.startswith("computing is cheaper than reading: it saves ")


def test_a_stem_s_large_map_pays_on_a_cpu_and_not_on_a_gpu() -> None:
    stem = replace(MINILM, operations=2.4e8, bytes=784_000)  # ResNet-18 at 224 px
    assert judge(stem, CPU, threads=1).pays
    assert not judge(stem, CUDA, threads=1).pays


def test_what_no_other_trial_shares_must_pay_within_this_one() -> None:
    assert not judge(replace(MINILM, shared=False, epochs=1), CPU, threads=1).pays
    assert judge(replace(MINILM, shared=False, epochs=4), CPU, threads=1).pays
    assert judge(replace(MINILM, shared=True, epochs=1), CPU, threads=1).pays


@given(st.floats(1, 1e12), st.floats(1, 1e9), st.integers(1, 64))
def test_more_operations_or_fewer_bytes_never_make_it_worse(operations: float, size: float, threads: int) -> None:
    use = replace(MINILM, operations=operations, bytes=size)
    if judge(use, CPU, threads).pays:
        assert judge(replace(use, operations=2 * operations), CPU, threads).pays
        assert judge(replace(use, bytes=size / 2), CPU, threads).pays


def test_attention_s_own_products_count_and_embeddings_do_not() -> None:
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.zeros(2, 5, 8)
    assert operations(attention, lambda: attention(x, x, x)) == 2 * (3 * 8 * 8 + 8 * 8) * 2 * 5
    table = nn.Embedding(10, 8)
    assert operations(table, lambda: table(torch.zeros(2, 5, dtype=torch.long))) == 0
    grouped = nn.Conv2d(4, 8, 3, groups=2, padding=1)
    assert operations(grouped, lambda: grouped(torch.zeros(3, 4, 6, 6))) == 2 * 8 * 2 * 9 * 3 * 36

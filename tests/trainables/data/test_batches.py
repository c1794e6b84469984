"""Batches of indices: each index once, the order a function of seed and epoch."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.data.loaders import batch_count, batches, in_order

COUNTS, SIZES = st.integers(0, 200), st.integers(1, 40)


@given(COUNTS, SIZES, st.none() | st.integers(0, 2**40), st.integers(0, 50))
def test_every_index_comes_once(count: int, size: int, seed: int | None, epoch: int) -> None:
    given_batches = list(batches(count, size, seed=seed, epoch=epoch))
    assert sorted(index for batch in given_batches for index in batch.tolist()) == list(range(count))
    assert len(given_batches) == batch_count(count, size)
    assert all(batch.dtype == torch.long for batch in given_batches)


@given(st.integers(2, 200), st.integers(2, 40))
def test_no_batch_holds_a_single_sample(count: int, size: int) -> None:
    lengths = [len(batch) for batch in batches(count, size, seed=0, epoch=0)]
    assert min(lengths) >= 2
    assert set(lengths[:-1]) <= {size}
    assert lengths[-1] <= size + 1


def test_batches_of_one_stay_batches_of_one() -> None:
    assert [len(batch) for batch in batches(3, 1, seed=0, epoch=0)] == [1, 1, 1]


LENGTHS = torch.randint(1, 60, (333,), generator=torch.Generator().manual_seed(0))


@given(COUNTS, SIZES, st.integers(0, 2**40), st.integers(0, 50))
def test_texts_of_a_length_come_together_and_each_once(count: int, size: int, seed: int, epoch: int) -> None:
    found = list(batches(count, size, seed=seed, epoch=epoch, lengths=LENGTHS[:count]))
    assert sorted(index for batch in found for index in batch.tolist()) == list(range(count))
    plain = list(batches(count, size, seed=seed, epoch=epoch))
    assert sorted(map(len, found)) == sorted(map(len, plain))  # as many steps of as many samples


def padded(found: list[torch.Tensor]) -> int:
    """Count the positions of the padded batches."""
    return sum(len(batch) * int(LENGTHS[batch].max()) for batch in found)


def test_batches_of_texts_hold_little_padding_in_an_order_that_says_nothing_of_their_length() -> None:
    found = list(batches(333, 8, seed=3, epoch=1, lengths=LENGTHS))
    assert padded(found) < 1.2 * int(LENGTHS.sum())
    assert padded(list(batches(333, 8, seed=3, epoch=1))) > 1.6 * int(LENGTHS.sum())
    longest = [int(LENGTHS[batch].max()) for batch in found]
    assert longest != sorted(longest)
    again = list(batches(333, 8, seed=3, epoch=1, lengths=LENGTHS))
    assert all(torch.equal(one, other) for one, other in zip(found, again, strict=True))
    other = list(batches(333, 8, seed=3, epoch=2, lengths=LENGTHS))
    assert {tuple(sorted(each.tolist())) for each in found} != {tuple(sorted(each.tolist())) for each in other}


def test_what_is_evaluated_comes_with_the_longest_texts_first() -> None:
    found = torch.cat(list(batches(333, 8, seed=None, epoch=0, lengths=LENGTHS)))
    assert LENGTHS[found].tolist() == sorted(LENGTHS.tolist(), reverse=True)
    assert torch.equal(found, in_order(333, LENGTHS))
    assert torch.equal(in_order(5, None), torch.arange(5))


def order(seed: int | None, epoch: int) -> list[int]:
    return torch.cat(list(batches(100, 8, seed=seed, epoch=epoch))).tolist()


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    assert order(1, 2) == order(1, 2)
    different = [order(1, 2), order(2, 1), order(1, 1), order(12, 0), order(None, 0)]
    assert len({tuple(each) for each in different}) == len(different)
    assert order(None, 5) == list(range(100))


def test_shuffling_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    order(3, 4)
    assert torch.equal(torch.get_rng_state(), before)

"""Batches of like lengths."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skspeech.training.buckets import MOST_PADDING, LengthBucketSampler

PROPERTY = settings(deadline=None, max_examples=100)

LENGTHS = st.lists(st.integers(1, 1000), min_size=1, max_size=200).map(np.array)
BATCH_SIZES = st.integers(1, 40)
SEEDS = st.integers(0, 2**31 - 1)


def padding_share(lengths, batches):
    read = sum(len(batch) * lengths[batch].max() for batch in batches)
    return 1 - lengths.sum() / read


# The sampler


@PROPERTY
@given(LENGTHS, BATCH_SIZES, SEEDS | st.none(), st.integers(1, 20))
def test_every_segment_once_an_epoch(lengths, batch_size, seed, pool_batches):
    sampler = LengthBucketSampler(lengths, batch_size, seed=seed, pool_batches=pool_batches)
    for _ in range(2):
        batches = list(sampler)
        assert len(batches) == len(sampler) == -(-len(lengths) // batch_size)
        assert all(0 < len(batch) <= batch_size for batch in batches)
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))


@PROPERTY
@given(LENGTHS, BATCH_SIZES)
def test_without_a_seed_longest_first(lengths, batch_size):
    sampler = LengthBucketSampler(lengths, batch_size)
    order = np.concatenate(list(sampler))
    assert np.all(np.diff(lengths[order]) <= 0)
    assert_array_equal(order, np.concatenate(list(sampler)), err_msg="the same each time")


@PROPERTY
@given(LENGTHS, BATCH_SIZES, SEEDS)
def test_same_seed_same_epochs(lengths, batch_size, seed):
    first, second = (LengthBucketSampler(lengths, batch_size, seed=seed) for _ in range(2))
    for _ in range(3):
        for batch, other in zip(first, second, strict=True):
            assert_array_equal(batch, other)


def test_epochs_and_seeds_differ():
    lengths = np.random.default_rng(0).integers(1, 100, 300)
    sampler = LengthBucketSampler(lengths, 8, seed=0)
    epochs = [np.concatenate(list(sampler)).tolist() for _ in range(3)]
    epochs.append(np.concatenate(list(LengthBucketSampler(lengths, 8, seed=1))).tolist())
    assert len({tuple(epoch) for epoch in epochs}) == 4
    sets = [{frozenset(b.tolist()) for b in sampler} for _ in range(2)]
    assert len(sets[0] & sets[1]) < len(sets[0]) / 2, "other segments meet in other epochs"


def test_batches_are_in_no_order_of_length():
    lengths = np.random.default_rng(0).integers(1, 1000, 1000)
    longest = [lengths[b].max() for b in LengthBucketSampler(lengths, 10, seed=0)]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.3


def test_like_lengths_go_together():
    rng = np.random.default_rng(0)
    lengths = rng.lognormal(5, 0.7, 2000).astype(int) + 1
    random_batches = np.array_split(rng.permutation(len(lengths)), len(lengths) // 32)
    ours = padding_share(lengths, list(LengthBucketSampler(lengths, 32, seed=0)))
    assert ours < padding_share(lengths, random_batches) / 3


def test_sampling_leaves_the_global_generators_alone():
    before = str(np.random.get_state()), torch.get_rng_state()  # noqa: NPY002
    list(LengthBucketSampler(np.arange(1, 50), 4, seed=0))
    assert str(np.random.get_state()) == before[0]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


# Batches of so many frames


@PROPERTY
@given(LENGTHS, st.integers(1, 20000), SEEDS | st.none(), st.integers(1, 20))
def test_batches_of_frames_hold_no_more_and_pad_little(lengths, batch_frames, seed, pool_batches):
    sampler = LengthBucketSampler(
        lengths, 32, batch_frames=batch_frames, seed=seed, pool_batches=pool_batches
    )
    for _ in range(2):
        n_batches, mean_size = len(sampler), sampler.mean_size
        batches = list(sampler)
        assert n_batches == len(batches)
        assert mean_size == len(lengths) / n_batches
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
        for batch in batches:
            assert len(batch) * lengths[batch].max() <= batch_frames or len(batch) == 1
            assert padding_share(lengths[batch], [np.arange(len(batch))]) < MOST_PADDING


def test_batches_of_frames_are_as_few_as_can_be():
    lengths = np.full(64, 300)
    assert len(LengthBucketSampler(lengths, 1, batch_frames=9600)) == 2
    assert len(LengthBucketSampler(lengths, 1, batch_frames=9599)) == 3


def test_padding_stays_small_on_lengths_of_utterances():
    # much of EmoDB's spread: 2.8 s on average, 9 s at most
    lengths = np.random.default_rng(0).lognormal(5.55, 0.4, 500).astype(int) + 1
    in_frames = list(LengthBucketSampler(lengths, 32, batch_frames=9600, seed=0))
    assert padding_share(lengths, in_frames) < MOST_PADDING
    assert np.mean([len(batch) for batch in in_frames]) > 8, "and batches are batches still"


def test_what_an_epoch_draws_is_asked_of_the_caller():
    def twice(rng):
        return np.repeat(np.arange(10), 2)

    sampler = LengthBucketSampler(np.arange(1, 11), 4, seed=0, draw=twice)
    for _ in range(2):
        assert len(sampler) == 5
        assert np.bincount(np.concatenate(list(sampler))).tolist() == [2] * 10


def test_a_single_run_differs_among_equal_lengths_only():
    sampler = LengthBucketSampler(np.arange(1, 100), 10, seed=0)
    first, second = ({frozenset(b.tolist()) for b in sampler} for _ in range(2))
    assert first == second
    equal = LengthBucketSampler(np.full(99, 7), 10, seed=0)
    first, second = ({frozenset(b.tolist()) for b in equal} for _ in range(2))
    assert first != second

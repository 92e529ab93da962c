"""Groups of recordings that share an exact run of samples, beside a search of all places."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skspeech.datasets import _overlaps
from skspeech.datasets._overlaps import overlap_groups

PROPERTY = settings(deadline=None, max_examples=150)


def noise(n, seed=0):
    return np.random.default_rng(seed).standard_normal(n).astype(np.float32)


def lively_runs(waveform, n):
    """Return the runs of n samples of which half or more differ from the one before."""
    runs = [tuple(waveform[i : i + n]) for i in range(len(waveform) - n + 1)]
    return {run for run in runs if 2 * sum(a != b for a, b in pairwise(run)) >= n}


def searched(waveforms, n):
    """Return the groups by comparing everything with everything."""
    runs = [lively_runs(waveform.tolist(), n) for waveform in waveforms]
    groups = list(range(len(waveforms)))
    for i in range(len(waveforms)):
        for j in range(i):
            if runs[i] & runs[j]:
                groups = [groups[j] if group == groups[i] else group for group in groups]
    return [sorted(set(groups), key=groups.index).index(group) for group in groups]


CLIPS = st.lists(st.lists(st.integers(-1, 1), max_size=14).map(np.float32), max_size=7)


@PROPERTY
@given(CLIPS, st.integers(2, 6))
def test_groups_are_those_of_a_search_of_all_places(clips, min_run):
    assert overlap_groups(clips, min_run=min_run).tolist() == searched(clips, min_run)


@PROPERTY
@given(CLIPS, st.integers(2, 6))
def test_collisions_join_nothing(clips, min_run):
    # sums of hardly mixed samples: runs of the same samples in another order have one hash
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_overlaps, "_BASE", 1)
        groups = overlap_groups(clips, min_run=min_run)
    parts = np.array(searched(clips, min_run))
    assert all(len(set(parts[groups == group])) == 1 for group in groups)


@pytest.mark.parametrize("block", [1, 5])
def test_blocks_make_no_difference(monkeypatch, block):
    waveforms = [noise(60)[i : i + 20] for i in range(0, 40, 3)] + [noise(40, seed=1)]
    whole = overlap_groups(waveforms, min_run=16)
    monkeypatch.setattr(_overlaps, "_BLOCK", block)
    np.testing.assert_array_equal(overlap_groups(waveforms, min_run=16), whole)
    assert whole.tolist() == [0] * 14 + [1]


@pytest.mark.parametrize(("n_shared", "groups"), [(256, [0, 0]), (255, [0, 1])])
def test_the_shortest_run_is_256_samples(n_shared, groups):
    shared = noise(n_shared)
    first = np.concatenate([noise(400, seed=1), shared, noise(50, seed=2)])
    second = np.concatenate([noise(7, seed=3), shared, noise(1000, seed=4)])
    assert overlap_groups([first, second]).tolist() == groups


def test_what_overlaps_in_turn_is_one_group():
    song = noise(3000)
    cuts = [song[:1000], song[2000:], noise(900, seed=1), song[1500:2300], song[700:1800]]
    assert overlap_groups(cuts).tolist() == [0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    "still",
    [
        np.zeros(5000),
        np.full(5000, 0.25),
        np.where(np.arange(5000) % 20 < 2, 2.0**-15, 0),  # seldom more than zero
    ],
    ids=["silence", "constant", "a bit"],
)
def test_silence_joins_nothing(still):
    cuts = [np.concatenate([noise(500, seed), still, noise(300, 9 + seed)]) for seed in range(3)]
    assert overlap_groups(cuts).tolist() == [0, 1, 2]


def test_quiet_sound_of_16_bits_counts():
    quiet = np.round(3 * noise(2000)) / 2.0**15
    assert overlap_groups([quiet[:900], quiet[600:], quiet[::-1]]).tolist() == [0, 0, 1]


def test_both_zeros_are_equal():
    wave = np.where(np.arange(600) % 2, noise(600), np.float32(0))
    assert overlap_groups([wave, np.where(wave == 0, np.float32(-0.0), wave)]).tolist() == [0, 0]


@pytest.mark.parametrize("waveforms", [[], [noise(0)], [noise(255)] * 2, [np.zeros(999)] * 2])
def test_without_a_run_each_is_a_group(waveforms):
    groups = overlap_groups(waveforms)
    assert groups.dtype == np.int64
    assert groups.tolist() == list(range(len(waveforms)))

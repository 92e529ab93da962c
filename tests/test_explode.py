"""Bags become samples of their own, each with what its recording has."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.model_selection import GroupKFold, train_test_split

from skspeech.exceptions import RecordingError
from skspeech.recordings import RecordingSequence, explode, object_array


def bags_of(sizes):
    """Return bags whose segments hold their numbers, counted through, and differ in length."""
    numbers = iter(range(sum(sizes)))
    return [[np.full((2, 1 + j), next(numbers)) for j in range(size)] for size in sizes]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6))
def test_every_segment_keeps_what_its_recording_has(sizes):
    bags, names = bags_of(sizes), [f"singer {i}" for i in range(len(sizes))]
    segments = explode(bags, names, groups=range(len(sizes)))
    assert [segment[0, 0] for segment in segments.data] == list(range(sum(sizes)))
    assert_array_equal(np.bincount(segments.recordings), sizes)
    assert_array_equal(segments.groups, segments.recordings)
    assert segments.target.tolist() == [names[i] for i in segments.recordings]
    for segment, i in zip(segments.data, segments.recordings, strict=True):
        assert any(segment is member for member in bags[i])


def test_it_unpacks_into_four():
    data, target, groups, recordings = explode(bags_of([2, 1]))
    assert (data.shape, data.dtype) == ((3,), np.dtype(object))
    assert target is None
    assert groups is None
    assert recordings.tolist() == [0, 0, 1]


def test_segments_of_equal_shape_do_not_become_one_array():
    assert explode([[np.zeros((2, 3)), np.zeros((2, 3))]]).data.shape == (2,)


@pytest.mark.parametrize(
    "recordings",
    [
        [np.zeros(3), np.ones(4)],
        np.stack([np.zeros(3), np.ones(3)]),
        object_array([np.zeros(3), (np.ones(4),)]),
        RecordingSequence([np.zeros(3), [np.ones(4)]]),
        pd.Series([np.zeros(3), [np.ones(4)]], index=[7, 9]),
    ],
    ids=["list", "array", "object array", "sequence", "column"],
)
def test_an_array_is_a_bag_of_one(recordings):
    segments = explode(recordings, [3, 4])
    assert [segment[0] for segment in segments.data] == [0, 1]
    assert segments.target.tolist() == [3, 4]


def test_a_sequence_is_read_once():
    read = []

    def bag(i):
        read.append(i)
        return [np.full(3, i)] * (1 + i)

    assert len(explode(RecordingSequence(range(3), bag)).data) == 6
    assert read == [0, 1, 2]


def test_labels_may_be_a_column_or_have_columns():
    bags = bags_of([1, 2])
    assert explode(bags, pd.Series([5, 6], index=[1, 0])).target.tolist() == [5, 6, 6]
    assert explode(bags, [[1, 2], [3, 4]]).target.tolist() == [[1, 2], [3, 4], [3, 4]]


def test_both_splits_can_be_made():
    segments = explode(bags_of([3] * 6), [0, 1] * 3, groups=[0, 0, 1, 1, 2, 2])
    train, test = train_test_split(segments.data, test_size=1 / 3, random_state=0)
    assert (len(train), len(test)) == (12, 6)
    for train, test in GroupKFold(3).split(segments.data, segments.target, segments.groups):
        assert not set(segments.recordings[train]) & set(segments.recordings[test])


@pytest.mark.parametrize("name", ["y", "groups"])
@pytest.mark.parametrize(
    ("values", "message"),
    [([1, 2], "has 2 entries"), ([], "has 0 entries"), ("label", "is a single value")],
)
def test_what_does_not_fit_the_recordings_is_named(name, values, message):
    wanted = f"{name} {message}; it needs one for each of the 3 recordings."
    with pytest.raises(ValueError, match=re.escape(wanted)):
        explode(bags_of([1, 2, 1]), **{name: values})


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], r"X\[1\] is an empty bag\. Remove the recording"),
        ((), r"X\[1\] is an empty bag"),
        ([np.zeros(2), [1.0, 2.0]], r"X\[1\] has as segment 1 no array but list"),
        ([1.0, 2.0], r"X\[1\] has as segment 0 no array but float"),
        ("song.wav", r"X\[1\] is no array but str"),
        (None, r"X\[1\] is no array but NoneType"),
    ],
)
def test_a_bag_that_cannot_be_exploded_is_named(bad, message):
    with pytest.raises(RecordingError, match=message):
        explode([np.zeros(3), bad])


def test_nothing_to_explode_is_an_error():
    with pytest.raises(ValueError, match="no recordings to explode"):
        explode([])
    with pytest.raises(TypeError, match="length and integer indexing"):
        explode(3)


@pytest.mark.parametrize("segment", [np.array(3.0), object_array([np.zeros(2), np.zeros(3)])])
def test_neither_a_number_nor_a_bag_is_a_segment(segment):
    with pytest.raises(RecordingError, match=r"X\[0\] has as segment 0 no array but ndarray"):
        explode([[segment]])

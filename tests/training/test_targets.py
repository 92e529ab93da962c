"""What y may be for networks that answer frames, and what is said of what it may not be."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skspeech.recordings import RecordingSequence, object_array
from skspeech.training.targets import read_targets

ARRAYS = [np.arange(6.0).reshape(3, 2), np.arange(8.0).reshape(4, 2)]


def read(y, n_recordings=2):
    return read_targets([None] * n_recordings, y, reader="Reader")


@pytest.mark.parametrize(
    "collection",
    [
        list,
        tuple,
        object_array,
        RecordingSequence,
        lambda arrays: pd.Series(object_array(arrays), index=[7, 7]),
        lambda arrays: [array.astype(np.float16) for array in arrays],
        lambda arrays: [array.astype(int) for array in arrays],
        lambda arrays: [array.tolist() for array in arrays],
    ],
    ids=["list", "tuple", "objects", "sequence", "series", "halves", "integers", "nested lists"],
)
def test_arrays_of_frames(collection):
    found = read(collection(ARRAYS))
    assert found.ndim == 3
    assert [frames.dtype for frames in found.frames] == [np.float32] * 2
    for frames, wanted in zip(found.frames, ARRAYS, strict=True):
        assert_array_equal(frames, wanted)


def test_one_array_of_recordings_of_one_length():
    found = read(np.arange(12).reshape(2, 3, 2))
    assert found.ndim == 3
    assert_array_equal(found.frames[1], [[6, 7], [8, 9], [10, 11]])


def test_a_sequence_is_read_once():
    seen = []
    read(RecordingSequence(range(2), lambda i: (seen.append(i), ARRAYS[i])[1]))
    assert seen == [0, 1]


@pytest.mark.parametrize(
    ("y", "ndim", "n_outputs"),
    [
        ([1, 2], 1, 1),
        (np.array([1.0, 2.0]), 1, 1),
        (pd.Series([1, 2]), 1, 1),
        ([[1, 2, 3], [4, 5, 6]], 2, 3),
        (np.ones((2, 1)), 2, 1),
        (pd.DataFrame({"a": [1, 2], "b": [3, 4]}), 2, 2),
    ],
    ids=str,
)
def test_numbers_for_recordings_of_one_frame(y, ndim, n_outputs):
    found = read(y)
    assert found.ndim == ndim
    assert [frames.shape for frames in found.frames] == [(1, n_outputs)] * 2
    assert_array_equal(np.concatenate(found.frames).ravel(), np.ravel(np.asarray(y, float)))


def test_none():
    with pytest.raises(ValueError, match="Reader estimator requires y to be passed"):
        read(None)


@pytest.mark.parametrize("y", [ARRAYS[:1], [1.0], np.ones((3, 2)), np.ones((3, 4, 2))], ids=len)
def test_another_number_of_recordings(y):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        read(y)


def test_other_outputs():
    with pytest.raises(ValueError, match=r"y\[1\] has 3 outputs where y\[0\] has 2.*the same"):
        read([np.ones((3, 2)), np.ones((4, 3))])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_what_float32_cannot_hold(bad):
    arrays = [array.copy() for array in ARRAYS]
    arrays[1][2, 1] = bad
    with pytest.raises(ValueError, match=r"y\[1\] holds .*infinity.* at frame 2, output 1.*X\[1\]"):
        read(arrays)


def test_a_number_that_float32_cannot_hold():
    with pytest.raises(ValueError, match=r"y\[1\] holds .*infinity"):
        read([1.0, 1e300])


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        (np.ones(4), r"y\[1\] has shape \(4,\); give \(n_frames, n_outputs\)"),
        (np.ones((0, 2)), r"y\[1\] has shape \(0, 2\)"),
        (np.ones((4, 0)), r"y\[1\] has shape \(4, 0\)"),
        (np.ones((1, 4, 2)), r"y\[1\] has shape \(1, 4, 2\)"),
        ("mel.npy", r"y\[1\] is no array of real numbers but str"),
        ([[1, 2], [3]], r"y\[1\] is no array of real numbers but list"),
        (None, r"y\[1\] .*\(n_frames, n_outputs\)"),
        (np.ones((4, 2), complex), r"y\[1\] is no array of real numbers"),
    ],
    ids=[
        "one axis",
        "no frame",
        "no output",
        "three axes",
        "path",
        "ragged",
        "None",
        "complex",
    ],
)
def test_what_is_no_array_of_frames(second, problem):
    with pytest.raises(ValueError, match=problem):
        read([ARRAYS[0], second])


@pytest.mark.parametrize("collection", [list, object_array], ids=["list", "objects"])
def test_one_number_a_frame_is_asked_for_as_a_column(collection):
    ragged = collection([np.ones(3), np.ones(4)])
    with pytest.raises(ValueError, match=r"y\[0\] has shape \(3,\); give \(n_frames, n_outputs\)"):
        read(ragged)

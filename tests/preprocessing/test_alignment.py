import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skspeech.exceptions import RecordingError
from skspeech.preprocessing import align_frames
from skspeech.recordings import RecordingSequence, object_array


def pairs(*lengths):
    videos = [np.full((n, 3, 2), i, np.uint8) for i, (n, _) in enumerate(lengths)]
    targets = [np.full((n, 4), i, np.float32) for i, (_, n) in enumerate(lengths)]
    return videos, targets


def column(items):
    """Return them as a data frame's column whose labels are no places."""
    return pd.Series(items, index=range(len(items), 0, -1), dtype=object)


@pytest.mark.parametrize("container", [list, tuple, object_array, column, RecordingSequence])
def test_both_are_cut_to_the_shorter(container):
    videos, targets = pairs((10, 11), (9, 7), (5, 5))
    X, y = align_frames(container(videos), container(targets))
    assert [len(x) for x in X] == [len(t) for t in y] == [10, 7, 5]
    assert y.shape == (3,)
    assert y.dtype == object
    for i in range(3):
        assert_array_equal(X[i], videos[i][: len(X[i])])
        assert_array_equal(y[i], targets[i][: len(y[i])])


def test_in_memory_views_are_cut_and_nothing_is_copied():
    videos, targets = pairs((10, 9))
    X, y = align_frames(videos, targets)
    assert np.shares_memory(X[0], videos[0])
    assert np.shares_memory(y[0], targets[0])


def test_videos_read_on_access_stay_so_and_targets_are_read_once():
    videos, targets = pairs((10, 11), (9, 7))
    read = []

    def computed(i):
        read.append(i)
        return targets[i]

    X, y = align_frames(RecordingSequence(videos), RecordingSequence(range(2), computed))
    assert isinstance(X, RecordingSequence)
    assert len(X[1]) == 7
    assert [len(x) for x in X[::-1]] == [7, 10]
    assert len(y[0]) == 10
    assert read == [0, 1]


@pytest.mark.parametrize("tolerance", [0, 2])
def test_lengths_that_differ_by_more_are_an_error(tolerance):
    videos, targets = pairs((10, 10), (10, 10 + tolerance), (10, 11 + tolerance))
    assert len(align_frames(videos[:2], targets[:2], tolerance=tolerance)[0]) == 2
    match = rf"X\[2\] has 10 frames of video and {11 + tolerance} of targets"
    with pytest.raises(RecordingError, match=match):
        align_frames(videos, targets, tolerance=tolerance)


def test_as_many_videos_as_targets():
    videos, targets = pairs((10, 10), (5, 5))
    with pytest.raises(ValueError, match="2 videos and 1 targets"):
        align_frames(videos, targets[:1])


@pytest.mark.parametrize("tolerance", [-1, 1.5, None])
def test_tolerance_is_a_number_of_frames(tolerance):
    with pytest.raises(ValueError, match="tolerance"):
        align_frames(*pairs((3, 3)), tolerance=tolerance)


def test_what_has_no_frames_is_named():
    videos, targets = pairs((3, 3), (3, 3))
    for bad in (7.0, targets[0][:0]):
        with pytest.raises(RecordingError, match=r"X\[1\]"):
            align_frames(videos, [targets[0], bad])


@pytest.mark.parametrize("place", [0, 1])
def test_a_bag_is_refused(place):
    """Its length is that of its segments: to cut it would lose some of these, and no frames."""
    both = [list(each) for each in pairs((3, 3), (5, 5))]
    both[place][1] = [both[place][1]] * 5
    with pytest.raises(RecordingError, match=r"X\[1\] is a list, not an array\. .*explode"):
        align_frames(*both)

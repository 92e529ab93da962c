import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skspeech.exceptions import RecordingError
from skspeech.preprocessing._segments import in_the_form_of, map_segments, on_segments
from skspeech.recordings import RecordingSequence, object_array


def shout(segments):
    for i, segment in enumerate(segments):
        if len(segment) == 1:
            raise RecordingError("is short", "Lengthen it.", i)
    return [2 * segment for segment in segments]


@pytest.mark.parametrize("form", [np.stack, object_array, RecordingSequence])
def test_the_form_is_kept(form):
    X = form([np.ones(3), np.arange(3)])
    found = map_segments(X, shout)
    assert type(found) is type(X)
    assert found.shape == X.shape
    assert_array_equal(found[1], [0, 2, 4])


def test_bags_are_no_array():
    found = map_segments(np.ones((2, 3)), lambda segments: [[x, x] for x in segments], bags=True)
    assert found.shape == (2,)
    assert len(found[0]) == 2


def test_a_sequence_is_not_read():
    lazy = map_segments(RecordingSequence([np.ones(3), np.ones(1)]), shout)
    assert_array_equal(lazy[0], [2, 2, 2])
    with pytest.raises(RecordingError, match=r"^X\[1\] is short"):
        lazy[1]


def test_errors_name_the_recording_of_the_segment():
    X = object_array([[np.ones(3), np.ones(3)], np.ones(2), [np.ones(2), np.ones(1)]])
    with pytest.raises(RecordingError, match=r"^X\[2\] is short"):
        map_segments(X, shout)


@pytest.mark.parametrize("bag", [list, tuple])
def test_bags_come_back_as_lists(bag):
    found = on_segments(shout, bag([np.ones(3), np.ones(2)]))
    assert [row.tolist() for row in found] == [[2, 2, 2], [2, 2]]
    assert on_segments(shout, np.ones(2)).tolist() == [2, 2]


@pytest.mark.parametrize("form", [np.stack, object_array, RecordingSequence])
def test_answers_take_the_form_of_the_recordings(form):
    X = form([np.ones(3), np.arange(3)])
    found = in_the_form_of(X, RecordingSequence([np.ones(2), np.zeros(2)]))
    assert type(found) is type(X)
    assert len(found.shape) == (2 if form is np.stack else 1)

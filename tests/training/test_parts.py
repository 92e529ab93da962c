"""What a net trains on, and what it is judged by."""

import numpy as np
import pytest

from skspeech.recordings import object_array
from skspeech.training.moments import Moments
from skspeech.training.parts import make_parts
from skspeech.training.scheme import TrainingScheme

CLASSES = np.array(["calm", "glad"])


def bags(*sizes):
    return object_array([[np.full((2, 6), i, np.float32)] * n for i, n in enumerate(sizes)])


def parts(recordings, labels, held_out=(), **options):
    options = {"class_weight": "balanced", "scheme": TrainingScheme(), **options}
    return make_parts(recordings, np.array(labels), CLASSES, np.array(held_out, int), **options)


def test_nothing_held_out():
    found = parts(bags(1, 2), [0, 1])
    assert found.validation is None
    assert found.shares is None
    assert found.layout == (1, 2)
    assert len(found.training) == 3


def test_parts_are_apart():
    moments = Moments("global")
    found = parts(bags(1, 2, 3, 4), [0, 1, 0, 1], [1, 2], moments=moments)
    assert set(found.training.recording.tolist()) == {0, 3}
    assert set(found.validation.recording.tolist()) == {1, 2}
    assert float(moments.mean.squeeze()) == pytest.approx((0 + 4 * 3) / 5)


def test_the_size_of_a_class_is_counted_in_what_counts_as_one():
    recordings, labels = bags(6, 1, 1), [0, 1, 1]
    by_recording = parts(recordings, labels).training.weights
    assert by_recording[:6].sum() == pytest.approx(by_recording[6:].sum())
    by_segment = parts(recordings, labels, scheme=TrainingScheme(unit="segment")).training.weights
    assert by_segment[:6].sum() == pytest.approx(by_segment[6:].sum())
    uneven = parts(bags(4, 4, 1, 1), [0, 0, 1, 1], scheme=TrainingScheme(unit="segment"))
    assert uneven.training.weights[0] * 4 == pytest.approx(float(uneven.training.weights[-1]))


def test_oversampled_classes_are_not_balanced_twice():
    scheme = TrainingScheme(oversample=True)
    weights = parts(bags(*[1] * 8), [0] * 6 + [1] * 2, scheme=scheme).training.weights
    assert weights.tolist() == [1] * 8


def test_schemes_count_recordings_or_segments():
    with pytest.raises(ValueError, match="unit is 'piece'"):
        TrainingScheme(unit="piece")


def test_what_is_held_out_is_whole_and_read_once():
    scheme = TrainingScheme(crop_frames=4, oversample=True)
    recordings = object_array([np.zeros((2, 9), np.float32)] * 5)
    found = parts(recordings, [0, 0, 0, 1, 1], [2, 4], scheme=scheme, class_weight=None)
    assert found.training.lengths.tolist() == [4, 4, 4]
    assert found.validation.lengths.tolist() == [9, 9]
    epoch = np.concatenate(list(found.training.sampler(2, seed=0)))
    assert np.bincount(epoch).tolist() == [1, 1, 2]
    assert found.shares.tolist() == [1, 1], "judged by the mean recall of what is held out"

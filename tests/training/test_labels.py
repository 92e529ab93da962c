"""Labels, groups, and weights by class."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skspeech.training.batches import survey
from skspeech.training.labels import check_groups, class_shares, score_shares, segment_weights

CLASSES, LABELS = np.array(["calm", "sad"]), np.array([0, 0, 0, 1])


@pytest.mark.parametrize(
    ("class_weight", "wanted"),
    [
        (None, [1, 1]),
        ({}, [1, 1]),
        ({"sad": 3}, [1, 3]),
        ({"sad": 3, "calm": 0}, [0, 3]),
        ({np.str_("sad"): 3}, [1, 3]),
        ("balanced", [2 / 3, 2]),
    ],
)
def test_shares(class_weight, wanted):
    assert class_shares(class_weight, CLASSES, LABELS).tolist() == pytest.approx(wanted)


def test_labels_may_be_numbers():
    for classes in (np.array([-1, 3]), np.array([False, True]), np.array([0.0, 1.0])):
        top = classes[1]
        assert class_shares({top: 2.0}, classes, LABELS).tolist() == [1, 2]
        assert class_shares({top.item(): 2.0}, classes, LABELS).tolist() == [1, 2]


@pytest.mark.parametrize("unknown", [{"glad": 1}, {"glad": 1, 3: 1}])
def test_unknown_class_is_named(unknown):
    with pytest.raises(ValueError, match=r"does not hold: .*'glad'"):
        class_shares({"sad": 1, **unknown}, CLASSES, LABELS)


@pytest.mark.parametrize(
    "weights", [{"sad": 0, "calm": 0}, {"sad": -1}, {"sad": np.nan}, {"sad": np.inf}]
)
def test_weights_that_cannot_weigh(weights):
    with pytest.raises(ValueError, match="finite, none below 0 and at least one above"):
        class_shares(weights, CLASSES, LABELS)


def test_a_recording_weighs_one_however_many_segments_it_has():
    bags = [[np.zeros((3, 5), "f")] * n for n in (9, 9, 1, 1, 4)]
    labels, trained = np.array([0, 0, 1, 1, 1]), np.array([True, True, True, True, False])
    found = survey(bags)
    shares = class_shares("balanced", np.array(["a", "b"]), labels[trained])
    weights = segment_weights(found, labels, shares, trained)
    by_recording = np.bincount(found.recording, weights)
    assert_allclose(by_recording[:4], by_recording[0])
    assert_allclose(weights[trained[found.recording]].mean(), 1)


def test_segments_may_count_for_themselves_and_by_length():
    bags = [[np.zeros((3, n), "f") for n in lengths] for lengths in ((8,), (2, 4), (4,))]
    labels, trained = np.array([0, 1, 1]), np.array([True, True, True])
    found = survey(bags)
    shares = np.array([1.0, 2.0])

    def weights(**options):
        found_weights = segment_weights(found, labels, shares, trained, **options)
        return (found_weights / found_weights[0]).tolist()

    assert weights() == pytest.approx([1, 1, 1, 2])
    assert weights(unit="segment") == pytest.approx([1, 2, 2, 2])
    assert weights(by_length=True) == pytest.approx([1, 4, 2, 4])
    assert weights(unit="segment", by_length=True) == pytest.approx([1, 8, 4, 4])


def test_score_weighs_the_classes_that_are_there():
    shares = np.array([1.0, 2.0, 3.0])
    held_out = np.array([0, 0, 2, 0])
    assert score_shares(shares, held_out, balanced=False) is shares
    assert score_shares(shares, held_out, balanced=True).tolist() == pytest.approx([1 / 3, 0, 1])


def test_groups_are_one_name_a_recording():
    recordings = [np.zeros(3)] * 3
    assert check_groups(recordings, None) is None
    assert check_groups(recordings, ["Ann", "Bob", "Ann"]).tolist() == ["Ann", "Bob", "Ann"]
    with pytest.raises(ValueError, match=r"groups has shape \(3, 1\)"):
        check_groups(recordings, [[1], [2], [3]])
    with pytest.raises(ValueError, match="inconsistent"):
        check_groups(recordings, [1, 2])
    for missing in (None, np.nan):
        with pytest.raises(ValueError, match=r"groups\[1\] is missing: name a speaker for X\[1\]"):
            check_groups(recordings, np.array(["Ann", missing, "Bob"], dtype=object))


class NA:
    """As pandas.NA: a comparison with it is neither true nor false."""

    def __ne__(self, other):
        return self

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")


@pytest.mark.parametrize("missing", [None, np.nan, float("nan"), np.datetime64("NaT"), NA()])
def test_missing_groups_are_named_however_they_come(missing):
    names = ["Ann", "Ann", missing, missing]
    for groups in (names, tuple(names), np.array([*names], dtype=object)):
        with pytest.raises(ValueError, match=r"groups\[2\] is missing: name a speaker for X\[2\]"):
            check_groups([np.zeros(3)] * 4, groups)


def test_missing_groups_of_numbers():
    for groups in ([1.0, np.nan], np.array([1.0, np.nan])):
        with pytest.raises(ValueError, match=r"groups\[1\] is missing"):
            check_groups([np.zeros(3)] * 2, groups)


@pytest.mark.parametrize("dtype", ["string", "object", "category"])
def test_missing_groups_of_a_column(dtype):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"groups\[1\] is missing"):
        check_groups([np.zeros(3)] * 2, pandas.Series(["Ann", None], dtype=dtype))
    whole = pandas.Series(["Ann", "Bob"], dtype=dtype)
    assert check_groups([np.zeros(3)] * 2, whole).tolist() == ["Ann", "Bob"]


@pytest.mark.parametrize("other", [1, 1.5, b"Ann", ("Ann",)])
def test_groups_of_different_kinds_are_named(other):
    groups = np.empty(3, dtype=object)
    groups[:] = ["Ann", "Bob", other]
    for given in (groups, [1, 2, "Ann"][::-1] if other == 1 else groups):
        with pytest.raises(ValueError, match=r"groups\[[12]\] is .*, X\[[12]\]'s speaker, but"):
            check_groups([np.zeros(3)] * 3, given)


def test_groups_of_one_kind_are_left_as_they_are():
    assert check_groups([np.zeros(3)] * 3, [1, 2.5, True]).tolist() == [1, 2.5, 1]
    assert check_groups([np.zeros(3)] * 2, ["Ann", np.str_("Bob")]).dtype == np.dtype("<U3")

"""Class weights by label, by frequency, or none."""

import numpy as np
import pytest

from skspeech.training.labels import class_shares

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

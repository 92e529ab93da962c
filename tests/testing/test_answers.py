"""Answers of every form are taken apart and told from one another."""

import numpy as np
import pytest

from skspeech.recordings import Phrase
from skspeech.testing.answers import arrays_of, assert_identical, difference

PHRASE = Phrase([1, -2], [[0.0, 0.3], [0.2, 0.5]])
LATER = Phrase([1, -2], [[0.0, 0.3], [0.2, 0.6]])
ROUNDED = Phrase([1, -2], [[0.0, 0.3], [0.2, 0.5 + 1e-7]])
OTHER = Phrase([1, -1], PHRASE.spans)

DIFFERENT = [
    (np.ones(3), np.array([1, 1, 2])),
    (np.ones(3), np.ones(4)),
    (np.ones(1), np.ones(3)),
    ([np.ones(3)], [np.ones(3), np.ones(3)]),
    ([], [np.ones(3)]),
    ([PHRASE], [LATER]),
    ([PHRASE], [OTHER]),
    ([PHRASE], [PHRASE, Phrase([], [])]),
    ([PHRASE], [[PHRASE]]),
    ([[PHRASE], []], [[], [PHRASE]]),
    ([["a"]], [["b"]]),
    ([[1, 2]], [[1, 3]]),
]


@pytest.mark.parametrize(("answer", "other"), DIFFERENT)
def test_different_answers(answer, other):
    for found, wanted in ((answer, other), (other, answer)):
        told = difference({"transform": [0, found]}, {"transform": [0, wanted]})
        assert told.startswith("transform of X[1] ")
        with pytest.raises(AssertionError, match="as promised"):
            assert_identical(found, wanted, "as promised")


@pytest.mark.parametrize("answer", [pair[0] for pair in DIFFERENT])
def test_the_same_answer(answer):
    assert difference({"predict": [answer]}, {"predict": [answer]}, exactly=True) is None
    assert_identical(answer, answer, "as promised")


@pytest.mark.parametrize(
    ("answer", "other"),
    [([PHRASE], [ROUNDED]), (np.ones(2), np.ones(2) + 1e-7), ([np.ones(2)], [np.ones(2) + 1e-7])],
)
def test_rounding_is_alike_but_not_identical(answer, other):
    assert difference({"predict": [answer]}, {"predict": [other]}) is None
    assert difference({"predict": [answer]}, {"predict": [other]}, exactly=True) is not None
    with pytest.raises(AssertionError, match="as promised"):
        assert_identical(answer, other, "as promised")


def test_another_number_of_recordings():
    told = difference({"predict": [1, 2]}, {"predict": [1]})
    assert told == "predict gives 2 answers, not 1"


@pytest.mark.parametrize(
    ("answer", "other", "told"),
    [
        (
            np.array([0.25, 0.75]),
            np.array([0.5, 0.5]),
            "differs by up to 0.25 (1e-05 is allowed): it is [0.25 0.75], not [0.5 0.5]",
        ),
        (3, 5, "differs by up to 2 (0 is allowed): it is 3, not 5"),
        ("odd", "even", "is odd, not even"),
        (np.ones(3), np.ones(4), "has the shape (3,), not (4,)"),
        (np.array([np.nan]), np.ones(1), "differs by up to nan (1e-05 is allowed): it is [nan]"),
        (np.arange(900.0), np.zeros(900), "it is [ 0. 1. ... 898. 899.], not [0. 0. ... 0. 0.]"),
    ],
)
def test_how_and_by_how_much(answer, other, told):
    names = ["the first", "the second"]
    found = difference({"predict": [1, answer]}, {"predict": [1, other]}, names=names)
    assert found.startswith("predict of the second ")
    assert told in found


def test_arrays_are_views():
    recording = np.zeros(3)
    assert arrays_of([recording])[0] is recording
    assert arrays_of([[PHRASE]])[1] is PHRASE.spans

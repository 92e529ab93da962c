"""Answers of every form are taken apart and told from one another."""

import numpy as np
import pytest

from skspeech.recordings import Phrase
from skspeech.testing.answers import arrays_of, assert_alike, assert_identical

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
        with pytest.raises(AssertionError, match=r"as promised: X\[1\]"):
            assert_alike([[0, found]], [[0, wanted]], "as promised")
        with pytest.raises(AssertionError, match="as promised"):
            assert_identical(found, wanted, "as promised")


@pytest.mark.parametrize("answer", [pair[0] for pair in DIFFERENT])
def test_the_same_answer(answer):
    assert_alike([[answer]], [[answer]], "as promised")
    assert_identical(answer, answer, "as promised")


@pytest.mark.parametrize(
    ("answer", "other"),
    [([PHRASE], [ROUNDED]), (np.ones(2), np.ones(2) + 1e-7), ([np.ones(2)], [np.ones(2) + 1e-7])],
)
def test_rounding_is_alike_but_not_identical(answer, other):
    assert_alike([[answer]], [[other]], "as promised")
    with pytest.raises(AssertionError, match="as promised"):
        assert_identical(answer, other, "as promised")


def test_another_number_of_recordings():
    with pytest.raises(AssertionError, match="as promised"):
        assert_alike([[1, 2]], [[1]], "as promised")


def test_arrays_are_views():
    recording = np.zeros(3)
    assert arrays_of([recording])[0] is recording
    assert arrays_of([[PHRASE]])[1] is PHRASE.spans

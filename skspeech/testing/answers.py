"""What estimators answer, taken apart into arrays that can be compared."""

from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from skspeech.recordings import Phrase

__all__ = ["TOLERANCE", "arrays_of", "assert_alike", "assert_identical"]

#: How far a posterior may move with the batch, in float32 on the CPU.
TOLERANCE = 1e-5


def arrays_of(answer: Any) -> list[np.ndarray]:
    """Return the arrays that an answer or a recording consists of, in order.

    Parameters
    ----------
    answer : array-like, Phrase, or list or tuple of answers
        A row of numbers, a recording, a bag of segments or a contour.

    Returns
    -------
    list of ndarray
        Of a phrase its symbols and their spans, of a bag those of each segment, of a contour
        those of each phrase; views where it holds arrays.

    Examples
    --------
    >>> from skspeech.recordings import Phrase
    >>> from skspeech.testing.answers import arrays_of
    >>> [array.tolist() for array in arrays_of([Phrase([2], [[0, 0.5]]), Phrase([], [])])]
    [[2], [[0.0, 0.5]], [], []]
    """
    if isinstance(answer, Phrase):
        return [answer.symbols, answer.spans]
    if isinstance(answer, list | tuple):
        return [array for part in answer for array in arrays_of(part)]
    return [np.asarray(answer)]


def assert_alike(found: Any, wanted: Any, promise: str) -> None:
    """Compare what several methods say of each recording, within `TOLERANCE`.

    Parameters
    ----------
    found, wanted : list of list
        ``found[k][i]`` is what method k answers to recording i.
    promise : str
        What is broken where they differ.
    """
    for answers, others in zip(found, wanted, strict=True):
        assert len(answers) == len(others), promise
        for i, (answer, other) in enumerate(zip(answers, others, strict=True)):
            _compare(answer, other, f"{promise}: X[{i}]")


def assert_identical(answer: Any, other: Any, promise: str) -> None:
    """Compare two answers to one recording, or two recordings, to the last bit."""
    _compare(answer, other, promise, exactly=True)


def _compare(answer: Any, other: Any, promise: str, *, exactly: bool = False) -> None:
    assert _sizes(answer) == _sizes(other), f"{promise}: {_sizes(answer)} and {_sizes(other)}"
    for part, wanted in zip(arrays_of(answer), arrays_of(other), strict=True):
        if exactly or "f" not in part.dtype.kind + wanted.dtype.kind:
            assert_array_equal(part, wanted, err_msg=promise)
        else:
            assert_allclose(part, wanted, atol=TOLERANCE, rtol=1e-5, err_msg=promise)


def _sizes(answer: Any) -> Any:
    """Return the shape of an array, or those of what a list holds: an empty one counts too."""
    if isinstance(answer, list | tuple):
        return [_sizes(part) for part in answer]
    return np.shape(answer.symbols if isinstance(answer, Phrase) else answer)

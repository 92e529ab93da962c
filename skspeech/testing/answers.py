"""What estimators answer, taken apart into arrays that can be compared."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from skspeech.recordings import Phrase

__all__ = ["TOLERANCE", "arrays_of", "assert_identical", "difference"]

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


def difference(
    found: Mapping[str, Sequence[Any]],
    wanted: Mapping[str, Sequence[Any]],
    *,
    names: Sequence[str] | None = None,
    exactly: bool = False,
) -> str | None:
    """Say where what methods answer first differs, and by how much.

    Parameters
    ----------
    found, wanted : mapping of str to sequence
        ``found["predict"][i]`` is what ``predict`` answers to recording i.
    names : sequence of str or None, default=None
        What the recordings are called; None is ``X[0]``, ``X[1]`` and so on.
    exactly : bool, default=False
        Whether the last bit counts; otherwise they may differ by `TOLERANCE`.

    Returns
    -------
    str or None
        None where all are alike.

    Examples
    --------
    >>> from skspeech.testing.answers import difference
    >>> difference({"predict_proba": [[0.5, 0.5]]}, {"predict_proba": [[0.5, 0.5]]})
    >>> difference({"predict": ["odd", "even"]}, {"predict": ["odd", "odd"]})
    'predict of X[1] is even, not odd'
    """
    for method, answers in found.items():
        others = wanted[method]
        if len(answers) != len(others):
            return f"{method} gives {len(answers)} answers, not {len(others)}"
        for i, (answer, other) in enumerate(zip(answers, others, strict=True)):
            how = _how(answer, other, exactly)
            if how:
                return f"{method} of {names[i] if names else f'X[{i}]'} {how}"
    return None


def assert_identical(answer: Any, other: Any, promise: str) -> None:
    """Compare two recordings to the last bit."""
    how = _how(answer, other, exactly=True)
    assert how is None, f"{promise}: it {how}"


def _how(answer: Any, other: Any, exactly: bool) -> str | None:
    """Say how two answers differ, or None."""
    if _sizes(answer) != _sizes(other):
        return f"has the shape {_sizes(answer)}, not {_sizes(other)}"
    for part, wanted in zip(arrays_of(answer), arrays_of(other), strict=True):
        exact = exactly or "f" not in part.dtype.kind + wanted.dtype.kind
        try:
            if exact:
                assert_array_equal(part, wanted)
            else:
                assert_allclose(part, wanted, atol=TOLERANCE, rtol=1e-5)
        except AssertionError:
            return f"{_by_how_much(part, wanted, 0 if exact else TOLERANCE)}{_both(part, wanted)}"
    return None


def _by_how_much(part: np.ndarray, wanted: np.ndarray, allowed: float) -> str:
    if not {part.dtype.kind, wanted.dtype.kind} <= set("fiub"):
        return ""
    with np.errstate(invalid="ignore"):
        most = np.abs(part.astype(float) - wanted.astype(float)).max()
    return f"differs by up to {most:.2g} ({allowed:g} is allowed): it "


def _both(part: np.ndarray, wanted: np.ndarray) -> str:
    return f"is {_shown(part)}, not {_shown(wanted)}"


def _shown(array: np.ndarray) -> str:
    """Return an array on one line, its middle left out."""
    text = np.array2string(array, threshold=6, edgeitems=2, precision=5) if array.ndim else array
    return " ".join(str(text).split())


def _sizes(answer: Any) -> Any:
    """Return the shape of an array, or those of what a list holds: an empty one counts too."""
    if isinstance(answer, list | tuple):
        return [_sizes(part) for part in answer]
    return np.shape(answer.symbols if isinstance(answer, Phrase) else answer)

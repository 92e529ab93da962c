"""What a recording holds, told by a digest: the same samples in any container have the same one."""

from collections.abc import Sequence
from hashlib import blake2b
from numbers import Number
from typing import Any

import numpy as np

from skspeech.recordings import segments_of

__all__ = ["as_recordings", "content_keys", "copied", "digest"]

# A recording of fewer different values holds nothing to be told by: silence, a click, a tone of
# square waves, a row of a small table (our choice).
_FEWEST_VALUES = 8


def as_recordings(X: Any) -> Any:
    """Return a collection that is indexed by position: tables as arrays, others as they are."""
    if hasattr(X, "iloc"):
        return X.to_numpy()
    rows = isinstance(X, list | tuple) and all(_is_row(row) for row in X)
    return np.asarray(X) if rows and len({len(row) for row in X}) == 1 else X


def _is_row(recording: Any) -> bool:
    return isinstance(recording, list | tuple) and len(recording) > 0 and _is_number(recording[0])


def _is_number(value: Any) -> bool:
    return isinstance(value, Number | np.number)


def digest(array: np.ndarray) -> bytes | None:
    """Return 16 bytes that tell the values of an array, in 32 bits, and its shape.

    Parameters
    ----------
    array : ndarray of numbers

    Returns
    -------
    bytes or None
        None where there are fewer than eight different values.
    """
    with np.errstate(over="ignore"):  # whose business it is will say
        values = np.ascontiguousarray(array, dtype=np.float32)
    if len(np.unique(values.ravel()[:4096])) < _FEWEST_VALUES and (
        len(np.unique(values)) < _FEWEST_VALUES
    ):
        return None
    found = blake2b(repr(values.shape).encode(), digest_size=16)
    found.update((values + np.float32(0)).data)  # the two zeros are one
    return found.digest()


def content_keys(recording: Any) -> list[bytes]:
    """Return the digests of a recording's segments; of what is no array of numbers there are none.

    Parameters
    ----------
    recording : array-like or bag of them, or anything else

    Returns
    -------
    list of bytes
    """
    if isinstance(recording, Number | str | bytes) or hasattr(recording, "tocsr"):
        return []
    segments: Sequence[Any] = (recording,) if _is_row(recording) else segments_of(recording)
    keys = []
    for segment in segments:
        if not (hasattr(segment, "__array__") or (segment is recording and _is_row(recording))):
            return []  # a phrase of a contour, a path
        try:
            array = np.asarray(segment)
        except Exception:  # tensors of another device, ragged lists: whose business it is will say
            return []
        if array.dtype.kind in "fiub" and array.ndim:
            keys.append(digest(array))
    return [key for key in keys if key is not None]


def copied(X: Any, parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[int, int, int, int] | None:
    """Look for exact copies on both sides of splits.

    Parameters
    ----------
    X : collection of n recordings
        Each is read once.
    parts : list of (ndarray of int, ndarray of int)
        What each fold learns from, and what it is tested on.

    Returns
    -------
    tuple of int, or None
        A fold, how many of its test recordings have a copy on the other side, one of them, and
        that copy; None where no fold has any.
    """
    if hasattr(X, "tocsr"):
        return None
    X = as_recordings(X)
    keys = [content_keys(X[i]) for i in range(len(X))]
    for fold, (train, test) in enumerate(parts):
        learnt = {key: i for i in train.tolist()[::-1] for key in keys[i]}
        both = {i: learnt[key] for i in test.tolist()[::-1] for key in keys[i] if key in learnt}
        if both:
            first = min(both)
            return fold, len(both), first, both[first]
    return None

"""A phrase of a contour: symbols in order, and the time that each one spans."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

__all__ = ["Phrase"]


class Phrase(Sequence):
    """A run of symbols without a gap; a contour is a list of phrases, those of one recording.

    As a sequence it is that of its symbols, so whatever reads sequences of symbols reads
    phrases too. A slice of a phrase is a phrase.

    Parameters
    ----------
    symbols : array-like of int, shape (n_symbols,)
        Signed classes: how far the contour moves, and whether up (+) or down (-).
    spans : array-like of float, shape (n_symbols, 2)
        Beginning and end of each symbol, seconds. Those of neighbours may overlap.

    Attributes
    ----------
    symbols : ndarray of int64, shape (n_symbols,)
    spans : ndarray of float64, shape (n_symbols, 2)

    Raises
    ------
    TypeError
        If a symbol is no integer.
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> from skspeech.recordings import Phrase
    >>> phrase = Phrase([1, -2, 1], [[0.0, 0.3], [0.2, 0.5], [0.3, 0.9]])
    >>> len(phrase), phrase[1], list(phrase[1:])
    (3, -2, [-2, 1])
    >>> phrase[1:].spans[0].tolist()
    [0.2, 0.5]
    """

    __slots__ = ("spans", "symbols")
    __hash__ = None  # type: ignore[assignment]  # arrays can be changed

    def __init__(self, symbols: Any, spans: Any):
        self.symbols = _as_integers(symbols)
        self.spans = np.asarray(spans, dtype=np.float64).reshape(-1, 2)
        if self.symbols.shape != (len(self.spans),):
            raise ValueError(
                f"A phrase of {len(self.spans)} spans needs as many symbols in one dimension, "
                f"got shape {self.symbols.shape}."
            )

    def __len__(self) -> int:
        return len(self.symbols)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return Phrase(self.symbols[key], self.spans[key])
        return int(self.symbols[key])

    def __iter__(self) -> Iterator[int]:
        return iter(self.symbols.tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Phrase):
            return NotImplemented
        return np.array_equal(self.symbols, other.symbols) and np.array_equal(
            self.spans, other.spans
        )

    def __repr__(self) -> str:
        return f"Phrase({self.symbols.tolist()}, {self.spans.tolist()})"


def _as_integers(symbols: Any) -> np.ndarray:
    array = np.asarray(symbols)
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(
            f"The symbols of a Phrase are integers of 64 bits, got an array of {array.dtype}."
        )
    if array.dtype == np.uint64 and array.max(initial=0) > np.iinfo(np.int64).max:
        raise ValueError(f"The symbols of a Phrase are integers of 64 bits, got {array.max()}.")
    return array.astype(np.int64, copy=False)

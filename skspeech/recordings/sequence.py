"""The containers of recordings: one that reads on access, and object arrays."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Integral
from types import EllipsisType
from typing import Any

import numpy as np

from skspeech.exceptions import RecordingError

__all__ = ["RecordingSequence", "object_array"]


class RecordingSequence(Sequence):
    """A function mapped over a source of recordings, on access; nothing is kept.

    Transformers that treat each recording on its own answer a RecordingSequence with
    another one, and networks read it batch by batch, so a folder of any size never
    stands in memory. scikit-learn indexes it like a 1-D array. An error of the source or the
    function keeps its type, with a note that says which item was read.

    Parameters
    ----------
    source : sequence
        Anything with ``len`` and integer indexing: a list of paths, an array, a memory map.
        A column of a data frame is read by position, whatever its labels.
    function : callable or None, default=None
        ``function(source[i])`` is recording i; None gives ``source[i]`` itself.

    Attributes
    ----------
    shape : tuple of int
        ``(n_recordings,)``.

    Raises
    ------
    TypeError
        If `source` has no length or no indexing or is a mapping, or `function` cannot be
        called.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.recordings import RecordingSequence
    >>> tones = RecordingSequence([220.0, 440.0], lambda hz: np.sin(hz * np.arange(5)))
    >>> tones.shape, tones[1].shape, len(tones[:1])
    ((2,), (5,), 1)
    """

    ndim = 1

    def __init__(self, source: Any, function: Callable[[Any], Any] | None = None):
        if not (hasattr(source, "__len__") and hasattr(source, "__getitem__")):
            raise TypeError(
                f"source must have a length and integer indexing, got {type(source).__name__}."
            )
        if isinstance(source, Mapping):
            raise TypeError(
                "source must be a sequence, read by position; got a mapping, "
                f"{type(source).__name__}. Give list(source.values())."
            )
        self._source = source
        self._functions: tuple[Callable[[Any], Any], ...] = ()
        if function is not None:
            self._functions = (_check_callable(function),)
        self._indices: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int]:
        """``(n_recordings,)``."""
        return (len(self),)

    def __len__(self) -> int:
        return len(self._source if self._indices is None else self._indices)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n_recordings={len(self)})"

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            key = _without_ellipsis(key)
        if _is_integer(key):
            return self._read(int(key))
        indices = np.arange(len(self)) if self._indices is None else self._indices
        return self._derive(indices[_index_array(key, len(self))], self._functions)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Read every recording into a 1-D object array."""
        # not dtype == None: numpy takes that for a question about float64
        if (dtype is not None and np.dtype(dtype) != object) or copy is False:
            raise ValueError("A RecordingSequence becomes a new 1-D object array or nothing.")
        return object_array(self)

    def map(self, function: Callable[[Any], Any]) -> "RecordingSequence":
        """Return the sequence whose item i is ``function(self[i])``.

        Parameters
        ----------
        function : callable
            Called with one recording at each access; picklable if worker processes are to
            read the sequence.

        Returns
        -------
        RecordingSequence
        """
        return self._derive(self._indices, (*self._functions, _check_callable(function)))

    def _derive(self, indices: np.ndarray | None, functions: tuple) -> "RecordingSequence":
        derived = RecordingSequence(self._source)
        derived._indices, derived._functions = indices, functions
        return derived

    def _read(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"recording {index} of {len(self)} was asked for")
        index %= len(self)
        try:
            place = index if self._indices is None else int(self._indices[index])
            # a column of a data frame takes [place] for a label
            recording = getattr(self._source, "iloc", self._source)[place]
            for function in self._functions:
                recording = function(recording)
        except RecordingError as error:
            raise error.at(index) from None
        except Exception as error:
            _note_place(error, index)
            raise
        return recording


def _note_place(error: Exception, index: int) -> None:
    """Note on an error where the caller's sequence was read, instead of where its source was."""
    reading = "while reading X["
    if hasattr(error, "__notes__"):
        error.__notes__ = [note for note in error.__notes__ if not note.startswith(reading)]
    error.add_note(f"{reading}{index}]")


def _check_callable(function: Any) -> Callable[[Any], Any]:
    if not callable(function):
        raise TypeError(f"function must be callable, got {type(function).__name__}.")
    return function


def _is_integer(key: Any) -> bool:
    if isinstance(key, np.ndarray):
        return key.ndim == 0 and key.dtype.kind in "iu"
    return isinstance(key, Integral) and not isinstance(key, bool | np.bool_)


def _without_ellipsis(key: tuple) -> Any:
    """Turn scikit-learn's ``X[key, ...]`` into ``X[key]``."""
    if len(key) == 2 and isinstance(key[1], EllipsisType):
        return key[0]
    raise IndexError("recordings have one axis: use X[i], X[i:j], X[indices] or X[mask]")


def _index_array(key: Any, n_recordings: int) -> Any:
    """Return a slice, an integer array or a boolean mask of the right length."""
    if isinstance(key, slice):
        return key
    key = np.asarray(key)
    if key.size == 0 and key.dtype.kind != "b":  # [] is an array of floats
        key = key.astype(np.intp)
    if key.ndim != 1 or key.dtype.kind not in "iub":
        raise IndexError("recordings are indexed by integers, slices, index arrays or masks")
    if key.dtype.kind == "b" and len(key) != n_recordings:
        raise IndexError(f"a mask of {len(key)} entries does not fit {n_recordings} recordings")
    return key


def object_array(items: Any) -> np.ndarray:
    """Return a 1-D object array of the items, also where their shapes agree.

    Parameters
    ----------
    items : iterable with a length

    Returns
    -------
    ndarray of shape (n_items,), dtype object

    Examples
    --------
    >>> from skspeech.recordings import object_array
    >>> object_array([[1, 2], [3, 4]]).shape
    (2,)
    """
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    return array

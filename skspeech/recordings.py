"""What a recording is, which collections of them are read, and the one lazy container.

A collection ``X`` holds n recordings; everything that belongs to a recording (its label,
its speaker) has the same index. The kind of a recording comes from the estimator's
:class:`~skspeech.tags.SpeechTags`, never from a look at the data.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral, Number
from types import EllipsisType
from typing import Any

import numpy as np

from skspeech.exceptions import RecordingError
from skspeech.tags import get_speech_tags

__all__ = [
    "KINDS",
    "RecordingSequence",
    "check_recording",
    "features_kept_on_failure",
    "object_array",
    "segments_of",
    "validate_recordings",
]

#: The axes that one recording of each kind of array may have; time is last for sound, first for
#: video. The other kinds of :data:`skspeech.tags.KINDS` are no arrays.
KINDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "waveform": (("sample",),),
    "spectrogram": (("bin", "frame"), ("channel", "bin", "frame")),
    "pitch": (("frame",),),
    "video": (("frame", "row", "column"),),
}


_FEATURES = ("n_features_in_", "feature_names_in_")  # only tables have them


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


def segments_of(recording: Any) -> Sequence[Any]:
    """Return the segments that stand for a recording: a bag's members, else itself alone.

    Parameters
    ----------
    recording : ndarray, or list or tuple of ndarrays

    Returns
    -------
    sequence of ndarray

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.recordings import segments_of
    >>> len(segments_of(np.zeros(3))), len(segments_of([np.zeros(3), np.zeros(5)]))
    (1, 2)
    """
    return recording if isinstance(recording, list | tuple) else (recording,)


def check_recording(
    recording: Any,
    *,
    kind: str,
    index: int | None = None,
    reads_bags: bool = False,
    reader: str = "this step",
) -> Any:
    """Return one recording as numbers that can be computed with, or say what is wrong.

    Parameters
    ----------
    recording : array-like, or a bag of them
        What one ``X[i]`` is; see `kind`.
    kind : str
        A key of :data:`KINDS`.
    index : int or None, default=None
        Its place in the collection, for the error.
    reads_bags : bool, default=False
        Whether a list or tuple of segments may stand for the recording.
    reader : str, default="this step"
        Who reads it, for the error.

    Returns
    -------
    ndarray of float32, or list of them for a bag
        Not a copy where the recording is float32 already; 8-bit video stays 8-bit.

    Raises
    ------
    RecordingError
        Of the axes, the type or the values; it names the recording and the mend.
    TypeError
        If recordings of this kind are no arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.recordings import check_recording
    >>> check_recording(np.array([0, 1]), kind="waveform").dtype
    dtype('float32')
    """
    if not isinstance(recording, list | tuple):
        return _check_array(recording, kind, index, reader)
    if _begins_with_number(recording):
        lists = "a list" if isinstance(recording[0], Number) else "lists"
        raise RecordingError(
            f"is {lists} of numbers, not an array",
            f"Turn it into a numpy array before {reader}.",
            index,
        )
    if not reads_bags:
        raise RecordingError(
            "is a list, not an array",
            f"Turn it into a numpy array before {reader}; it does not read bags of segments.",
            index,
        )
    if not recording:
        raise RecordingError(
            "is an empty bag", f"Remove the recording before {reader} or give it a segment.", index
        )
    return [_check_segment(recording, i, kind, index, reader) for i in range(len(recording))]


def _begins_with_number(nested: Any) -> bool:
    """Whether the first thing in lists of lists of lists is a number."""
    while isinstance(nested, list | tuple) and nested:
        nested = nested[0]
    return isinstance(nested, Number)


def _check_segment(bag: Any, place: int, kind: str, index: int | None, reader: str) -> np.ndarray:
    if isinstance(bag[place], list | tuple):  # never channels, though numpy would stack it
        raise RecordingError(
            f"has a {type(bag[place]).__name__} as segment {place}",
            f"Segments must be arrays: turn it into a numpy array before {reader}, or put what "
            "it holds into the bag itself.",
            index,
        )
    return _check_array(bag[place], kind, index, reader)


def _array_axes(kind: str, reader: str) -> tuple[tuple[str, ...], ...]:
    if kind not in KINDS:
        raise TypeError(
            f"skspeech.recordings checks no {kind} but arrays ({', '.join(KINDS)}): "
            f"{reader} has to check X itself."
        )
    return KINDS[kind]


def _check_array(recording: Any, kind: str, index: int | None, reader: str) -> np.ndarray:
    axes = _array_axes(kind, reader)
    array = _as_numbers(recording, index, reader)
    if array.ndim not in map(len, axes):
        raise RecordingError(
            f"has shape {array.shape}",
            f"{reader} reads one {kind} a recording: {_describe(axes)}.",
            index,
        )
    if array.size == 0:
        raise RecordingError(
            f"is empty (shape {array.shape})", f"Remove the recording before {reader}.", index
        )
    array = _as_float32(array, kind)
    if array.dtype != np.uint8 and not np.isfinite(array).all():
        raise RecordingError(*_not_finite(array, axes, reader), index)
    return array


def _as_numbers(recording: Any, index: int | None, reader: str) -> np.ndarray:
    if hasattr(recording, "tocsr"):
        raise RecordingError("is sparse", f"Call its toarray() before {reader}.", index)
    try:
        array = np.asarray(recording)
    except Exception as error:  # tensors of another device or with a gradient
        raise RecordingError(
            f"cannot become a numpy array ({str(error).rstrip('.')})",
            f"Turn it into one before {reader}.",
            index,
        ) from error
    if array.dtype.kind == "c":
        raise RecordingError(
            "is complex",
            f"Complex data not supported: take the magnitude or power before {reader}.",
            index,
        )
    if array.dtype.kind not in "fiub":
        raise RecordingError(
            f"is no array of numbers but {type(recording).__name__}",
            f"Give {reader} a numpy array; read a file first, for example with soundfile.read.",
            index,
        )
    return array


def _as_float32(array: np.ndarray, kind: str) -> np.ndarray:
    if kind == "video" and array.dtype == np.uint8:
        return array
    with np.errstate(over="ignore"):  # what overflows becomes infinite and is named below
        return array.astype(np.float32, copy=False)


def _describe(axes: tuple[tuple[str, ...], ...]) -> str:
    shapes = ["(" + ", ".join(f"n_{name}s" for name in names) + ")" for names in axes]
    return "shape " + " or ".join(shapes)


def _not_finite(
    array: np.ndarray, axes: tuple[tuple[str, ...], ...], reader: str
) -> tuple[str, str]:
    """Say which value of an array is the first that is not finite, and the mend."""
    place = tuple(np.argwhere(~np.isfinite(array))[0])
    names = next(names for names in axes if len(names) == array.ndim)
    where = ", ".join(f"{name} {position:,}" for name, position in zip(names, place, strict=True))
    if np.isnan(array[place]):
        return f"holds NaN at {where}", f"Remove the recording or fill the gap before {reader}."
    return (
        f"holds infinity or a value too large for float32 at {where}",
        f"Remove the recording or rescale it before {reader}.",
    )


class _RecordingCheck:
    """check_recording with its options, picklable, for a RecordingSequence to map."""

    def __init__(self, kind: str, reads_bags: bool, reader: str):
        self.kind, self.reads_bags, self.reader = kind, reads_bags, reader

    def __call__(self, recording: Any, index: int | None = None) -> Any:
        return check_recording(
            recording,
            kind=self.kind,
            index=index,
            reads_bags=self.reads_bags,
            reader=self.reader,
        )


def validate_recordings(estimator: Any, X: Any, *, reset: bool) -> np.ndarray | RecordingSequence:
    """Return a collection whose items can be computed with, or say which one cannot.

    Parameters
    ----------
    estimator : estimator with ``__speech_tags__``
        Its tags say the kind of recording; ``n_features_in_`` and ``feature_names_in_``
        are set on it by a 2-D array or a data frame, and by nothing else.
    X : list, tuple, ndarray, data frame or RecordingSequence
        2-D arrays, data frames and lists of lists of numbers hold equally long waveforms
        or pitch tracks, or one-bin spectrograms.
    reset : bool
        True in ``fit``: what was known of the number of features is forgotten.

    Returns
    -------
    ndarray of float32, 1-D object array of such, or RecordingSequence
        Item i is recording i (or its bag). A RecordingSequence checks an item when read.

    Raises
    ------
    RecordingError
        Names the recording, what is wrong with it and what to do.
    TypeError, ValueError
        If the collection itself cannot be read, or the estimator's kind is no array.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.preprocessing import FixedDuration
    >>> from skspeech.recordings import validate_recordings
    >>> validate_recordings(FixedDuration(), [np.zeros(3), np.zeros(4)], reset=True).shape
    (2,)
    """
    tags = get_speech_tags(estimator)
    check = _RecordingCheck(tags.input_kind, tags.reads_bags, type(estimator).__name__)
    _array_axes(check.kind, check.reader)
    if not isinstance(X, RecordingSequence) and _is_table(X):
        return _validate_table(estimator, X, check, reset)
    if reset:
        for name in _FEATURES:
            vars(estimator).pop(name, None)
    if isinstance(X, RecordingSequence):
        return _not_empty(X).map(check)
    X = _not_empty(_as_collection(X, check))
    if isinstance(X, np.ndarray) and X.dtype != object:
        return _validate_array(X, check)
    recordings = object_array([check(recording, i) for i, recording in enumerate(X)])
    _check_layouts(recordings, check)
    return recordings


@contextmanager
def features_kept_on_failure(estimator: Any) -> Iterator[None]:
    """Put back what an estimator knew of the features where a new fit fails.

    Parameters
    ----------
    estimator : estimator
        On which :func:`validate_recordings` with ``reset=True`` is called in the block.
    """
    before = {name: vars(estimator)[name] for name in _FEATURES if name in vars(estimator)}
    try:
        yield
    except BaseException:
        for name in _FEATURES:
            vars(estimator).pop(name, None)
        vars(estimator).update(before)
        raise


def _is_table(X: Any) -> bool:
    """Whether scikit-learn too would see a table of numbers with one row a recording."""
    if hasattr(X, "tocsr") or hasattr(X, "iloc"):
        return len(X.shape) == 2
    if isinstance(X, list | tuple):
        return bool(X) and all(_is_row(row) for row in X)
    if not hasattr(X, "__array__"):
        return False
    # not np.ndim(X): scikit-learn asks that only __array__ of a foreign container be called
    return (X if hasattr(X, "ndim") else np.asarray(X)).ndim == 2


def _is_row(row: Any) -> bool:
    return isinstance(row, list | tuple) and len(row) > 0 and isinstance(row[0], Number | str)


def _as_collection(X: Any, check: _RecordingCheck) -> Any:
    if isinstance(X, str | bytes | dict | set) or not (
        hasattr(X, "__len__") or hasattr(X, "__array__")
    ):
        raise TypeError(
            f"{check.reader} reads a list, tuple, array or RecordingSequence of recordings, "
            f"got {type(X).__name__}."
        )
    if isinstance(X, list | tuple) and not (len(X) > 0 and isinstance(X[0], Number)):
        return X
    X = np.asarray(X)
    if X.ndim == 0 or (X.ndim == 1 and X.dtype.kind in "fiubc"):
        raise ValueError(
            f"{check.reader} expected a collection of recordings, got one {X.ndim}-D array. "
            "Reshape your data: put a single recording into a list, [x], or use x.reshape(1, -1)."
        )
    return X


def _not_empty(X: Any) -> Any:
    if len(X) == 0:
        raise ValueError("X holds no recordings (0 sample(s)); at least one is needed.")
    return X


def _validate_table(estimator: Any, X: Any, check: _RecordingCheck, reset: bool) -> np.ndarray:
    from sklearn.utils.validation import validate_data

    if isinstance(X, list | tuple) and len({len(row) for row in X}) > 1:
        raise ValueError(
            "X is a list of lists of numbers of different lengths. Turn each one into a numpy "
            f"array before {check.reader}, so that each is one recording."
        )
    if check.kind not in ("waveform", "pitch", "spectrogram"):
        raise ValueError(
            f"X is a 2-D table, but {check.reader} reads one {check.kind} a recording: "
            f"{_describe(KINDS[check.kind])}. Put the recordings into a list."
        )
    try:
        with np.errstate(over="ignore"):  # named below with its recording
            table = validate_data(
                estimator, X, reset=reset, dtype=np.float32, ensure_all_finite=False, order="C"
            )
    except ValueError as error:
        if _holds_numbers(X):
            raise
        raise ValueError(
            f"X is a table of something that is no numbers ({str(error).rstrip('.')}). Give "
            f"{check.reader} a list of arrays, or the one column of the table that holds arrays."
        ) from error
    return _validate_array(table[:, None] if check.kind == "spectrogram" else table, check)


def _holds_numbers(table: Any) -> bool:
    """Whether numpy makes numbers of every entry; what it has no message for counts too."""
    table = np.asarray(table)
    if table.dtype.kind not in "OUS":
        return True
    try:
        table.astype(np.float32)
    except ValueError:
        return False
    return True


def _validate_array(X: np.ndarray, check: _RecordingCheck) -> np.ndarray:
    """Check an array whose first axis is the recording, at once where nothing is wrong."""
    check(X[0], 0)
    X = _as_float32(X, check.kind)
    if X.dtype != np.uint8 and not np.isfinite(X).all():
        for i, recording in enumerate(X):
            check(recording, i)
    return X


def _check_layouts(recordings: np.ndarray, check: _RecordingCheck) -> None:
    """Refuse spectrograms of different bins or channels in one collection."""
    if check.kind != "spectrogram":
        return
    first = segments_of(recordings[0])[0].shape[:-1]
    axes = "".join(f"{size}, " for size in first)
    for i, recording in enumerate(recordings):
        for segment in segments_of(recording):
            if segment.shape[:-1] != first:
                raise RecordingError(
                    f"has shape {segment.shape} where X[0] has shape ({axes}n_frames)",
                    f"Give {check.reader} spectrograms of the same channels and bins.",
                    i,
                )

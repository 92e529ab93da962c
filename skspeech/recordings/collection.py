"""Which collections of recordings are read, and what an estimator learns from one."""

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Number
from typing import Any

import numpy as np

from skspeech.exceptions import RecordingError
from skspeech.recordings.checks import (
    KINDS,
    array_axes,
    as_float32,
    check_recording,
    describe,
    segments_of,
)
from skspeech.recordings.contour import check_same_symbols
from skspeech.recordings.sequence import RecordingSequence, object_array
from skspeech.tags import get_speech_tags

__all__ = ["features_kept_on_failure", "validate_recordings"]

_FEATURES = ("n_features_in_", "feature_names_in_")  # only tables have them


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
        or pitch tracks, one-bin spectrograms, or, where a reader of videos has a use for tables,
        videos of one frame of one column.
    reset : bool
        True in ``fit``: what was known of the number of features is forgotten.

    Returns
    -------
    ndarray of float32, 1-D object array of such, or RecordingSequence
        Item i is recording i (or its bag), as :func:`check_recording` returns it. A
        RecordingSequence checks an item when read. Contours come in an object array, however long.

    Raises
    ------
    RecordingError
        Names the recording, what is wrong with it and what to do.
    TypeError, ValueError
        If the collection itself cannot be read, or the estimator reads paths.

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
    if check.kind != "contour":
        array_axes(check.kind, check.reader)
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
    frames = check.kind == "video" and estimator.__sklearn_tags__().input_tags.two_d_array
    if check.kind not in ("waveform", "pitch", "spectrogram") and not frames:
        raise ValueError(
            f"X is a 2-D table, but {check.reader} reads one {check.kind} a recording: "
            f"{describe(KINDS[check.kind])}. Put the recordings into a list."
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
    axes = {"spectrogram": (slice(None), None), "video": (slice(None), None, slice(None), None)}
    return _validate_array(table[axes.get(check.kind, slice(None))], check)


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
    X = as_float32(X, check.kind)
    if X.dtype != np.uint8 and not np.isfinite(X).all():
        for i, recording in enumerate(X):
            check(recording, i)
    return X


def _check_layouts(recordings: np.ndarray, check: _RecordingCheck) -> None:
    """Refuse spectrograms of different bins or channels, or symbols of two types, in one X."""
    if check.kind == "contour":
        check_same_symbols(recordings, check.reader)
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

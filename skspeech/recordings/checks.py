"""What one recording of each kind is, and what is wrong with one that cannot be used."""

from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np

from skspeech.exceptions import RecordingError
from skspeech.recordings.contour import check_contour

__all__ = ["FRAMES_FIRST", "KINDS", "as_float32", "check_recording", "segments_of"]

#: The axes that one recording of each kind of array may have; time is last for sound, first for
#: video (whose frames may come with their context, UltrasoundFramer's) and for what a regressor
#: answers frame by frame. The other kinds of :data:`skspeech.tags.KINDS` are no arrays: a contour
#: is a list of phrases (:mod:`skspeech.recordings.contour`), a path is for its reader to check.
KINDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "waveform": (("sample",),),
    "spectrogram": (("bin", "frame"), ("channel", "bin", "frame")),
    "pitch": (("frame",),),
    "video": (("frame", "row", "column"), ("frame", "context", "row", "column")),
    "frame_targets": (("frame", "output"),),
}

#: The kinds whose first axis is time.
FRAMES_FIRST = ("video", "frame_targets")


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
    recording : array-like or a bag of them, or a contour
        What one ``X[i]`` is; see `kind`.
    kind : str
        A key of :data:`KINDS`, or ``"contour"``.
    index : int or None, default=None
        Its place in the collection, for the error.
    reads_bags : bool, default=False
        Whether a list or tuple of segments may stand for the recording; of contours it may not.
    reader : str, default="this step"
        Who reads it, for the error.

    Returns
    -------
    ndarray of float32, or list of them for a bag
        Not a copy where the recording is float32 already; video of 8 bits or half precision stays
        so. Of a contour the list of its phrases: each a Phrase as it is, or the tuple of its
        symbols.

    Raises
    ------
    RecordingError
        Of the axes, the type or the values; it names the recording and the mend.
    TypeError
        If recordings of this kind are neither arrays nor contours.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.recordings import check_recording
    >>> check_recording(np.array([0, 1]), kind="waveform").dtype
    dtype('float32')
    """
    if kind == "contour":
        return check_contour(recording, index=index, reader=reader)
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


def array_axes(kind: str, reader: str) -> tuple[tuple[str, ...], ...]:
    if kind not in KINDS:
        raise TypeError(
            f"skspeech.recordings checks no {kind} but contours and arrays ({', '.join(KINDS)}): "
            f"{reader} has to check X itself."
        )
    return KINDS[kind]


def _check_array(recording: Any, kind: str, index: int | None, reader: str) -> np.ndarray:
    axes = array_axes(kind, reader)
    array = _as_numbers(recording, index, reader)
    if array.ndim not in map(len, axes):
        raise RecordingError(
            f"has shape {array.shape}",
            f"{reader} reads one {kind} a recording: {describe(axes)}.",
            index,
        )
    if array.size == 0:
        raise RecordingError(
            f"is empty (shape {array.shape})", f"Remove the recording before {reader}.", index
        )
    array = as_float32(array, kind)
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
            f"Give {reader} a numpy array; to read audio files, put AudioLoader before it.",
            index,
        )
    return array


def as_float32(array: np.ndarray, kind: str) -> np.ndarray:
    """Return the array in float32; video of 8 bits or half precision stays as it is."""
    if kind == "video" and array.dtype in (np.uint8, np.float16):
        return array
    with np.errstate(over="ignore"):  # what overflows becomes infinite and is named below
        return array.astype(np.float32, copy=False)


def describe(axes: tuple[tuple[str, ...], ...]) -> str:
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

"""Numbers to be answered for every frame, as they come to ``fit``."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_array, check_consistent_length

from skspeech.recordings import RecordingSequence

__all__ = ["Targets", "read_targets"]


class Targets(NamedTuple):
    """What a network is to answer for each frame.

    Attributes
    ----------
    frames : list of ndarray of float32, shape (n_frames, n_outputs)
        Of each recording.
    ndim : int
        Axes of `y`: 1 or 2 for one frame a recording, 3 for a list of arrays.
    """

    frames: list[np.ndarray]
    ndim: int


def read_targets(recordings: Any, y: Any, *, reader: str) -> Targets:
    """Return the targets of each recording.

    Parameters
    ----------
    recordings : sequence
        Validated recordings.
    y : collection of n ndarrays of shape (n_frames, n_outputs), or array of shape (n,) or \
(n, n_outputs)
        An array of numbers with one or two axes is for recordings of one frame.
    reader : str
        Who reads them, for the errors.

    Returns
    -------
    Targets

    Raises
    ------
    ValueError
        If there are no targets, or they are not numbers for as many recordings.
    """
    if y is None:
        raise ValueError(
            f"This {reader} estimator requires y to be passed, but the target y is None."
        )
    if hasattr(y, "__array__") and not isinstance(y, RecordingSequence):
        y = np.asarray(y)
    if _is_plain(y):
        plain = check_array(
            y, ensure_2d=False, dtype=np.float64, input_name="y", estimator=reader, copy=True
        )
        check_consistent_length(recordings, plain)
        rows = plain.reshape(len(plain), 1, -1)
        return Targets([_checked(row, i) for i, row in enumerate(rows)], plain.ndim)
    check_consistent_length(recordings, y)
    frames = [_checked(y[i], i) for i in range(len(y))]
    for i, target in enumerate(frames):
        if target.shape[1] != frames[0].shape[1]:
            raise ValueError(
                f"y[{i}] has {target.shape[1]} outputs where y[0] has {frames[0].shape[1]}. Give "
                "the same outputs for every recording."
            )
    return Targets(frames, 3)


def _is_plain(y: Any) -> bool:
    """Whether y is numbers in one or two axes, not a collection of arrays."""
    if isinstance(y, RecordingSequence):
        return False
    if hasattr(y, "iloc") or np.isscalar(y):
        return True
    if isinstance(y, np.ndarray) and y.dtype != object:
        return y.ndim < 3
    first = y[0] if len(y) else 0
    return np.ndim(first) == 0 or (np.ndim(first) == 1 and not isinstance(first, np.ndarray))


def _checked(target: Any, i: int) -> np.ndarray:
    try:
        array = np.asarray(target)
        if array.dtype.kind not in "fiubO":  # text and complex numbers would be cast
            raise TypeError(f"dtype {array.dtype}")
        with np.errstate(over="ignore"):  # what overflows becomes infinite and is named below
            array = array.astype(np.float32, copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"y[{i}] is no array of real numbers but {type(target).__name__}. Give (n_frames, "
            "n_outputs) for each recording."
        ) from error
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"y[{i}] has shape {array.shape}; give (n_frames, n_outputs) for each recording."
        )
    if not np.isfinite(array).all():
        frame, output = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(
            f"y[{i}] holds NaN, infinity or what float32 cannot hold at frame {frame:,}, output "
            f"{output}. Remove X[{i}], fill the gap or rescale y."
        )
    return array

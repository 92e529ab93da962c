"""Segments of bags as recordings of their own."""

from typing import Any, NamedTuple

import numpy as np

from skspeech.exceptions import RecordingError
from skspeech.recordings.checks import segments_of
from skspeech.recordings.sequence import RecordingSequence, object_array

__all__ = ["Segments", "explode"]


class Segments(NamedTuple):
    """What :func:`explode` gives: a sample each for the n segments of all bags.

    Attributes
    ----------
    data : 1-D object array of n ndarrays
    target : ndarray of shape (n, ...) or None
    groups : ndarray of shape (n, ...) or None
    recordings : ndarray of shape (n,), dtype int64
        Which recording each is from.
    """

    data: np.ndarray
    target: np.ndarray | None
    groups: np.ndarray | None
    recordings: np.ndarray


def explode(bags: Any, y: Any = None, groups: Any = None) -> Segments:
    """Make each segment of each bag a sample of its own.

    Estimators read bags as they are and answer for recordings. Explode them where segments are what
    a protocol splits and counts, as in Arronte Alvarez and Gómez-Martín (2020): 20 percent of all
    motifs, drawn at random, are tested on. Such a split has segments of a recording on both sides,
    which is easier than a recording never heard: for that, split by `recordings` or `groups`.

    Parameters
    ----------
    bags : collection of n recordings
        A list or tuple is a bag; an array, a bag of one. A RecordingSequence is read here, each
        recording once, because how many segments it has is known only then: all are in memory.
    y : array-like of shape (n, ...) or None, default=None
        A label a recording, which its segments inherit.
    groups : array-like of shape (n, ...) or None, default=None
        A group a recording, likewise.

    Returns
    -------
    segments : Segments
        The tuple ``(data, target, groups, recordings)``: segments as they are in the bags, in their
        order; labels; groups; and the index of the recording that each segment is from. What was
        not given is None.

    Raises
    ------
    RecordingError
        If a bag is empty or holds something that is no array.
    TypeError, ValueError
        If `bags` is no collection or an empty one, or `y` or `groups` has another length.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.recordings import explode
    >>> bags = [[np.zeros((40, 5)), np.zeros((40, 9))], [np.zeros((40, 7))]]
    >>> segments = explode(bags, ["Ana", "Eva"])
    >>> [segment.shape for segment in segments.data]
    [(40, 5), (40, 9), (40, 7)]
    >>> segments.target.tolist(), segments.recordings.tolist()
    (['Ana', 'Ana', 'Eva'], [0, 0, 1])
    """
    sequence = bags if isinstance(bags, RecordingSequence) else RecordingSequence(bags)
    y, groups = _aligned("y", y, len(sequence)), _aligned("groups", groups, len(sequence))
    data: list[np.ndarray] = []
    counts = []
    for i, recording in enumerate(sequence):
        segments = _checked(recording, i)
        data.extend(segments)
        counts.append(len(segments))
    if not data:
        raise ValueError("There are no recordings to explode (0 sample(s)); give at least one.")
    recordings = np.repeat(np.arange(len(counts)), counts)
    return Segments(
        data=object_array(data),
        target=None if y is None else y[recordings],
        groups=None if groups is None else groups[recordings],
        recordings=recordings,
    )


def _aligned(name: str, values: Any, n_recordings: int) -> np.ndarray | None:
    if values is None:
        return None
    values = np.asarray(values)
    if values.ndim == 0 or len(values) != n_recordings:
        given = "is a single value" if values.ndim == 0 else f"has {len(values)} entries"
        raise ValueError(f"{name} {given}; it needs one for each of the {n_recordings} recordings.")
    return values


def _checked(recording: Any, index: int) -> list[Any]:
    segments = list(segments_of(recording))
    if not segments:
        raise RecordingError("is an empty bag", "Remove the recording or give it a segment.", index)
    for place, segment in enumerate(segments):
        if not getattr(segment, "ndim", 0) or segment.dtype == object:
            which = f"has as segment {place}" if isinstance(recording, list | tuple) else "is"
            raise RecordingError(
                f"{which} no array but {type(segment).__name__}",
                "Recordings are arrays here, and bags are lists or tuples of arrays.",
                index,
            )
    return segments

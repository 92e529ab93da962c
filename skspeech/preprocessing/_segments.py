"""A function of segments on every recording of a validated collection."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from skspeech.exceptions import RecordingError
from skspeech.recordings import RecordingSequence, object_array, segments_of

__all__ = ["in_the_form_of", "map_segments", "on_segments"]

#: From a list of segments to a list of as many; picklable. A RecordingError raised in it names a
#: place in that list.
Batch = Callable[[list[np.ndarray]], list[Any]]


def map_segments(recordings: Any, function: Batch, *, bags: bool = False) -> Any:
    """Return the collection with every segment of every recording transformed.

    Parameters
    ----------
    recordings : ndarray or RecordingSequence
        As :func:`skspeech.recordings.validate_recordings` returns it.
    function : Batch
        Called once with the segments of all recordings, or for each recording of a
        RecordingSequence when it is asked for.
    bags : bool, default=False
        Whether the function makes a bag of each segment.

    Returns
    -------
    ndarray of float32, 1-D object array of such, or RecordingSequence
        Of the form of `recordings`; an object array of bags.

    Raises
    ------
    RecordingError
        As raised by `function`, with the index of the recording.
    """
    if isinstance(recordings, RecordingSequence):
        return recordings.map(partial(on_segments, function))
    if recordings.dtype != object and not bags:
        return np.stack(function(list(recordings)))
    return object_array(_in_bags(function, list(recordings)))


def on_segments(function: Batch, recording: Any) -> Any:
    """Return what a function makes of a recording, or the list of it for the segments of a bag."""
    return _in_bags(function, [recording])[0]


def in_the_form_of(recordings: Any, answers: RecordingSequence) -> Any:
    """Return the answers as they are where recordings are read on access, else read them."""
    if isinstance(recordings, RecordingSequence):
        return answers
    return object_array(answers) if recordings.dtype == object else np.stack(list(answers))


def _in_bags(function: Batch, recordings: list[Any]) -> list[Any]:
    """Transform all segments of all recordings together, and put the bags back."""
    segments = [segment for recording in recordings for segment in segments_of(recording)]
    try:
        transformed = iter(function(segments))
    except RecordingError as error:
        if error.index is None:
            raise
        owners = [i for i, recording in enumerate(recordings) for _ in segments_of(recording)]
        raise error.at(owners[error.index]) from None
    return [
        [next(transformed) for _ in recording]
        if isinstance(recording, list | tuple)
        else next(transformed)
        for recording in recordings
    ]

"""One function on every recording of a validated collection."""

from collections.abc import Callable
from typing import Any

import numpy as np

from skspeech.recordings import RecordingSequence, object_array

__all__ = ["in_the_form_of", "map_recordings", "on_segments"]


def map_recordings(recordings: Any, function: Callable[[Any], Any]) -> Any:
    """Return the collection of what a function makes of each recording.

    Parameters
    ----------
    recordings : ndarray or RecordingSequence
        As :func:`skspeech.recordings.validate_recordings` returns it.
    function : callable
        From one recording, or bag, to another; picklable.

    Returns
    -------
    ndarray of float32, 1-D object array of such, or RecordingSequence
        Of the form of `recordings`.

    Raises
    ------
    RecordingError
        As raised by `function`, with the index of the recording.
    """
    if isinstance(recordings, RecordingSequence):
        return recordings.map(function)
    return in_the_form_of(recordings, RecordingSequence(recordings, function))


def in_the_form_of(recordings: Any, answers: RecordingSequence) -> Any:
    """Return the answers as they are where recordings are read on access, else read them."""
    if isinstance(recordings, RecordingSequence):
        return answers
    return object_array(answers) if recordings.dtype == object else np.stack(list(answers))


def on_segments(function: Callable[[np.ndarray], np.ndarray], recording: Any) -> Any:
    """Return ``function(recording)``, or the list of it for each segment of a bag."""
    if isinstance(recording, list | tuple):
        return [function(segment) for segment in recording]
    return function(recording)

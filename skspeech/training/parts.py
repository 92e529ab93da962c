"""The recordings of a ``fit`` as the net trains on them: a part to learn from, one to judge by."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skspeech.training.batches import Segments, survey
from skspeech.training.labels import class_shares, score_shares, segment_weights
from skspeech.training.moments import Moments
from skspeech.training.scheme import TrainingScheme

__all__ = ["Parts", "make_parts"]


@dataclass(frozen=True)
class Parts:
    """What a net trains on and is judged by.

    Parameters
    ----------
    training : Segments
    validation : Segments or None
        None where nothing is held out.
    shares : ndarray of float, shape (n_classes,), or None
        The weight of a validation recording of each class, where there are any.
    layout : tuple of int
        The axes before time.
    """

    training: Segments
    validation: Segments | None
    shares: np.ndarray | None
    layout: tuple[int, ...]


def make_parts(
    recordings: Any,
    labels: np.ndarray,
    classes: np.ndarray,
    held_out: np.ndarray,
    *,
    class_weight: Any,
    scheme: TrainingScheme,
    layout: tuple[int, ...] | None = None,
    moments: Moments | None = None,
) -> Parts:
    """Pass over the recordings once, and part and weigh their segments.

    Parameters
    ----------
    recordings : sequence
        Validated recordings or bags.
    labels : ndarray of int, shape (n_recordings,)
        As indices into `classes`.
    classes : ndarray of shape (n_classes,)
        The labels. Each is left in the training part, or nothing is held out.
    held_out : ndarray of int
        The validation recordings.
    class_weight : dict, "balanced" or None
    scheme : TrainingScheme
    layout : tuple of int or None, default=None
        The layout that the recordings must have; None takes that of the first.
    moments : Moments or None, default=None
        Filled with the training part.

    Returns
    -------
    Parts

    Raises
    ------
    RecordingError
        If a recording has other channels or bins than the layout.
    ValueError
        If `class_weight` does not fit the classes.
    """
    held = np.zeros(len(labels), dtype=bool)
    held[held_out] = True
    found = survey(recordings, layout=layout, moments=moments, measured=~held)
    by_segment = found.recording[~held[found.recording]]
    counted = np.flatnonzero(~held) if scheme.unit == "recording" else by_segment
    # an epoch that reads all classes equally often is balanced already
    in_loss = None if scheme.oversample and class_weight == "balanced" else class_weight
    shares = class_shares(in_loss, classes, labels[counted])
    weights = segment_weights(
        found, labels, shares, ~held, unit=scheme.unit, by_length=scheme.length_weighted
    )
    training = Segments(
        recordings,
        found,
        chosen=~held,
        targets=labels,
        weights=weights,
        crop_frames=scheme.crop_frames,
        oversample=scheme.oversample,
    )
    if not held.any():
        return Parts(training, None, None, found.layout)
    balanced = scheme.oversample or class_weight == "balanced"
    return Parts(
        training,
        Segments(recordings, found, chosen=held, targets=labels, weights=weights),
        score_shares(shares, labels[held], balanced=balanced),
        found.layout,
    )

"""Which training recordings are held out to stop the training at its best epoch."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["ValidationPart", "hold_out"]


@dataclass(frozen=True)
class ValidationPart:
    """What was held out of the training recordings, and how.

    Parameters
    ----------
    method : {"speaker", "stratified"} or None
        Whole speakers, a stratified draw of recordings, or nothing.
    indices : ndarray of int
        The recordings held out, as indices into the ``X`` of ``fit``.
    speakers : tuple
        The speakers held out whole.

    Examples
    --------
    >>> from skspeech.training.validation import ValidationPart
    >>> len(ValidationPart(None).indices)
    0
    """

    method: str | None
    indices: np.ndarray = field(default_factory=lambda: np.array([], dtype=np.intp))
    speakers: tuple[Any, ...] = ()


def hold_out(
    labels: np.ndarray,
    groups: np.ndarray | None,
    *,
    validation: str | None,
    fraction: float,
    rng: np.random.RandomState,
) -> ValidationPart:
    """Choose the recordings on which early stopping looks.

    Parameters
    ----------
    labels : ndarray of int, shape (n_recordings,)
    groups : ndarray of shape (n_recordings,) or None
        The speaker of each recording.
    validation : {"auto", "speaker", "stratified"} or None
        ``"auto"`` holds out whole speakers where groups are given, else a stratified part,
        else nothing. No way of holding out may take the last recording of a class.
    fraction : float
        The share of recordings to hold out, in (0, 1); whole speakers may make it larger.
    rng : RandomState

    Returns
    -------
    ValidationPart

    Raises
    ------
    ValueError
        If ``"speaker"`` or ``"stratified"`` is asked for and cannot be had.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.training.validation import hold_out
    >>> part = hold_out(np.array([0, 1] * 10), np.repeat([1, 2, 3, 4], 5), validation="auto",
    ...                 fraction=0.2, rng=np.random.RandomState(0))
    >>> part.method, len(part.indices)
    ('speaker', 5)
    """
    if validation == "speaker" and groups is None:
        raise ValueError(
            'validation="speaker" holds whole speakers out: pass groups to fit, one speaker a '
            'recording, or choose validation="stratified" or None.'
        )
    if validation in ("auto", "speaker") and groups is not None:
        part = _whole_speakers(labels, groups, fraction, rng)
        if part is not None:
            return part
        if validation == "speaker":
            raise ValueError(
                "No speaker can be held out for validation without taking the last recordings "
                'of a class away from training. Choose validation="stratified" or None.'
            )
    if validation in ("auto", "stratified"):
        part = _stratified(labels, fraction, rng)
        if part is not None:
            return part
        if validation == "stratified":
            raise ValueError(
                f"{len(labels)} recordings of {len(np.unique(labels))} classes are too few for a "
                f"stratified validation part of {fraction:g}. Choose validation=None."
            )
    return ValidationPart(None)


def _whole_speakers(
    labels: np.ndarray, groups: np.ndarray, fraction: float, rng: np.random.RandomState
) -> ValidationPart | None:
    speakers, speaker_of = np.unique(groups, return_inverse=True)
    held = np.zeros(len(labels), dtype=bool)
    chosen = []
    n_classes = len(np.unique(labels))
    for speaker in rng.permutation(len(speakers)):
        if held.sum() >= fraction * len(labels):
            break
        candidate = held | (speaker_of == speaker)
        if len(np.unique(labels[~candidate])) == n_classes:
            held = candidate
            chosen.append(speakers[speaker])
    if not chosen:
        return None
    return ValidationPart("speaker", np.flatnonzero(held), tuple(chosen))


def _stratified(
    labels: np.ndarray, fraction: float, rng: np.random.RandomState
) -> ValidationPart | None:
    from sklearn.model_selection import StratifiedShuffleSplit

    classes, counts = np.unique(labels, return_counts=True)
    n_held = int(np.ceil(fraction * len(labels)))
    n_kept = len(labels) - n_held
    # what StratifiedShuffleSplit needs; a validation part of one class would judge nothing
    if counts.min() < 2 or n_held < len(classes) or n_kept < len(classes):
        return None
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=n_held, random_state=rng)
    kept, held = next(splitter.split(np.zeros(len(labels)), labels))
    if len(np.unique(labels[kept])) < len(classes):
        return None
    return ValidationPart("stratified", np.sort(held))

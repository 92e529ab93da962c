"""Which training recordings are held out to stop the training at its best epoch."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["ValidationPart", "hold_out", "hold_out_unlabelled", "reads_groups"]

# sets of speakers tried; the one whose size is nearest to what is asked for is held out
N_DRAWS = 50


@dataclass(frozen=True)
class ValidationPart:
    """What was held out of the training recordings, and how.

    Parameters
    ----------
    method : {"speaker", "stratified", "random", "split"} or None
        Whole speakers, a stratified or plain draw of recordings, what a splitter chose, or nothing.
    indices : ndarray of int
        The recordings held out, as indices into the ``X`` of ``fit``.
    speakers : tuple
        The speakers held out whole.
    reason : str
        Why nothing was held out, or which classes the speakers held out do not cover.

    Examples
    --------
    >>> from skspeech.training.validation import ValidationPart
    >>> part = ValidationPart(None, reason="There is only one speaker.")
    >>> part.method, len(part.indices), part.reason
    (None, 0, 'There is only one speaker.')
    """

    method: str | None
    indices: np.ndarray = field(default_factory=lambda: np.array([], dtype=np.intp))
    speakers: tuple[Any, ...] = ()
    reason: str = ""


def hold_out(
    labels: np.ndarray,
    groups: np.ndarray | None,
    *,
    validation: Any,
    fraction: float,
    rng: np.random.RandomState,
) -> ValidationPart:
    """Choose the recordings on which early stopping looks.

    Parameters
    ----------
    labels : ndarray of int, shape (n_recordings,)
    groups : ndarray of shape (n_recordings,) or None
        The speaker of each recording.
    validation : {"auto", "speaker", "stratified"}, splitter or None
        ``"auto"`` holds out whole speakers where groups are given, else a stratified part,
        else nothing. The test part of a splitter's first split is held out as it is. No way of
        holding out may take the last recording of a class.
    fraction : float
        The share of recordings to hold out, in (0, 1). Whole speakers come as near as they can.
    rng : RandomState

    Returns
    -------
    ValidationPart

    Raises
    ------
    ValueError
        If ``"speaker"`` or ``"stratified"`` is asked for and cannot be had, or a splitter
        leaves no recording of a class to train on.

    Notes
    -----
    Speakers held out together have every class that at least two speakers have, even if that
    takes more than `fraction`: a part of one class would reward a network that always answers
    it. The last speaker of a class is always trained on; a class of one speaker is therefore
    not judged, and ``reason`` counts such classes. At most half of the recordings are held out.

    Where no speakers are found that meet all this, or fewer than two of several classes have two
    speakers, ``"speaker"`` raises and ``"auto"`` holds nothing out: in a stratified part the
    network would meet the speakers it is trained on. Only if all recordings are of one speaker
    is the stratified part right.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.training.validation import hold_out
    >>> part = hold_out(np.array([0, 1] * 10), np.repeat([1, 2, 3, 4], 5), validation="auto",
    ...                 fraction=0.2, rng=np.random.RandomState(0))
    >>> part.method, len(part.indices)
    ('speaker', 5)
    """
    if hasattr(validation, "get_n_splits"):
        return _split(labels, groups, validation)
    if validation == "speaker":
        return _speakers_asked_for(labels, groups, fraction, rng, otherwise="stratified")
    if validation == "auto" and groups is not None:
        part = _whole_speakers(labels, groups, fraction, rng)
        if len(np.unique(groups)) > 1:
            return part
    if validation in ("auto", "stratified"):
        part = _stratified(labels, fraction, rng)
        if validation == "stratified" and part.method is None:
            raise ValueError(f"{part.reason} Choose validation=None.")
        return part
    return ValidationPart(None, reason="validation=None asks for nothing to be held out.")


def hold_out_unlabelled(
    n_recordings: int,
    groups: np.ndarray | None,
    *,
    validation: Any,
    fraction: float,
    rng: np.random.RandomState,
) -> ValidationPart:
    """Choose the recordings on which early stopping looks, where they have no classes.

    Parameters
    ----------
    n_recordings : int
    groups : ndarray of shape (n_recordings,) or None
        The speaker of each recording.
    validation : {"auto", "speaker", "random"}, splitter or None
        ``"auto"`` holds out whole speakers where groups of several are given, else recordings drawn
        at random, else nothing. The rest is as for :func:`hold_out`.
    fraction : float
    rng : RandomState

    Returns
    -------
    ValidationPart

    Raises
    ------
    ValueError
        If ``"speaker"`` or ``"random"`` is asked for and cannot be had.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.training.validation import hold_out_unlabelled
    >>> hold_out_unlabelled(20, None, validation="auto", fraction=0.2,
    ...                     rng=np.random.RandomState(0)).method
    'random'
    """
    if validation in ("auto", "random"):
        speakers = groups is not None and len(np.unique(groups)) > 1
        if validation == "random" or not speakers:
            part = _at_random(n_recordings, fraction, rng)
            if validation == "random" and part.method is None:
                raise ValueError(f"{part.reason} Choose validation=None.")
            return part
    labels = np.zeros(n_recordings, dtype=np.intp)
    if validation == "speaker":
        return _speakers_asked_for(labels, groups, fraction, rng, otherwise="random")
    return hold_out(labels, groups, validation=validation, fraction=fraction, rng=rng)


def _at_random(n_recordings: int, fraction: float, rng: np.random.RandomState) -> ValidationPart:
    n_held = int(np.ceil(fraction * n_recordings))
    if n_held >= n_recordings:
        return ValidationPart(
            None,
            reason=f"{n_recordings} recordings are too few for a validation part of {fraction:g}.",
        )
    return ValidationPart("random", np.sort(rng.permutation(n_recordings)[:n_held]))


def _speakers_asked_for(
    labels: np.ndarray,
    groups: np.ndarray | None,
    fraction: float,
    rng: np.random.RandomState,
    *,
    otherwise: str,
) -> ValidationPart:
    """Hold whole speakers out, or say what else there is."""
    if groups is None:
        raise ValueError(
            'validation="speaker" holds whole speakers out: pass groups to fit, one speaker a '
            f'recording, or choose validation="{otherwise}" or None.'
        )
    part = _whole_speakers(labels, groups, fraction, rng)
    if part.method is None:
        raise ValueError(
            f"{part.reason} Pass recordings of more speakers, or choose "
            f'validation="{otherwise}" (of speakers that are also trained on) or None.'
        )
    return part


def _whole_speakers(
    labels: np.ndarray, groups: np.ndarray, fraction: float, rng: np.random.RandomState
) -> ValidationPart:
    speakers, speaker_of = np.unique(groups, return_inverse=True)
    classes, label_of = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(speakers), len(classes)), dtype=np.intp)
    np.add.at(counts, (speaker_of, label_of), 1)
    coverable = (counts > 0).sum(axis=0) > 1
    n_alone = int((~coverable).sum())
    if len(speakers) == 1:
        return ValidationPart(None, reason="No speaker can be held out: there is only one.")
    if coverable.sum() < min(2, len(classes)):
        return ValidationPart(
            None,
            reason=f"No speaker can be held out: {n_alone} of {len(classes)} classes have one "
            "speaker only, and at least two classes must have two speakers or more, one to train "
            "on and one to hold out.",
        )
    held = _nearest_draw(counts, coverable, fraction * len(labels), rng)
    if held is None:
        return ValidationPart(
            None,
            reason="No speaker can be held out: no speakers were found who together have every "
            "class that two or more speakers have, leave each class a speaker to train on, and "
            "have at most half of the recordings.",
        )
    return ValidationPart(
        "speaker",
        np.flatnonzero(held[speaker_of]),
        tuple(speakers[held]),
        f"{n_alone} of {len(classes)} classes not held out: one speaker only." if n_alone else "",
    )


def _nearest_draw(
    counts: np.ndarray, coverable: np.ndarray, target: float, rng: np.random.RandomState
) -> np.ndarray | None:
    """Of many sets of speakers drawn, the one whose size is nearest to the target."""
    sizes = counts.sum(axis=1)
    best, best_distance = None, np.inf
    for draw in range(N_DRAWS):
        # every other draw prefers small speakers, with whom covering takes fewer recordings
        order = np.argsort(rng.random_sample(len(sizes)) * (sizes if draw % 2 else 1))
        drawn = _draw(counts[order], coverable, target)
        if drawn is None:
            continue
        held = np.zeros(len(sizes), dtype=bool)
        held[order[drawn]] = True
        distance = abs(sizes[held].sum() - target)
        if distance < best_distance:
            best, best_distance = held, distance
    return best


def _draw(counts: np.ndarray, coverable: np.ndarray, target: float) -> np.ndarray | None:
    """Take speakers in their order: who is needed to cover the classes, then up to the target.

    Never the last speaker of a class, never more than half of the recordings.
    """
    spoken = counts > 0
    sizes = counts.sum(axis=1)
    room = int(sizes.sum()) // 2
    held = np.zeros(len(sizes), dtype=bool)
    n_kept = spoken.sum(axis=0)  # the speakers whom each class still has for training
    missing = coverable.copy()
    size = 0
    while missing.any():
        free = ~held & (sizes <= room - size) & ~spoken[:, n_kept == 1].any(axis=1)
        able = spoken & free[:, None]
        hardest = np.where(missing, able.sum(axis=0), len(sizes) + 1).argmin()
        speaker = able[:, hardest].argmax()
        if not able[speaker, hardest]:
            return None
        held[speaker] = True
        n_kept -= spoken[speaker]
        missing &= ~spoken[speaker]
        size += sizes[speaker]
    for speaker in np.flatnonzero(~held & (sizes <= room - size)):
        if size >= target:
            break
        larger = size + sizes[speaker]
        if (
            larger <= room
            and abs(larger - target) <= abs(size - target)
            and not (n_kept[spoken[speaker]] == 1).any()
        ):
            held[speaker] = True
            n_kept -= spoken[speaker]
            size = larger
    # who came in for one class may have become needless by who came in for the next
    n_held = spoken[held].sum(axis=0)
    chosen = np.flatnonzero(held)
    for speaker in chosen[np.argsort(-sizes[chosen], kind="stable")]:
        needed = (n_held[spoken[speaker] & coverable] == 1).any()
        if not needed and abs(size - sizes[speaker] - target) < abs(size - target):
            held[speaker] = False
            n_held -= spoken[speaker]
            size -= sizes[speaker]
    return held


def _stratified(labels: np.ndarray, fraction: float, rng: np.random.RandomState) -> ValidationPart:
    from sklearn.model_selection import StratifiedShuffleSplit

    classes, counts = np.unique(labels, return_counts=True)
    n_held = int(np.ceil(fraction * len(labels)))
    n_kept = len(labels) - n_held
    too_few = ValidationPart(
        None,
        reason=f"{len(labels)} recordings of {len(classes)} classes, the rarest with "
        f"{counts.min()}, are too few for a stratified validation part of {fraction:g}.",
    )
    # what StratifiedShuffleSplit needs; a validation part of one class would judge nothing
    if counts.min() < 2 or n_held < len(classes) or n_kept < len(classes):
        return too_few
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=n_held, random_state=rng)
    kept, held = next(splitter.split(np.zeros(len(labels)), labels))
    if len(np.unique(labels[kept])) < len(classes):
        return too_few
    return ValidationPart("stratified", np.sort(held))


def reads_groups(splitter: Any) -> bool:
    """Whether a splitter asks for groups; scikit-learn's own warn where they get them unasked."""
    if not hasattr(splitter, "get_metadata_routing"):
        return True  # not scikit-learn's: its split may need them
    return "groups" in splitter.get_metadata_routing().consumes("split", ["groups"])


def _split(labels: np.ndarray, groups: np.ndarray | None, splitter: Any) -> ValidationPart:
    """Hold out the test part of a splitter's first split."""
    asked = groups if reads_groups(splitter) else None
    found = next(iter(splitter.split(np.zeros((len(labels), 1)), labels, asked)), None)
    held = np.unique([] if found is None else found[1]).astype(np.intp)
    name = type(splitter).__name__
    if not len(held):
        raise ValueError(
            f"validation={name}() holds nothing out of these {len(labels)} recordings. Choose "
            "another splitter, or validation=None."
        )
    kept = np.delete(labels, held)
    if len(np.unique(kept)) < len(np.unique(labels)):
        all_of = "every recording of a class" if len(kept) else "every recording"
        raise ValueError(
            f"validation={name}() holds out {all_of}. Choose a splitter that leaves some to train "
            "on."
        )
    if groups is None:
        return ValidationPart("split", held)
    speakers = np.setdiff1d(groups[held], np.delete(groups, held))
    return ValidationPart("split", held, tuple(speakers))

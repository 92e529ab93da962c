"""Labels and groups as they come to ``fit``, and how much each recording weighs in the loss."""

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

if TYPE_CHECKING:  # torch is not needed here
    from skspeech.training.batches import Survey

__all__ = ["check_groups", "class_shares", "encode_labels", "score_shares", "segment_weights"]


def encode_labels(recordings: Any, y: Any, *, reader: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes, sorted, and the label of each recording as an index into them.

    Raises
    ------
    ValueError
        If there are no labels, or they are not one class a recording.
    """
    if y is None:
        raise ValueError(
            f"This {reader} estimator requires y to be passed, but the target y is None."
        )
    y = column_or_1d(check_array(y, ensure_2d=False, dtype=None, input_name="y"), warn=True)
    check_consistent_length(recordings, y)
    check_classification_targets(y)
    return np.unique(y, return_inverse=True)


def check_groups(recordings: Any, groups: Any) -> np.ndarray | None:
    """Return one group a recording.

    Raises
    ------
    ValueError
        If there are not as many groups as recordings, one of them is missing, or they are of kinds
        that cannot be sorted.
    """
    if groups is None:
        return None
    # as they are: an array of str and NaN would have a speaker called "nan"
    single = np.asarray(groups, dtype=object)
    if single.ndim != 1:
        raise ValueError(
            f"groups has shape {single.shape}; give one speaker a recording, (n_recordings,)."
        )
    check_consistent_length(recordings, single)
    for i, group in enumerate(single):
        if _is_missing(group):
            raise ValueError(
                f"groups[{i}] is missing: name a speaker for X[{i}], or leave the recording out."
            )
        if not _can_be_sorted(group, single[0]):
            raise ValueError(
                f"groups[{i}] is {group!r}, X[{i}]'s speaker, but groups[0] is {single[0]!r}: name "
                "all speakers by str or all by numbers."
            )
    return np.asarray(groups)


def _is_missing(group: Any) -> bool:
    """Whether it is None or, as NaN, NaT and pandas.NA are, not equal to itself."""
    try:
        return group is None or bool(group != group)
    except TypeError:  # pandas.NA, which says neither
        return True


def _can_be_sorted(group: Any, other: Any) -> bool:
    try:
        group < other  # noqa: B015 - whether it can be told is what is asked
    except TypeError:
        return False
    return True


def class_shares(class_weight: Any, classes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the weight of each class in the loss.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        Weights by label, 1 for a label left out; or the inverse of the class's frequency.
    classes : ndarray of shape (n_classes,)
        The labels.
    labels : ndarray of int, shape (n_recordings,)
        The class of each training recording, as an index into `classes`.

    Returns
    -------
    ndarray of float, shape (n_classes,)

    Raises
    ------
    ValueError
        If a weight is not for one of the classes, or none is above 0.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.training.labels import class_shares
    >>> class_shares({"sad": 3.0}, np.array(["calm", "sad"]), np.array([0, 1])).tolist()
    [1.0, 3.0]
    """
    if isinstance(class_weight, dict):
        names = classes.tolist()
        unknown = [label for label in class_weight if label not in names]
        if unknown:
            raise ValueError(f"class_weight names classes that y does not hold: {unknown}.")
        class_weight = {code: class_weight.get(label, 1.0) for code, label in enumerate(names)}
    shares = compute_class_weight(class_weight, classes=np.arange(len(classes)), y=labels)
    if not (np.isfinite(shares).all() and shares.min() >= 0 and shares[labels].any()):
        raise ValueError(
            f"class_weight makes the weights {shares.tolist()}: they must be finite, none below 0 "
            "and at least one above."
        )
    return shares


def score_shares(shares: np.ndarray, held_out: np.ndarray, *, balanced: bool) -> np.ndarray:
    """Return the weight of a validation recording of each class.

    Parameters
    ----------
    shares : ndarray of float, shape (n_classes,)
        The weight of each class in the loss.
    held_out : ndarray of int, shape (n_recordings,)
        The classes of the validation recordings.
    balanced : bool
        Whether all classes that are held out weigh alike, which makes the accuracy the mean
        of their recalls, in place of `shares`.

    Returns
    -------
    ndarray of float, shape (n_classes,)

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.training.labels import score_shares
    >>> score_shares(np.ones(3), np.array([0, 0, 2]), balanced=True).tolist()
    [0.5, 0.0, 1.0]
    """
    if not balanced:
        return shares
    sizes = np.bincount(held_out, minlength=len(shares))
    return np.where(sizes > 0, 1 / np.maximum(sizes, 1), 0.0)


def segment_weights(
    found: "Survey",
    labels: np.ndarray,
    shares: np.ndarray,
    trained: np.ndarray,
    *,
    unit: str = "recording",
    by_length: bool = False,
) -> np.ndarray:
    """Return the weight of each segment in the loss, 1 on average over the training part.

    Parameters
    ----------
    found : Survey
        Of all recordings.
    labels : ndarray of int, shape (n_recordings,)
        As indices into the classes.
    shares : ndarray of float, shape (n_classes,)
        The weight of each class.
    trained : ndarray of bool, shape (n_recordings,)
        Which recordings are trained on.
    unit : {"recording", "segment"}, default="recording"
        What weighs as its class does: a recording, however many segments stand for it, or each
        segment of it.
    by_length : bool, default=False
        Whether a segment weighs in inverse proportion to its length, too.

    Returns
    -------
    ndarray of float, shape (n_segments,)
    """
    weights = shares[labels][found.recording]
    if unit == "recording":
        weights = weights / np.bincount(found.recording)[found.recording]
    if by_length:
        weights = weights / found.lengths
    return weights / weights[trained[found.recording]].mean()

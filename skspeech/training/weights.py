"""The share of each segment in the loss."""

from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

__all__ = ["class_shares"]


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
    >>> from skspeech.training.weights import class_shares
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

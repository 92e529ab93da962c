"""What a training is known by: a hash of all that its result depends on."""

from types import FunctionType
from typing import Any

import numpy as np
import torch
from joblib.hashing import NumpyHasher

from skspeech.training.checkpoint import net_digest

__all__ = ["training_key"]

# These change where and how loudly a network is trained, and nothing of the result.
_NO_MATTER = ("checkpoint_dir", "verbose")


def training_key(estimator: Any, *data: Any) -> str:
    """Return a hash of all that a training's result depends on.

    It is the same in every process. Functions and classes are known by their names.

    Parameters
    ----------
    estimator : Network
        With its parameters; one that trains on, with its weights and its optimiser's state.
    *data
        What it is fitted on: recordings, targets, groups, what is held out.

    Raises
    ------
    ValueError
        If the seed is None, or something is not to be told from others, such as a lambda.
    """
    from skspeech import __version__

    if estimator.random_state is None:
        raise ValueError(
            "checkpoint_dir needs a random_state: without one, each run holds out other "
            "recordings, and none could go on where another stopped. Set random_state=0."
        )
    parameters = estimator.get_params(deep=False)
    parameters = {name: parameters[name] for name in sorted(parameters.keys() - _NO_MATTER)}
    trains_on = estimator.warm_start and hasattr(estimator, "net_")
    start = net_digest(estimator.net_) if trains_on else ""
    known = (__version__, _full_name(type(estimator)), parameters, start)
    try:
        return _ContentHasher(coerce_mmap=True).hash((known, *data))
    except Exception as error:  # what pickle raises depends on what it meets
        error.args = error.args[:1]  # joblib adds all that it was given
        raise ValueError(
            f"{type(estimator).__name__} cannot be told from others for its checkpoint ({error}). "
            "Use functions of a module in its parameters and to read recordings, or set "
            "checkpoint_dir=None."
        ) from error


class _ContentHasher(NumpyHasher):
    """joblib's hash, for which a worker process is no other place than its parent."""

    def save(self, obj: Any) -> None:
        if isinstance(obj, torch.Tensor):  # pickled with its address in memory
            obj = ("tensor", obj.detach().cpu().numpy())
        elif isinstance(obj, np.ndarray) and not obj.dtype.hasobject:
            obj = obj.ravel().reshape(obj.shape)  # a worker gets it with other strides
        elif isinstance(obj, frozenset):  # in an order of its process
            obj = set(obj)
        elif isinstance(obj, type | FunctionType) and _is_of_the_script(obj):
            obj = _full_name(obj)  # a worker has it, but not by this name
        super().save(obj)


def _is_of_the_script(obj: Any) -> bool:
    return obj.__module__ == "__main__" and "<" not in obj.__qualname__  # no lambda


def _full_name(obj: Any) -> str:
    return f"{obj.__module__}.{obj.__qualname__}"

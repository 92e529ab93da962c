"""Models on disk without pickle: reading a file runs nothing that is in it.

A model is one file of :mod:`skspeech.archive`: its tree says which classes of which distributions
it is made of, their parameters and what they learned.

A network is built again by its own class from its parameters, and then given its weights.
"""

import os
from collections.abc import Callable
from dataclasses import fields
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skspeech.archive import FileFormat, TreeReader, TreeWriter, joined, write_whole

__all__ = ["FORMAT_VERSION", "check_savable", "load_model", "save_model"]

#: What :func:`save_model` writes. A reader refuses every other version.
FORMAT_VERSION = 1

_FORMAT = FileFormat("skspeech model", FORMAT_VERSION)
_GROUPS = ("skspeech.classifiers", "skspeech.regressors", "skspeech.transformers")
_PIPELINE = {"class": "Pipeline", "distribution": "scikit-learn"}
_NET_SETTINGS = ("batch_frames", "batch_size", "lr", "precision", "verbose")
# what belongs to a program and not to a model: whom to tell, and which metadata to route
_LEFT_OUT = {"_metadata_request", "_parent_callback_ctx", "_skl_callbacks"}
_PLAIN = (type(None), bool, int, str)


def save_model(estimator: Any, path: str | os.PathLike, *, overwrite: bool = False) -> None:
    """Write a fitted estimator to one file, without pickle.

    Parameters
    ----------
    estimator : estimator
        One of this package's own (``skspeech list`` shows them), or a scikit-learn Pipeline of
        them. It is not changed.
    path : str or path-like
        The file. It appears once it is complete: a failure leaves what was there before.
    overwrite : bool, default=False
        Whether a file of this name may be replaced.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    NotFittedError
        If a step is not fitted.
    TypeError
        If a step is of another class, or a parameter or fitted attribute is nothing that a file
        can hold without code, such as a function. The message names it. What only training
        reads, such as `callbacks`, may be set to None first: the fitted network stays as it is.
    ValueError
        If the parameters of a network were changed so that they no longer describe it.

    Notes
    -----
    Left out are the state of the optimiser (a further training with ``warm_start`` begins with
    a fresh one), what callbacks recorded beside ``history_``, callbacks of ``set_callbacks``
    and metadata requests. The same estimator gives the same bytes.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.pipeline import make_pipeline
    >>> from skspeech.persistence import load_model, save_model
    >>> from skspeech.preprocessing import FixedDuration, LogMelSpectrogram
    >>> front_end = make_pipeline(FixedDuration(duration=3.0), LogMelSpectrogram())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(front_end, Path(folder) / "front_end.skspeech")
    ...     loaded = load_model(Path(folder) / "front_end.skspeech")
    >>> loaded[0]
    FixedDuration(duration=3.0)
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists. Choose another name, or pass overwrite=True.")
    write_whole(path, _packed(estimator))


def check_savable(estimator: Any) -> None:
    """Refuse an estimator that :func:`save_model` could not write, before it is fitted.

    Parameters
    ----------
    estimator : estimator
        Fitted or not.

    Raises
    ------
    TypeError
        If a step or a parameter is nothing that a file can hold without code; it is named.

    Examples
    --------
    >>> from skspeech.persistence import check_savable
    >>> from skspeech.preprocessing import FixedDuration
    >>> check_savable(FixedDuration())
    """
    _Writer().estimator(estimator, "", fitted=False)


def load_model(path: str | os.PathLike) -> Any:
    """Read an estimator that :func:`save_model` wrote.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    estimator
        Fitted, with the parameters and answers of the one that was saved: bit for bit on the
        same machine with the same versions and number of threads. If its `device` is not there,
        it computes on the best one that is.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no such file, damaged, of another format version, or holds a class that is not
        known here. The message names the file and what is wrong.
    """
    data = Path(path).read_bytes()
    # Whatever a parser makes of a file that anybody may have written, it is the file's fault.
    try:
        return _unpacked(data)
    except Exception as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ValueError(f"{path} cannot be loaded: {kind}{error}") from error


def _packed(estimator: Any) -> bytes:
    writer = _Writer()
    model = writer.estimator(estimator, "", fitted=True)
    return _FORMAT.pack(model, writer.tensors)


def _unpacked(data: bytes) -> Any:
    members, versions = _FORMAT.unpack(data)
    reader = _Reader(_FORMAT.tensors(members))
    try:
        return reader.estimator(_FORMAT.tree(members))
    except Exception as error:
        written = versions["skspeech"]
        if written == version("skspeech"):
            raise
        hint = f"It was written by skspeech {written}; this is {version('skspeech')}."
        raise ValueError(f"{type(error).__name__}: {error} {hint}") from error


def _check_no_cache(parameters: dict[str, Any], key: str) -> None:
    """Refuse to write where an estimator keeps what it computed: a folder of pickles."""
    if parameters.get("memory") is not None:
        raise TypeError(
            f"{joined(key, 'memory')} is a cache of this machine. Set it to None first: "
            "what is fitted stays as it is."
        )


def _refuse_cache(node: dict[str, Any]) -> None:
    """Refuse a file that names a cache: the estimator would read pickles from there."""
    if node["parameters"].get("memory") is not None:
        raise ValueError(f"it gives its {node['class']} a cache.")


def _own_classes() -> dict[str, Any]:
    """Return the entry points of our own estimators; a plugin's are not trusted by their name."""
    points = distribution("skspeech").entry_points
    return {point.name: point for point in points if point.group in _GROUPS}


class _Writer(TreeWriter):
    """Turns estimators into a tree; a key is that of ``set_params``: ``step__parameter``."""

    def estimator(self, estimator: Any, key: str, *, fitted: bool) -> dict[str, Any]:
        if type(estimator) is Pipeline:
            return self._pipeline(estimator, key, fitted)
        cls = type(estimator)
        point = _own_classes().get(cls.__name__)
        if point is None or point.value != f"{cls.__module__}:{cls.__qualname__}":
            best = " Save its best_estimator_." if hasattr(estimator, "best_estimator_") else ""
            raise TypeError(
                f"{f'The step {key!r}' if key else 'The model'} is a {cls.__qualname__} of "
                f"{cls.__module__}. What can be saved are skspeech's own estimators (skspeech "
                f"list) and scikit-learn's Pipeline of them.{best}"
            )
        if fitted:
            check_is_fitted(estimator)
        parameters = estimator.get_params(deep=False)
        _check_no_cache(parameters, key)
        node = {
            "class": cls.__name__,
            "distribution": "skspeech",
            "parameters": self.all(parameters, key),
            "state": self.all(_state(estimator, key), key),
        }
        if hasattr(estimator, "net_"):
            node["net"] = self._net(estimator, key)
        return node

    def _pipeline(self, pipeline: Pipeline, key: str, fitted: bool) -> dict[str, Any]:
        parameters = pipeline.get_params(deep=False)
        steps = []
        for name, step in parameters.pop("steps"):
            step_key = joined(key, name)
            plain = step is None or step == "passthrough"
            steps.append([name, step if plain else self.estimator(step, step_key, fitted=fitted)])
        _check_no_cache(parameters, key)
        del parameters["memory"]
        return {**_PIPELINE, "steps": steps, "parameters": self.all(parameters, key)}

    def _net(self, estimator: Any, key: str) -> dict[str, Any]:
        """Keep the weights, what the net was set to when it was fitted, and a row an epoch."""
        net = estimator.net_
        planned, fitted = _planned_network(estimator), net.module_.network
        if repr(planned) != repr(fitted) or _shapes(planned) != _shapes(fitted):
            raise ValueError(
                f"The parameters of {key or 'the model'} were changed after fit and describe "
                "another network than the fitted one. Set them back, or fit again."
            )
        weights = {}
        for name, tensor in net.module_.state_dict().items():
            weights[name] = self.tensor(tensor.cpu().numpy(), f"{joined(key, 'net_')}/{name}")
        settings = {name: getattr(net, name) for name in _NET_SETTINGS}
        return {
            "weights": weights,
            "settings": self.all(settings, joined(key, "net_")),
            "history": self.items(_plain_rows(net.history), f"{joined(key, 'net_')}/history"),
        }

    def _encoders(self) -> dict[type, Callable[[Any, str], Any]]:
        from skspeech.training.validation import ValidationPart

        return {
            **super()._encoders(),
            ValidationPart: lambda value, key: {
                "validation": self.all({f.name: getattr(value, f.name) for f in fields(value)}, key)
            },
            BaseEstimator: lambda value, key: {
                "estimator": self.estimator(value, key, fitted=False)
            },
        }

    def _mend(self, key: str) -> str:
        return (
            " If it is a parameter, set it to numbers, text or None first, set_params"
            f"({key.split('/')[0]}=...). A fitted network reads optimizer, callbacks, validation "
            "and random_state no more."
        )


class _Reader(TreeReader):
    """Turns back what :class:`_Writer` made."""

    def estimator(self, node: dict[str, Any]) -> Any:
        if {key: node[key] for key in _PIPELINE} == _PIPELINE:
            steps = [
                (name, self.estimator(step) if isinstance(step, dict) else step)
                for name, step in node["steps"]
            ]
            _refuse_cache(node)
            return Pipeline(steps, **self.all(node["parameters"]))
        point = _own_classes().get(node["class"])
        if point is None or node["distribution"] != "skspeech":
            raise ValueError(
                f"it holds a {node['class']!r} of {node['distribution']!r}, which is none of the "
                f"estimators of skspeech {version('skspeech')}."
            )
        _refuse_cache(node)
        estimator = point.load()(**self.all(node["parameters"]))
        estimator._validate_params()
        state = self.all(node["state"])
        if "_sklearn_output_config" in state:
            estimator.set_output(**state.pop("_sklearn_output_config"))
        for name, value in state.items():
            if not _is_learned(name, estimator):
                raise ValueError(f"it gives {node['class']} an attribute {name!r}.")
            setattr(estimator, name, value)
        if "net" in node:
            estimator.net_ = self._net(estimator, node["net"])
        return estimator

    def _decoders(self) -> dict[str, Callable[[Any], Any]]:
        from skspeech.training.validation import ValidationPart

        return {
            **super()._decoders(),
            "estimator": self.estimator,
            "validation": lambda items: ValidationPart(**self.all(items)),
        }

    def _net(self, estimator: Any, saved: dict[str, Any]) -> Any:
        import torch
        from skorch.history import History

        from skspeech.training.seeding import seeded

        weights = {
            name: torch.from_numpy(self.tensors[key]) for name, key in saved["weights"].items()
        }
        # compared before anything of that size is built
        moments = {name: weights[name].numpy() for name in estimator._moments if name in weights}
        found = {
            name.removeprefix("network."): tuple(tensor.shape)
            for name, tensor in weights.items()
            if name not in moments
        }
        halves = ("mean" in moments) != ("scale" in moments)
        if halves or found != _shapes(_planned_network(estimator)):
            raise ValueError(
                f"its weights do not fit the parameters of {type(estimator).__name__}."
            )
        device = _device(estimator.device)
        with seeded(0, device):  # the weights drawn here are replaced at once
            net = estimator._net_of(estimator._planned_network(), moments, device)
        net.module_.load_state_dict(weights)
        net.adjust(weight_decay=estimator.weight_decay, **self.all(saved["settings"]))
        net.history = History({**row, "batches": []} for row in self.value(saved["history"]))
        return net


def _state(estimator: Any, key: str) -> dict[str, Any]:
    """Return what an estimator learned, its net apart; refuse what may be part of an answer."""
    known = {*estimator.get_params(deep=False), *_LEFT_OUT, "net_"}
    state = {name: value for name, value in vars(estimator).items() if name not in known}
    for name in state:
        if not _is_learned(name, estimator) and name != "_sklearn_output_config":
            raise TypeError(
                f"{joined(key, name)} is neither a parameter nor a fitted attribute, whose name "
                "ends with an underscore: it would be lost."
            )
    return state


def _is_learned(name: str, estimator: Any) -> bool:
    public = name.isidentifier() and not name.startswith("_")
    return public and name.endswith("_") and not hasattr(type(estimator), name)


def _plain_rows(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in row.items()
            if isinstance(value, (np.generic, float, *_PLAIN))
        }
        for row in history
    ]


def _planned_network(estimator: Any) -> Any:
    """Build the network that an estimator's parameters describe, without its numbers."""
    import torch

    with torch.device("meta"):
        return estimator._planned_network()


def _shapes(network: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def _device(wanted: str) -> str:
    from skspeech.training.net import resolve_device

    try:
        return resolve_device(wanted)
    except ValueError:  # trained on another machine
        return resolve_device("auto")

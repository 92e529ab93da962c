"""Models on disk without pickle: reading a file runs nothing that is in it.

A model is one zip file, stored and not compressed. ``manifest.json`` says which classes of which
distributions it is made of, their parameters and what they learned, and gives the size and the
SHA-256 of every other member; ``tensors.safetensors`` holds the arrays of numbers. The manifest
has a format version; a member that a reader does not know is checked and passed over.

A network is built again by its own class from its parameters, and then given its weights.
"""

import hashlib
import io
import json
import math
import os
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import fields
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

__all__ = ["FORMAT_VERSION", "check_savable", "load_model", "save_model"]

#: What :func:`save_model` writes. A reader refuses every other version.
FORMAT_VERSION = 1

_FORMAT = "skspeech model"
_MANIFEST, _TENSORS = "manifest.json", "tensors.safetensors"
_GROUPS = ("skspeech.classifiers", "skspeech.regressors", "skspeech.transformers")
_PIPELINE = {"class": "Pipeline", "distribution": "scikit-learn"}
_NET_SETTINGS = ("batch_frames", "batch_size", "lr", "precision", "verbose")
# what belongs to a program and not to a model: whom to tell, and which metadata to route
_LEFT_OUT = {"_metadata_request", "_parent_callback_ctx", "_skl_callbacks"}
_MAX_TEXTS = 2**24  # bytes of an array of texts
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
    _write(path, _packed(estimator))


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


def _write(path: Path, data: bytes) -> None:
    """Put a whole file in its place at once; another process never sees half of it."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with open(part, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _packed(estimator: Any) -> bytes:
    from safetensors.numpy import save

    writer = _Writer()
    model = writer.estimator(estimator, "", fitted=True)
    members = {_TENSORS: save(writer.tensors)}
    manifest = {
        "format": _FORMAT,
        "format_version": FORMAT_VERSION,
        "versions": {n: version(n) for n in ("skspeech", "scikit-learn", "numpy", "torch")},
        "members": {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in members.items()
        },
        "model": model,
    }
    text = json.dumps(manifest, indent=1, allow_nan=False).encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in {_MANIFEST: text, **members}.items():
            archive.writestr(zipfile.ZipInfo(name), data)  # ZipInfo: stored, and without the time
    return file.getvalue()


def _unpacked(data: bytes) -> Any:
    from safetensors.numpy import load

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        manifest = json.loads(_member(archive, _MANIFEST))
        if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
            raise ValueError(f"its {_MANIFEST} is not one of a {_FORMAT}.")
        if manifest["format_version"] != FORMAT_VERSION:
            raise ValueError(
                f"it has format version {manifest['format_version']!r}, and this skspeech "
                f"({version('skspeech')}) reads version {FORMAT_VERSION}."
            )
        members = {name: _member(archive, name) for name in manifest["members"]}
    for name, expected in manifest["members"].items():
        found = hashlib.sha256(members[name]).hexdigest()
        if (len(members[name]), found) != (expected["size"], expected["sha256"]):
            raise ValueError(f"its {name} is not what was saved: size or SHA-256 differ.")
    reader = _Reader(load(members[_TENSORS]))
    try:
        return reader.estimator(manifest["model"])
    except Exception as error:
        written = manifest["versions"]["skspeech"]
        if written == version("skspeech"):
            raise
        hint = f"It was written by skspeech {written}; this is {version('skspeech')}."
        raise ValueError(f"{type(error).__name__}: {error} {hint}") from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read one member; as it is stored, it cannot be larger than the file."""
    infos = [info for info in archive.infolist() if info.filename == name]
    if len(infos) != 1:
        raise ValueError(f"it holds {name} {len(infos)} times instead of once.")
    if infos[0].compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"its {name} is compressed; members are stored as they are.")
    return archive.read(infos[0])


def _check_no_cache(parameters: dict[str, Any], key: str) -> None:
    """Refuse to write where an estimator keeps what it computed: a folder of pickles."""
    if parameters.get("memory") is not None:
        raise TypeError(
            f"{_joined(key, 'memory')} is a cache of this machine. Set it to None first: "
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


class _Writer:
    """Turns estimators into what JSON can say, and puts their arrays into ``tensors``.

    `key` says where a value is, as ``set_params`` does: ``step__parameter``.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, np.ndarray] = {}

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
            "parameters": self._all(parameters, key),
            "state": self._all(_state(estimator, key), key),
        }
        if hasattr(estimator, "net_"):
            node["net"] = self._net(estimator, key)
        return node

    def _pipeline(self, pipeline: Pipeline, key: str, fitted: bool) -> dict[str, Any]:
        parameters = pipeline.get_params(deep=False)
        steps = []
        for name, step in parameters.pop("steps"):
            step_key = _joined(key, name)
            plain = step is None or step == "passthrough"
            steps.append([name, step if plain else self.estimator(step, step_key, fitted=fitted)])
        _check_no_cache(parameters, key)
        del parameters["memory"]
        return {**_PIPELINE, "steps": steps, "parameters": self._all(parameters, key)}

    def _all(self, values: dict[str, Any], key: str) -> dict[str, Any]:
        return {name: self.value(value, _joined(key, name)) for name, value in values.items()}

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
            weights[name] = self._tensor(tensor.cpu().numpy(), f"{_joined(key, 'net_')}/{name}")
        settings = {name: getattr(net, name) for name in _NET_SETTINGS}
        return {
            "weights": weights,
            "settings": self._all(settings, _joined(key, "net_")),
            "history": self._items(_plain_rows(net.history), f"{_joined(key, 'net_')}/history"),
        }

    def value(self, value: Any, key: str) -> Any:
        """Return None, truth, text, finite numbers and lists as they are, others as {tag: ...}."""
        if type(value) in _PLAIN or (type(value) is float and math.isfinite(value)):
            return value
        for kind, encode in self._encoders().items():
            if isinstance(value, kind):
                return encode(value, key)
        raise TypeError(
            f"{key} holds a {type(value).__qualname__}, which a file cannot hold without code. "
            "If it is a parameter, set it to numbers, text or None first, set_params"
            f"({key.split('/')[0]}=...). A fitted network reads optimizer, callbacks, validation "
            "and random_state no more."
        )

    def _encoders(self) -> dict[type, Callable[[Any, str], Any]]:
        from skspeech.training.validation import ValidationPart

        return {
            np.str_: lambda value, key: str(value),
            np.ndarray: self._array,
            np.generic: lambda value, key: {"scalar": self._tensor(np.asarray(value), key)},
            float: lambda value, key: {"float": repr(value)},  # nan and infinities
            list: self._items,
            tuple: lambda value, key: {"tuple": self._items(value, key)},
            dict: lambda value, key: {"dict": self._items([list(i) for i in value.items()], key)},
            ValidationPart: lambda value, key: {
                "validation": self._all(
                    {f.name: getattr(value, f.name) for f in fields(value)}, key
                )
            },
            BaseEstimator: lambda value, key: {
                "estimator": self.estimator(value, key, fitted=False)
            },
        }

    def _items(self, values: Any, key: str) -> list[Any]:
        return [self.value(value, f"{key}/{i}") for i, value in enumerate(values)]

    def _array(self, array: np.ndarray, key: str) -> dict[str, Any]:
        if array.dtype.kind in "OU":
            items = self._items(array.ravel().tolist(), key)
            return {"array": [array.dtype.str, list(array.shape), items]}
        return {"tensor": self._tensor(array, key)}

    def _tensor(self, array: np.ndarray, key: str) -> str:
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise TypeError(f"{key} holds an array of {array.dtype}, which a file cannot hold.")
        self.tensors[key] = np.ascontiguousarray(array).reshape(array.shape)
        return key


class _Reader:
    """Turns back what :class:`_Writer` made."""

    def __init__(self, tensors: dict[str, np.ndarray]):
        self.tensors = {name: tensor.copy() for name, tensor in tensors.items()}  # writable

    def estimator(self, node: dict[str, Any]) -> Any:
        if {key: node[key] for key in _PIPELINE} == _PIPELINE:
            steps = [
                (name, self.estimator(step) if isinstance(step, dict) else step)
                for name, step in node["steps"]
            ]
            _refuse_cache(node)
            return Pipeline(steps, **self._all(node["parameters"]))
        point = _own_classes().get(node["class"])
        if point is None or node["distribution"] != "skspeech":
            raise ValueError(
                f"it holds a {node['class']!r} of {node['distribution']!r}, which is none of the "
                f"estimators of skspeech {version('skspeech')}."
            )
        _refuse_cache(node)
        estimator = point.load()(**self._all(node["parameters"]))
        estimator._validate_params()
        state = self._all(node["state"])
        if "_sklearn_output_config" in state:
            estimator.set_output(**state.pop("_sklearn_output_config"))
        for name, value in state.items():
            if not _is_learned(name, estimator):
                raise ValueError(f"it gives {node['class']} an attribute {name!r}.")
            setattr(estimator, name, value)
        if "net" in node:
            estimator.net_ = self._net(estimator, node["net"])
        return estimator

    def _all(self, values: dict[str, Any]) -> dict[str, Any]:
        return {name: self.value(value) for name, value in values.items()}

    def value(self, data: Any) -> Any:
        if isinstance(data, list):
            return [self.value(item) for item in data]
        if not isinstance(data, dict):
            return data
        ((tag, content),) = data.items()
        return self._decoders()[tag](content)

    def _decoders(self) -> dict[str, Callable[[Any], Any]]:
        from skspeech.training.validation import ValidationPart

        return {
            "array": self._array,
            "dict": lambda items: dict(self.value(items)),
            "estimator": self.estimator,
            "float": float,
            "scalar": lambda key: self.tensors[key][()],
            "tensor": lambda key: self.tensors[key],
            "tuple": lambda items: tuple(self.value(items)),
            "validation": lambda items: ValidationPart(**self._all(items)),
        }

    def _array(self, content: list) -> np.ndarray:
        dtype, shape, items = content
        # a file that is small must not ask for much memory
        kind, size = np.dtype(dtype).kind, np.dtype(dtype).itemsize * len(items)
        if kind not in "OU" or size > _MAX_TEXTS:
            raise ValueError(f"it holds {len(items):,} texts of type {dtype!r}.")
        array = np.empty(len(items), dtype=dtype)
        array[:] = self.value(items)
        return array.reshape(shape)

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
        net.adjust(weight_decay=estimator.weight_decay, **self._all(saved["settings"]))
        net.history = History({**row, "batches": []} for row in self.value(saved["history"]))
        return net


def _joined(key: str, name: str) -> str:
    return f"{key}__{name}" if key else name


def _state(estimator: Any, key: str) -> dict[str, Any]:
    """Return what an estimator learned, its net apart; refuse what may be part of an answer."""
    known = {*estimator.get_params(deep=False), *_LEFT_OUT, "net_"}
    state = {name: value for name, value in vars(estimator).items() if name not in known}
    for name in state:
        if not _is_learned(name, estimator) and name != "_sklearn_output_config":
            raise TypeError(
                f"{_joined(key, name)} is neither a parameter nor a fitted attribute, whose name "
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

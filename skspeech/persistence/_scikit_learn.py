"""scikit-learn's own steps in a model's file, by way of skops.

skops builds only what it knows or is told to trust. What it needs to be told, such as the trees of
a forest, is told by the reader of the file and never by the file.
"""

import io
import json
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from copy import copy
from importlib.metadata import version
from typing import Any

import numpy as np
from packaging.version import Version
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning

from skspeech.archive import unzipped, zipped
from skspeech.exceptions import MissingExtraError

__all__ = [
    "FULL_NAME",
    "PACKAGES",
    "nested_estimators",
    "pack_step",
    "unpack_step",
    "untrusted_names",
]

#: Packages whose classes and functions may be in a step, and the distributions they come from.
PACKAGES = {"numpy": "numpy", "scipy": "scipy", "sklearn": "scikit-learn"}

# Before it, a file could have functions of numpy.random called by a name that was not shown
# (0.14), and modules imported before they were looked at (0.13).
_MINIMUM = "0.15"
# What skops writes since then. Older protocols have readers of their own, which nobody needs here.
_PROTOCOL = 2
_SCHEMA = "schema.json"
#: A full name: what a message may show of a file, and its reader copy into a shell.
FULL_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9.+!_-]{1,99}")


def pack_step(step: Any, *, without: Iterable[str] = ()) -> tuple[bytes, list[str]]:
    """Return a step as skops writes it, and the names that its reader has to trust.

    Parameters
    ----------
    step : estimator
        Of scikit-learn, as is everything in it.
    without : iterable of str, default=()
        Attributes to leave out.

    Raises
    ------
    MissingExtraError
        If skops is not there.
    TypeError
        If something in it is neither a value nor of scikit-learn, numpy or scipy.
    """
    skops = _skops("save_model of scikit-learn's steps")
    step = copy(step)
    for name in without:
        vars(step).pop(name, None)
    try:
        data = _canonical(skops.dumps(step))
        names = skops.get_untrusted_types(data=data)
    except Exception as error:  # whatever it stumbles over
        raise TypeError(f"holds what skops cannot write: {error}") from error
    foreign = [name for name in names if name.partition(".")[0] not in PACKAGES]
    if foreign:
        raise TypeError(
            f"holds {', '.join(foreign)}, which a file cannot hold without code. A function of "
            "numpy or scipy can be saved (FunctionTransformer(np.log1p)), and so can a "
            "transformer that is a class of an installed package."
        )
    if _caches(step):
        raise TypeError(
            "has a cache of this machine. Set its memory to None first: what is fitted stays as "
            "it is."
        )
    return data, names


def untrusted_names(data: bytes) -> list[str]:
    """Return what a step's reader has to trust; nothing of it is imported.

    Raises
    ------
    MissingExtraError
        If skops is not there.
    ValueError
        If it is none of what :func:`pack_step` writes.
    """
    _schema(data)
    names = _skops("load_model of scikit-learn's steps").get_untrusted_types(data=data)
    for name in names:
        if name.partition(".")[0] not in PACKAGES or not FULL_NAME.fullmatch(name):
            raise ValueError(f"a step of scikit-learn's holds {name!r}, which is none of its own.")
    return names


def unpack_step(data: bytes, name: str, trusted: Iterable[str]) -> Any:
    """Return a step of a class that the file gives by its full name.

    Parameters
    ----------
    data : bytes
    name : str
        ``"sklearn.svm._classes.SVC"``.
    trusted : iterable of str
        What may be built beside what skops knows.
    """
    schema = _schema(data)
    found = f"{schema['__module__']}.{schema['__class__']}"
    if found != name or name.partition(".")[0] != "sklearn":
        raise ValueError(f"its step {name!r} is a {found!r}.")
    allowed = [name for name in trusted if name.partition(".")[0] in PACKAGES]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        step = _skops("load_model of scikit-learn's steps").loads(data, trusted=allowed)
    for warning in caught:
        _warn(warning.message)
    if not isinstance(step, BaseEstimator):
        raise ValueError(f"its step {name!r} is no estimator.")
    if _caches(step):
        raise ValueError(f"it gives its {name} a cache.")
    return step


def nested_estimators(value: Any, _seen: set[int] | None = None) -> Iterator[Any]:
    """Yield the estimators in a value, itself included, however deep."""
    seen = set() if _seen is None else _seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, BaseEstimator):
        yield value
    from_scikit_learn = type(value).__module__.partition(".")[0] == "sklearn"
    if isinstance(value, BaseEstimator) or (from_scikit_learn and hasattr(value, "__dict__")):
        value = vars(value)
    inner: Iterable[Any] = ()
    if isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, (list, set, tuple)):
        inner = value
    elif isinstance(value, np.ndarray) and value.dtype == object:
        inner = value.ravel().tolist()
    for part in inner:
        yield from nested_estimators(part, seen)


def _skops(caller: str) -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise MissingExtraError(caller, "skops", "skops") from error
    if Version(version("skops")) < Version(_MINIMUM):
        raise MissingExtraError(caller, f"skops>={_MINIMUM}", "skops")
    return skops.io


def _warn(message: Any) -> None:
    """Give a warning of scikit-learn's, which says what a file says of its version."""
    if isinstance(message, InconsistentVersionWarning):
        said = str(message.original_sklearn_version)
        message.original_sklearn_version = said if _VERSION.fullmatch(said) else "unknown"
    warnings.warn(message, stacklevel=2)


def _schema(data: bytes) -> dict[str, Any]:
    """Return what a step says of itself, once the file is of the form that is written here."""
    members = unzipped(data)
    for content in members.values():
        if content.startswith(b"PK"):  # a sparse matrix, which numpy would decompress
            unzipped(content)
    schema = json.loads(members[_SCHEMA])
    if not isinstance(schema["protocol"], int) or schema["protocol"] < _PROTOCOL:
        raise ValueError(f"a step of scikit-learn's has skops's protocol {schema['protocol']!r}.")
    return schema


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a tree of JSON, outer ones first."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _nodes(part)


def _caches(step: Any) -> bool:
    """Whether anything in a step would read pickles from a folder."""
    return any(vars(part).get("memory") is not None for part in nested_estimators(step))


def _canonical(data: bytes) -> bytes:
    """Return what skops wrote without addresses in memory, random names and times."""
    members = unzipped(data)
    schema = json.loads(members[_SCHEMA])
    numbers: dict[int, int] = {}
    names: dict[str, str] = {}
    for node in _nodes(schema):
        if isinstance(node.get("__id__"), int):
            node["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)
        if isinstance(node.get("file"), str):
            suffix = node["file"].rpartition(".")[2]
            node["file"] = names.setdefault(node["file"], f"{len(names)}.{suffix}")
    written = {names[name]: _stored(data) for name, data in members.items() if name in names}
    return zipped({**written, _SCHEMA: json.dumps(schema).encode()})


def _stored(data: bytes) -> bytes:
    """Return a member as it is, or a zip (a sparse matrix) without its compression."""
    if not data.startswith(b"PK"):
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return zipped({name: archive.read(name) for name in archive.namelist()})

"""One file of JSON and arrays: written whole or not at all, read without running anything.

A file is a zip, stored and not compressed. ``manifest.json`` says what kind of file it is, in which
version, and gives the size and the SHA-256 of every other member; a member that a reader does not
know is checked and passed over.
"""

import hashlib
import io
import json
import math
import os
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "FileFormat",
    "TreeReader",
    "TreeWriter",
    "joined",
    "unzipped",
    "write_all",
    "write_whole",
    "zipped",
]

_MANIFEST, _TREE, _TENSORS = "manifest.json", "tree.json", "tensors.safetensors"
_LIBRARIES = ("skspeech", "scikit-learn", "numpy", "torch")
_MAX_TEXTS = 2**24  # bytes of all arrays of texts in a file
_PLAIN = (type(None), bool, int, str)


def write_whole(path: Path, data: bytes) -> None:
    """Put a whole file in its place at once; another process never sees half of it."""
    write_all({path: data})


def write_all(files: dict[Path, bytes]) -> None:
    """Put whole files in their places, one after the other, once all of them are on the disk."""
    parts = {path.with_name(f".{path.name}.{uuid.uuid4().hex}.part"): path for path in files}
    try:
        for part, path in parts.items():
            with open(part, "xb") as file:
                file.write(files[path])
                file.flush()
                os.fsync(file.fileno())
        for part, path in parts.items():
            os.replace(part, path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


@dataclass(frozen=True)
class FileFormat:
    """A kind of file, and the version of it that is written and read.

    Parameters
    ----------
    name : str
    version : int

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.archive import FileFormat
    >>> numbers = FileFormat("numbers", 1)
    >>> data = numbers.pack({"of": "x"}, {"x": np.arange(3)})
    >>> members, versions = numbers.unpack(data)
    >>> numbers.tree(members)
    {'of': 'x'}
    >>> numbers.tensors(members)["x"]
    array([0, 1, 2])
    """

    name: str
    version: int

    def pack(
        self, tree: Any, tensors: dict[str, np.ndarray], more: dict[str, bytes] | None = None
    ) -> bytes:
        """Return the bytes of a file: a tree of JSON, the arrays it names, and other members."""
        from safetensors.numpy import save

        members = {_TREE: _json(tree), _TENSORS: save(tensors), **(more or {})}
        manifest = {
            "format": self.name,
            "format_version": self.version,
            "versions": {name: version(name) for name in _LIBRARIES},
            "members": {
                name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                for name, data in members.items()
            },
        }
        return zipped({_MANIFEST: _json(manifest), **members})

    def unpack(self, data: bytes) -> tuple[dict[str, bytes], dict[str, str]]:
        """Return the members of a file, compared with what was written, and who wrote it.

        Raises
        ------
        Exception
            Of any kind, by what is wrong with the file.
        """
        found = unzipped(data)
        manifest = json.loads(found.get(_MANIFEST, b"null"))
        if not isinstance(manifest, dict) or manifest.get("format") != self.name:
            raise ValueError(f"its {_MANIFEST} is not one of a {self.name}.")
        if manifest["format_version"] != self.version:
            raise ValueError(
                f"it has format version {manifest['format_version']!r}, and this skspeech "
                f"({version('skspeech')}) reads version {self.version}."
            )
        members = {name: found.get(name, b"") for name in manifest["members"]}
        for name, expected in manifest["members"].items():
            digest = hashlib.sha256(members[name]).hexdigest()
            if (len(members[name]), digest) != (expected["size"], expected["sha256"]):
                raise ValueError(f"its {name} is not what was written: size or SHA-256 differ.")
        return members, manifest["versions"]

    def tree(self, members: dict[str, bytes]) -> Any:
        """Return the tree of JSON of an unpacked file."""
        return json.loads(members[_TREE])

    def tensors(self, members: dict[str, bytes]) -> dict[str, np.ndarray]:
        """Return the arrays of an unpacked file, and let go of the member that held them."""
        from safetensors.numpy import load

        return load(members.pop(_TENSORS))


def _json(tree: Any) -> bytes:
    return json.dumps(tree, allow_nan=False).encode()  # with indent, it would take Python's way


def zipped(members: dict[str, bytes]) -> bytes:
    """Return a zip of members, stored and without the time."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return file.getvalue()


def unzipped(data: bytes) -> dict[str, bytes]:
    """Return the members of a zip, which are stored and together no larger than it.

    Raises
    ------
    ValueError
        If one is there twice or compressed, or if they share their bytes.
    zipfile.BadZipFile
        If it is no zip, or damaged.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        for info in infos:
            if info.compress_type != zipfile.ZIP_STORED:
                raise ValueError(
                    f"its {info.filename} is compressed; members are stored as they are."
                )
        if len({info.filename for info in infos}) < len(infos):
            raise ValueError("it holds a member twice.")
        if sum(info.file_size for info in infos) > len(data):
            raise ValueError("its members are larger than it is.")
        return {info.filename: archive.read(info) for info in infos}


class TreeWriter:
    """Turns values into what JSON can say, and puts their arrays into ``tensors``.

    A key says where a value is, for messages and as the name of an array.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, np.ndarray] = {}

    def value(self, value: Any, key: str) -> Any:
        """Return None, truth, text, finite numbers and lists as they are, others as {tag: ...}."""
        if type(value) in _PLAIN or (type(value) is float and math.isfinite(value)):
            return value
        for kind, encode in self._encoders().items():
            if isinstance(value, kind):
                return encode(value, key)
        raise self._refusal(f"a {type(value).__qualname__}", key)

    def all(self, values: dict[str, Any], key: str) -> dict[str, Any]:
        """Return the values of a dict whose keys are names."""
        return {name: self.value(value, joined(key, name)) for name, value in values.items()}

    def items(self, values: Any, key: str) -> list[Any]:
        """Return the values of a sequence."""
        return [self.value(value, f"{key}/{i}") for i, value in enumerate(values)]

    def tensor(self, array: np.ndarray, key: str) -> str:
        """Keep an array of numbers, and return its key."""
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise TypeError(f"{key} holds an array of {array.dtype}, which a file cannot hold.")
        self.tensors[key] = np.ascontiguousarray(array).reshape(array.shape)
        return key

    def _encoders(self) -> dict[type, Callable[[Any, str], Any]]:
        return {
            np.str_: lambda value, key: str(value),
            np.ndarray: self._array,
            np.generic: lambda value, key: {"scalar": self.tensor(np.asarray(value), key)},
            float: lambda value, key: {"float": repr(value)},  # nan and infinities
            list: self.items,
            tuple: lambda value, key: {"tuple": self.items(value, key)},
            dict: lambda value, key: {"dict": self.items([list(i) for i in value.items()], key)},
        }

    def _refusal(self, what: str, key: str) -> TypeError:
        return TypeError(
            f"{key} holds {what}, which a file cannot hold without code.{self._mend(key)}"
        )

    def _mend(self, key: str) -> str:
        """Say, after a space, what to do about a value that cannot be written."""
        return ""

    def _array(self, array: np.ndarray, key: str) -> dict[str, Any]:
        if array.dtype.kind in "OU":
            items = self.items(array.ravel().tolist(), key)
            return {"array": [array.dtype.str, list(array.shape), items]}
        return {"tensor": self.tensor(array, key)}


class TreeReader:
    """Turns back what :class:`TreeWriter` made.

    Parameters
    ----------
    tensors : dict of str to ndarray
    """

    def __init__(self, tensors: dict[str, np.ndarray]):
        self.tensors = {
            name: tensor if tensor.flags.writeable else tensor.copy()
            for name, tensor in tensors.items()
        }
        self._texts = 0  # bytes

    def value(self, data: Any) -> Any:
        """Return the value that a part of a tree stands for."""
        if isinstance(data, list):
            return [self.value(item) for item in data]
        if not isinstance(data, dict):
            return data
        ((tag, content),) = data.items()
        return self._decoders()[tag](content)

    def all(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values of a dict whose keys are names."""
        return {name: self.value(value) for name, value in values.items()}

    def _decoders(self) -> dict[str, Callable[[Any], Any]]:
        return {
            "array": self._array,
            "dict": lambda items: dict(self.value(items)),
            "float": float,
            "scalar": lambda key: self.tensors[key][()],
            "tensor": lambda key: self.tensors[key],
            "tuple": lambda items: tuple(self.value(items)),
        }

    def _array(self, content: list) -> np.ndarray:
        dtype, shape, items = content
        kind = np.dtype(dtype).kind
        # a file that is small must not ask for much memory
        self._texts += np.dtype(dtype).itemsize * len(items)
        if kind not in "OU" or self._texts > _MAX_TEXTS:
            raise ValueError(f"it holds {len(items):,} texts of type {dtype!r}.")
        array = np.empty(len(items), dtype=dtype)
        array[:] = self.value(items)
        return array.reshape(shape)


def joined(key: str, name: str) -> str:
    """Return the key of a part, as ``set_params`` writes it."""
    return f"{key}__{name}" if key else name

"""Tensors from the files of ``torch.save``, without running anything that is in them.

They are pickles. ``torch.load`` takes another unpickler, but what it does around it is not made for
files that anybody may have written: it runs TorchScript, unpacks tar archives, compares the sources
of pickled classes and writes the differences to a file of any name. Here the two formats are read
that it writes: a zip archive, and before torch 1.6 pickles followed by numbers.
"""

import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import torch

__all__ = ["StandIn", "check_archive", "load"]

# How many times its size an archive may unpack to; weights hardly compress (our choice).
_EXPANSION = 10

_MAGIC = 0x1950A86A20F9469CFC6C  # torch's, before torch 1.6
_STORAGES = {
    "BFloat16Storage": torch.bfloat16,
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "ShortStorage": torch.int16,
}
_PLAIN = {
    ("__builtin__", "set"): set,
    ("builtins", "set"): set,
    ("collections", "OrderedDict"): OrderedDict,
}


class StandIn:
    """What stands for the classes of a pickled network: attributes, and no behaviour."""

    def __new__(cls, *args: Any) -> "StandIn":
        return super().__new__(cls)

    def __init__(self, *args: Any):
        """Forget what was to be called with."""

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state)


def load(path: Path, stand_ins: Callable[[str, str], Any]) -> Any:
    """Return what a file of ``torch.save`` holds.

    Parameters
    ----------
    path : Path
    stand_ins : callable
        ``stand_ins(module, name)`` returns a subclass of StandIn, or None for what is refused.

    Returns
    -------
    object
        Of tensors on the CPU, plain containers and stand-ins.

    Raises
    ------
    ValueError
        If it names anything else. Damaged files raise what Python's zipfile and pickle do.
    """
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
        file.seek(0)
        return (_load_zip if zipped else _load_old)(file, stand_ins)


def check_archive(archive: zipfile.ZipFile, n_bytes: int) -> None:
    """Refuse an archive that unpacks to far more than it is."""
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > _EXPANSION * n_bytes:
        raise ValueError(f"its {n_bytes:,} bytes unpack to {unpacked:,}, which weights do not.")


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows a few names, and refuses all others."""

    def __init__(
        self,
        file: Any,
        stand_ins: Callable[[str, str], Any] = lambda module, name: None,
        storage: Callable[..., torch.Tensor] | None = None,
    ):
        super().__init__(file, encoding="utf-8")
        self._stand_ins, self._storage = stand_ins, storage

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PLAIN:
            return _PLAIN[module, name]
        if module in ("torch", "torch.cuda") and name in _STORAGES:
            return _STORAGES[name]
        # functions of their own: what a pickle sets on them goes with them
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return lambda *args: _tensor(*args)
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda data, *args: data
        if found := self._stand_ins(module, name):
            return found
        module = module.replace("__builtin__", "builtins")
        raise ValueError(f"it names {module}.{name}, which holds no weights. Nothing was run.")

    def persistent_load(self, saved: Any) -> Any:
        kind, content, *rest = saved
        if kind == "module":  # of the old files: a class, and what its source was
            return content
        if kind != "storage" or self._storage is None or content not in _STORAGES.values():
            raise ValueError(f"it holds {kind!r}, which is no storage of numbers.")
        return self._storage(content, *rest)


def _tensor(storage: torch.Tensor, offset: int, size: Any, stride: Any, *args: Any) -> torch.Tensor:
    """Return the tensor that lies in a storage; `args` are of gradients."""
    if prod(size) > len(storage):  # torch sees to it that it lies within
        raise ValueError(f"a tensor of shape {tuple(size)} lies in {len(storage)} numbers.")
    return storage.as_strided(size, stride, storage.storage_offset() + offset)  # of a view


def _load_zip(file: BinaryIO, stand_ins: Callable[[str, str], Any]) -> Any:
    with zipfile.ZipFile(file) as archive:
        check_archive(archive, _size(file))
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError(f"it is an archive with {len(pickles)} data.pkl where torch has one.")
        folder = pickles[0].removesuffix(".pkl")
        found: dict[str, torch.Tensor] = {}

        def storage(dtype: torch.dtype, key: str, location: str, numel: int) -> torch.Tensor:
            if key not in found:
                found[key] = _storage(dtype, numel, archive.read(f"{folder}/{key}"))
            return found[key]

        with archive.open(pickles[0]) as pickled:
            return _Unpickler(pickled, stand_ins, storage).load()


def _load_old(file: BinaryIO, stand_ins: Callable[[str, str], Any]) -> Any:
    if _Unpickler(file).load() != _MAGIC:
        raise ValueError("it is no file of torch.save.")
    for _ in range(2):  # the version, and sizes of integers
        _Unpickler(file).load()
    found: dict[str, torch.Tensor] = {}

    def storage(dtype: torch.dtype, key: str, location: str, numel: int, view: Any) -> torch.Tensor:
        if key not in found:
            n_bytes = numel * dtype.itemsize + sum(known.nbytes for known in found.values())
            if n_bytes > _size(file):
                raise ValueError(f"it is too short for the {n_bytes:,} bytes of its tensors.")
            found[key] = torch.zeros(numel, dtype=dtype)  # until the numbers follow
        if view is None:
            return found[key]
        _, first, n_viewed = view
        return found[key][first : first + n_viewed]

    content = _Unpickler(file, stand_ins, storage).load()
    keys = _Unpickler(file).load()
    if missing := found.keys() - keys:
        raise ValueError(f"it lacks the numbers of storage {min(missing)}.")
    for key in keys:
        wanted = found[key]
        (numel,) = struct.unpack("<q", file.read(8))
        wanted[:] = _storage(wanted.dtype, numel, file.read(wanted.nbytes))
    return content


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _storage(dtype: torch.dtype, numel: int, numbers: bytes) -> torch.Tensor:
    """Return numbers as they lie in a file."""
    if len(numbers) != numel * dtype.itemsize:
        raise ValueError(f"{len(numbers):,} bytes lie where {numel:,} numbers belong.")
    memory = bytearray(numbers)  # torch warns of what cannot be written to
    return torch.frombuffer(memory, dtype=dtype) if memory else torch.zeros(0, dtype=dtype)

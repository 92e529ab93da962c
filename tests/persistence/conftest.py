"""What the tests of files have in common."""

import hashlib
import json
import zipfile

import numpy as np
import pytest


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skspeech"


@pytest.fixture
def rewrite():
    """Change a file as somebody might who knows the format: checksums and all."""
    return _rewrite


def _rewrite(path, *, manifest=None, tree=None, tensors=None, members=None, change=None):
    """`change` holds functions of members; `members` are put in as they are."""
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    said = json.loads(found["manifest.json"])
    if tensors is not None:
        found["tensors.safetensors"] = tensors(found["tensors.safetensors"])
    changed = dict(change or {})
    if tree is not None:
        changed["tree.json"] = lambda data: _changed_tree(data, tree)
    for name, function in changed.items():
        data = found[name] = function(found[name])
        said["members"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if manifest is not None:
        manifest(said)
    found["manifest.json"] = json.dumps(said).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**found, **(members or {})}.items():
            archive.writestr(name, data)


def _changed_tree(data, tree):
    model = json.loads(data)
    return json.dumps(tree(model) or model).encode()


@pytest.fixture
def truncated():
    """Yield a file cut off at some places; it is written over each time."""
    return _truncated


def _truncated(path, n_places):
    whole = path.read_bytes()
    for n_bytes in {*np.linspace(0, len(whole) - 1, n_places, dtype=int), len(whole) - 1}:
        path.write_bytes(whole[:n_bytes])
        yield path

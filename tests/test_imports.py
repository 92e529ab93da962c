"""What an import costs, and the one direction in which rooms may import."""

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import skspeech

# From the top of the house to the bottom (docs/design.md). A new room takes its place here.
ROOMS = (
    "exceptions",
    "tags",
    "recordings",
    "archive",
    "compiled",
    "mining",
    "metrics",
    "layers",
    "training",
    "base",
    "preprocessing",
    "models",
    "vocoders",
    "datasets",
    "model_selection",
    "persistence",
    "inspection",
    "plugins",
    "testing",
    "experiments",
    "cli",
)

PACKAGE = Path(skspeech.__file__).parent
FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
FREE = {Path("__init__.py"), Path("__main__.py")}


def room_of(file):
    return file.with_suffix("").parts[0]


def imported(source, file):
    """Return the full names that a file imports, relative imports resolved."""
    package = ["skspeech", *file.parts[:-1]]
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, node.module] if node.module else base
            names += [".".join([*module, alias.name]) for alias in node.names]
    return names


def offences(source, file):
    """Return the imports of a file that go to its own house's top, or down it."""
    allowed = ROOMS[: ROOMS.index(room_of(file)) + 1]
    wrong = []
    for name in imported(source, file):
        top, _, inside = name.partition(".")
        if top == "skspeech" and inside != "__version__" and inside.split(".")[0] not in allowed:
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("file", [file for file in FILES if file not in FREE], ids=str)
def test_rooms_import_only_from_above(file):
    assert room_of(file) in ROOMS, f"{file} is in no room: give it a place in ROOMS"
    assert offences((PACKAGE / file).read_text(encoding="utf-8"), file) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import skspeech.models.cnn_lstm", ["skspeech.models.cnn_lstm"]),
        ("import skspeech", ["skspeech"]),
        ("from skspeech import CNNLSTM1DClassifier", ["skspeech.CNNLSTM1DClassifier"]),
        ("from ..base import NetworkClassifier", ["skspeech.base.NetworkClassifier"]),
        ("from .. import cli", ["skspeech.cli"]),
        ("def late():\n    from skspeech.cli import main", ["skspeech.cli.main"]),
        ("from .net import build", []),
        ("from . import net", []),
        ("from skspeech.layers.masked import MaskedConv1d", []),
        ("from skspeech import __version__, tags", []),
        ("import torch", []),
    ],
)
def test_offences_are_seen(source, expected):
    assert offences(source, Path("training/validation.py")) == expected


def test_import_is_light():
    code = "import sys, skspeech; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    heavy = {"torch", "librosa", "sklearn", "skorch", "numba", "scipy", "pandas"}
    heavy |= {"matplotlib", "jinja2"}
    assert not heavy & set(result.stdout.split())


def test_rooms_are_there_when_named():
    for room in dir(skspeech):
        assert getattr(skspeech, room).__name__ == f"skspeech.{room}"
    assert set(dir(skspeech)) <= set(ROOMS)


def test_version_is_that_of_the_distribution():
    assert skspeech.__version__ == version("skspeech")
    with pytest.raises(AttributeError, match="no_such_room"):
        _ = skspeech.no_such_room

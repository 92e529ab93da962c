"""What is wrong with each installed plugin: its requirements, its import, its type, its name.

Plugins are imported by another process, so that one which ends its process at import, or never
comes to an end, is told of like any other.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import astuple
from typing import TYPE_CHECKING

from skspeech.plugins import registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoint

    from skspeech.plugins.registry import EstimatorEntry

__all__ = ["check_plugins"]

_PATIENCE = 120  # seconds that the process has

_APART = """
import json, os, sys
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what a plugin prints
asked = json.load(sys.stdin)
sys.path[:] = asked["path"]
from skspeech.plugins.health import _problem_of_import
for entry in asked["entries"]:
    print(json.dumps(_problem_of_import(*entry)), file=answers, flush=True)
os._exit(0)  # threads of a plugin may go on
"""


def check_plugins(kind: str | None = None) -> list[tuple[EstimatorEntry, str | None]]:
    """Import every estimator, and say what is wrong with each.

    Parameters
    ----------
    kind : {"classifier", "regressor", "transformer"}, default=None
        Check one kind only.

    Returns
    -------
    list of (EstimatorEntry, str or None)
        All entries, as :func:`list_estimators` gives them, each with what is wrong, or None:

        - its distribution requires another version of skspeech or of something else, or
          something that is not installed (then it is not imported);
        - it does not import, or is no estimator of its kind;
        - its name stands for several classes.

    Raises
    ------
    ValueError
        If `kind` is none of the three.

    Notes
    -----
    Nothing is raised for a plugin, whatever is wrong with it, and none is imported into this
    process. What it prints when it is imported goes to standard error. One that has not finished
    after two minutes is stopped.

    Examples
    --------
    >>> from skspeech.plugins import check_plugins
    >>> [problem for entry, problem in check_plugins() if entry.distribution == "skspeech"
    ...  and problem]
    []
    """
    found = registry._registry(kind)
    problems = {entry: _unmet(point) for entry, point in found}
    sound = [entry for entry, _ in found if not problems[entry]]
    for entry, problem in _import_apart(sound):
        problems[entry] += [] if problem is None else [problem]
    for entry, _ in found:
        if entry.duplicates:
            problems[entry].append(f"shares its name with {', '.join(entry.duplicates)}")
    return [(entry, "; ".join(problems[entry]) or None) for entry, _ in found]


def _import_apart(entries: list[EstimatorEntry]) -> Iterator[tuple[EstimatorEntry, str | None]]:
    """Import entries in another process, or several, and yield what is wrong with each."""
    left = list(entries)
    while left:
        answers, end = _ask(left)
        yield from zip(left, answers, strict=False)
        left = left[len(answers) :]
        if left:  # it ended at the next one
            yield left.pop(0), end


def _ask(entries: list[EstimatorEntry]) -> tuple[list[str | None], str]:
    """Let another process import entries; return its answers, and how it came to its end."""
    asked = {"path": sys.path, "entries": [astuple(entry)[:5] for entry in entries]}
    with tempfile.TemporaryFile("w+") as answers:
        process = subprocess.Popen(
            [sys.executable, "-c", _APART], stdin=subprocess.PIPE, stdout=answers, text=True
        )
        try:
            process.communicate(json.dumps(asked), timeout=_PATIENCE)
            end = f"ends the program when it is imported (exit status {process.returncode})"
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            end = f"has not been imported after {_PATIENCE} s"
        answers.seek(0)
        return [json.loads(line) for line in answers], end


def _problem_of_import(
    name: str, kind: str, distribution: str, version: str, value: str
) -> str | None:
    """Import an entry into this process, and say what is wrong."""
    from importlib.metadata import EntryPoint

    entry = registry.EstimatorEntry(name, kind, distribution, version, value)
    try:
        registry._import(entry, EntryPoint(name, value, f"skspeech.{kind}s"))
    except (ImportError, TypeError) as error:
        # The entry is told beside it.
        return str(error).removeprefix(f"{entry.name} of {entry.label} ").rstrip(".")
    return None


def _unmet(point: EntryPoint) -> list[str]:
    """Say which requirements of an entry point's distribution are not met, extras apart."""
    try:
        lines = point.dist.requires or []  # type: ignore[union-attr]
    except Exception:  # no metadata: registry._origin says what may happen
        return []
    return [problem for line in lines if (problem := _unmet_line(line))]


def _unmet_line(line: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.version import InvalidVersion

    try:
        required = Requirement(line)
        if required.marker is not None and not required.marker.evaluate({"extra": ""}):
            return None
        wanted = f"{required.name}{required.specifier}"
        installed = version(required.name)
        met = required.specifier.contains(installed, prereleases=True)
    except PackageNotFoundError:
        return f"requires {wanted}, which is not installed"
    except (InvalidRequirement, InvalidVersion) as error:
        return f"has a requirement that cannot be read: {' '.join(str(error).split())}"
    return None if met else f"requires {wanted}, but {installed} is installed"

"""What is wrong with each installed plugin: its requirements, its import, its type, its name."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from skspeech.plugins import registry

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from skspeech.plugins.registry import EstimatorEntry

__all__ = ["check_plugins"]


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
    Nothing is raised for a plugin, whatever is wrong with it. What it prints when it is imported
    goes to standard error.

    Examples
    --------
    >>> from skspeech.plugins import check_plugins
    >>> [problem for entry, problem in check_plugins() if entry.distribution == "skspeech"
    ...  and problem]
    []
    """
    return [(entry, _problem(entry, point)) for entry, point in registry._registry(kind)]


def _problem(entry: EstimatorEntry, point: EntryPoint) -> str | None:
    problems = _unmet(point)
    if not problems:
        try:
            with redirect_stdout(sys.stderr):
                registry._import(entry, point)
        except (ImportError, TypeError) as error:
            # The entry is told beside it.
            problems = [str(error).removeprefix(f"{entry.name} of {entry.label} ").rstrip(".")]
    if entry.duplicates:
        problems.append(f"shares its name with {', '.join(entry.duplicates)}")
    return "; ".join(problems) or None


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

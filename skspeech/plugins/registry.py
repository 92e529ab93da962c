"""The registry: estimators of this package and of any other, found through entry points.

A distribution adds a class with one line of packaging metadata (docs/plugins.md). Our own classes
come in by the same way, so what works for them works for a plugin. Three questions, by cost:

- :func:`list_estimators` reads metadata only and runs no code of a plugin;
- :func:`load` imports one class;
- :func:`all_estimators` imports them all, and goes on where one of them fails.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from skspeech.exceptions import PluginWarning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoint

__all__ = ["ESTIMATOR_KINDS", "EstimatorEntry", "all_estimators", "list_estimators", "load"]

#: The kinds of estimator. The entry-point group of each is ``skspeech.<kind>s``.
ESTIMATOR_KINDS = ("classifier", "regressor", "transformer")


@dataclass(frozen=True, order=True)
class EstimatorEntry:
    """One line of the registry.

    Parameters
    ----------
    name : str
        The name to give to :func:`load`.
    kind : {"classifier", "regressor", "transformer"}
        What the entry's group says it is. Only an import can tell whether it is true.
    distribution : str
        The installed distribution that offers it.
    version : str
        The version of that distribution.
    value : str
        Where the class is, as ``"module:Class"``.
    duplicates : tuple of str
        What else answers to this name, of whatever kind, as ``"distribution version
        (module:Class)"``. Empty where the name is unique.

    Examples
    --------
    >>> entry = EstimatorEntry("Sieve", "transformer", "sieve", "1.2", "sieve.core:Sieve")
    >>> entry.label
    'sieve 1.2 (sieve.core:Sieve)'
    """

    name: str
    kind: str
    distribution: str
    version: str
    value: str
    duplicates: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Who offers what, for a message."""
        return f"{self.distribution} {self.version} ({self.value})"


def list_estimators(kind: str | None = None) -> list[EstimatorEntry]:
    """List what is installed, from metadata alone.

    No plugin is imported: the list is quick, and complete even where a plugin is broken.

    Parameters
    ----------
    kind : {"classifier", "regressor", "transformer"}, default=None
        List one kind only. A duplicate of another kind is still named.

    Returns
    -------
    list of EstimatorEntry
        Sorted by name, kind and distribution. A class that its distribution offers as two kinds has
        two entries.

    Raises
    ------
    ValueError
        If `kind` is none of the three.

    Examples
    --------
    >>> from skspeech.plugins import list_estimators
    >>> names = [entry.name for entry in list_estimators("transformer")]
    >>> names == sorted(names)
    True
    """
    return [entry for entry, _ in _registry(kind)]


def all_estimators(kind: str | None = None) -> list[tuple[str, type]]:
    """Import every estimator that can be imported.

    Parameters
    ----------
    kind : {"classifier", "regressor", "transformer"}, default=None
        Import one kind only.

    Returns
    -------
    list of (str, type)
        Names and classes, sorted by name. A class offered as two kinds comes once; where several
        classes have one name, each of them comes.

    Raises
    ------
    ValueError
        If `kind` is none of the three.

    Warns
    -----
    PluginWarning
        For each entry that fails to import or is not an estimator of its kind, which is left out,
        and for each name that stands for several classes.

    Examples
    --------
    >>> from skspeech.plugins import all_estimators
    >>> all(isinstance(cls, type) for _, cls in all_estimators("classifier"))
    True
    """
    found: list[tuple[str, type]] = []
    clashes: dict[str, str] = {}
    for entry, point in _registry(kind):
        if entry.duplicates:
            clashes[entry.name] = _clash(entry)
        try:
            pair = (entry.name, _import(entry, point))
        except (ImportError, TypeError) as error:
            warnings.warn(f"{error} It is left out.", PluginWarning, stacklevel=2)
        else:
            if pair not in found:
                found.append(pair)
    for message in clashes.values():
        warnings.warn(message, PluginWarning, stacklevel=2)
    return found


def load(name: str, *, kind: str | None = None, distribution: str | None = None) -> type:
    """Import one estimator by its name.

    Parameters
    ----------
    name : str
        A name that :func:`list_estimators` shows.
    kind : {"classifier", "regressor", "transformer"}, default=None
        Look among one kind only.
    distribution : str, default=None
        Look in one distribution only: the way to choose where several use one name.

    Returns
    -------
    type
        The class.

    Raises
    ------
    ValueError
        If nothing has this name, or several classes have it. Ours is not preferred: a name that
        changed its meaning with what is installed would change results without a word.
    ImportError
        If the class cannot be imported.
    TypeError
        If what is imported is not an estimator of the kind it is offered as.

    Examples
    --------
    >>> from skspeech.plugins import load
    >>> load("FixedDuration").__name__
    'FixedDuration'
    """
    matches = [
        (entry, point)
        for entry, point in _registry(kind)
        if entry.name == name and _is_from(entry, distribution)
    ]
    if not matches:
        raise ValueError(_unknown(name, kind, distribution))
    if len({entry.label for entry, _ in matches}) > 1:
        raise ValueError(_clash(matches[0][0]))
    # A class may be offered as two kinds: it has to be both.
    classes = [_import(entry, point) for entry, point in matches]
    return classes[0]


def _registry(kind: str | None) -> list[tuple[EstimatorEntry, EntryPoint]]:
    """Return the entries of one kind, sorted, each with the entry point that imports it."""
    if kind is not None and kind not in ESTIMATOR_KINDS:
        raise ValueError(f"kind must be one of {', '.join(ESTIMATOR_KINDS)} or None, got {kind!r}.")
    # Every kind is read, whichever is asked for: the name may be taken in another.
    points = dict(_discover())
    labels: dict[str, set[str]] = {}
    for entry in points:
        labels.setdefault(entry.name, set()).add(entry.label)
    return [
        (replace(entry, duplicates=tuple(sorted(labels[entry.name] - {entry.label}))), point)
        for entry, point in sorted(points.items(), key=lambda item: item[0])
        if kind in (None, entry.kind)
    ]


def _discover() -> Iterator[tuple[EstimatorEntry, EntryPoint]]:
    """Yield what the metadata of every installed distribution offers.

    A folder that is on ``sys.path`` twice yields its entries twice: they are equal, and one once
    they are keys. Of two versions of one distribution importlib keeps the first on the path, which
    is also the one that an import finds.
    """
    from importlib.metadata import entry_points

    points = entry_points()
    for kind in ESTIMATOR_KINDS:
        for point in points.select(group=f"skspeech.{kind}s"):
            distribution, version = _origin(point)
            yield EstimatorEntry(point.name, kind, distribution, version, point.value), point


def _origin(point: EntryPoint) -> tuple[str, str]:
    """Return the name and version of the distribution an entry point belongs to."""
    # An uninstall that was cut short leaves a folder without METADATA. What importlib says of it
    # (None, a warning, an exception) differs between versions of Python.
    try:
        metadata = point.dist.metadata  # type: ignore[union-attr]
        name, version = metadata["Name"], metadata["Version"]
    except Exception:
        name = version = None
    return name or "unknown", version or "unknown"


def _import(entry: EstimatorEntry, point: EntryPoint) -> type:
    """Import the class of an entry and check that it is what it is offered as."""
    try:
        found = point.load()
    # A module may end the program at import, as a script without a main guard does. That it is
    # listed here does not give it the right to.
    except (Exception, SystemExit) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ImportError(f"{entry.name} of {entry.label} does not import: {reason}.") from error
    if problem := _problem(found, entry.kind):
        raise TypeError(f"{entry.name} of {entry.label} is no {entry.kind}: it {problem}.")
    return found


def _problem(found: object, kind: str) -> str | None:
    """Say why an object is not an estimator class of a kind, or return None."""
    from inspect import isabstract

    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

    bases, method = {
        "classifier": ((BaseEstimator, ClassifierMixin), "predict"),
        "regressor": ((BaseEstimator, RegressorMixin), "predict"),
        "transformer": ((BaseEstimator,), "transform"),
    }[kind]
    if not isinstance(found, type):
        return f"is not a class but of type {type(found).__name__}"
    if isabstract(found):
        return "is abstract"
    for base in bases:
        if not issubclass(found, base):
            return f"does not derive from {base.__name__}"
    if not callable(getattr(found, method, None)):
        return f"has no method {method}"
    return None


def _is_from(entry: EstimatorEntry, distribution: str | None) -> bool:
    """Compare names of distributions as packaging does: ``A_b`` is ``a-b``."""
    if distribution is None:
        return True
    ours, theirs = (
        re.sub("[-_.]+", "-", name).lower() for name in (entry.distribution, distribution)
    )
    return ours == theirs


def _clash(entry: EstimatorEntry) -> str:
    """Say which classes share a name and how to choose one."""
    labels = ", ".join(sorted({entry.label, *entry.duplicates}))
    return (
        f"The name {entry.name!r} stands for several classes: {labels}. Choose one by its "
        f"distribution, load({entry.name!r}, distribution={entry.distribution!r}), or by its kind; "
        f"where both agree, only its authors can rename one."
    )


def _unknown(name: str, kind: str | None, distribution: str | None) -> str:
    """Say that nothing has a name, what comes near, and how to see every name."""
    from difflib import get_close_matches

    asked = kind or "estimator"
    place = "" if distribution is None else f" in distribution {distribution!r}"
    elsewhere = [entry for entry in list_estimators() if entry.name == name]
    names = {e.name.lower(): e.name for e in list_estimators(kind) if _is_from(e, distribution)}
    near = [names[key] for key in get_close_matches(name.lower(), names)]
    hint = ""
    if elsewhere:
        hint = " There is " + ", ".join(f"a {e.kind} of {e.label}" for e in elsewhere) + "."
    elif near:
        hint = f" Did you mean {' or '.join(near)}?"
    return f"No {asked} is named {name!r}{place}.{hint} `skspeech list` shows every name."

"""Which classes of a file its reader has to name, and where they come from.

A class is known to a file by its full name, ``package.module.Class``. skspeech vouches for its own
registered classes, and skops for much of scikit-learn; whoever reads a file vouches for the rest.
"""

import re
import sys
from collections.abc import Collection, Iterator
from importlib import import_module
from importlib.metadata import (
    PackageNotFoundError,
    distribution,
    entry_points,
    packages_distributions,
    version,
)
from typing import Any

from sklearn.base import BaseEstimator

from skspeech.persistence._scikit_learn import FULL_NAME, PACKAGES, untrusted_names

__all__ = [
    "changed_versions",
    "checked_names",
    "class_name",
    "load_classes",
    "origin",
    "own_classes",
    "own_name",
]

_GROUPS = ("skspeech.classifiers", "skspeech.regressors", "skspeech.transformers")
# A name of a distribution and a version, as packaging has them: they are shown to people.
_SHOWN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,99}")


def own_classes() -> dict[str, Any]:
    """Return the entry points of our own estimators; a plugin's are not trusted by their name."""
    points = distribution("skspeech").entry_points
    return {point.name: point for point in points if point.group in _GROUPS}


def own_name(cls: type) -> str | None:
    """Return the name under which a class is one of our own."""
    point = own_classes().get(cls.__name__)
    own = point is not None and point.value == f"{cls.__module__}:{cls.__qualname__}"
    return cls.__name__ if own else None


def class_name(cls: type) -> str | None:
    """Return the full name by which an estimator of another package is found again, or None."""
    module = sys.modules.get(cls.__module__)
    findable = getattr(module, cls.__qualname__, None) is cls and cls.__module__ != "__main__"
    name = f"{cls.__module__}.{cls.__qualname__}"
    return name if findable and _is_foreign(name) else None


def origin(module: str) -> dict[str, str | None]:
    """Return the distribution of a module and its version, None where they are not known."""
    package = module.partition(".")[0]
    names = {
        point.dist.name
        for group in _GROUPS
        for point in entry_points(group=group)
        # an editable install is known by its entry points only
        if point.dist is not None and point.value.partition(":")[0] == module
    } or set(packages_distributions().get(package, ()))
    name = names.pop() if len(names) == 1 else None
    return {"distribution": name, "version": _here(name or "") or None}


def checked_names(
    tree: Any, members: dict[str, bytes], trusted: Collection[str], path: Any
) -> list[str]:
    """Return the estimators of other packages in a file, if all that needs trust has it.

    Nothing of them is imported.

    Parameters
    ----------
    tree : JSON
        The model.
    members : dict of str to bytes
        The other parts of the file.
    trusted : collection of str
        Full names.
    path : path-like
        Whose file it is, for the message.

    Raises
    ------
    ValueError
        If classes are not trusted; the message names all of them and how to trust them.
    """
    foreign: dict[str, str] = {}
    parts: dict[str, str] = {}
    for node in _nodes(tree):
        if "skops" in node:
            names = untrusted_names(members[node["skops"]])
            parts |= {name: PACKAGES[name.partition(".")[0]] for name in names}
        elif "." in node["class"]:
            if not _is_foreign(node["class"]):
                raise ValueError(f"it holds an estimator {node['class']!r}, which can be none.")
            foreign[node["class"]] = _label(node)
    missing = {name: by for name, by in (foreign | parts).items() if name not in trusted}
    if missing:
        listed = ", ".join(f"{name} ({by})" for name, by in missing.items())
        call = ", ".join(map(repr, [*trusted, *missing]))
        options = " ".join(f"--trust {name}" for name in [*trusted, *missing])
        raise ValueError(
            f"it holds what neither skspeech nor skops vouches for: {listed}. What you "
            "trust runs its own code on what the file says. If you know who made the file and "
            f"what these are: load_model({str(path)!r}, trusted=[{call}]), and from a shell "
            f"skspeech predict {options}."
        )
    return list(foreign)


def load_classes(tree: Any, names: Collection[str]) -> dict[str, type]:
    """Import the trusted classes of a file.

    Raises
    ------
    ValueError
        If one cannot be imported, or is no estimator; the message names its distribution.
    """
    labels = {node["class"]: _label(node) for node in _nodes(tree)}
    return {name: _load(name, labels[name]) for name in names}


def changed_versions(tree: Any, versions: dict[str, str]) -> str:
    """Say, in a sentence, which libraries of a file are not those that are here."""
    said = {(name, _shown(versions.get(name))) for name in ("skspeech", "scikit-learn")}
    said |= {(_shown(n.get("distribution")), _shown(n.get("version"))) for n in _nodes(tree)}
    pairs = [(name, then, now) for name, then in sorted(said) if then and (now := _here(name))]
    changed = [(name, then, now) for name, then, now in pairs if then != now]
    if not changed:
        return ""
    written = ", ".join(f"{name} {then}" for name, then, _ in changed)
    return f"It was written by {written}; this is {', '.join(f'{n} {v}' for n, _, v in changed)}."


def _here(name: str) -> str:
    try:
        return version(name) if name else ""
    except PackageNotFoundError:
        return ""


def _load(name: str, label: str) -> type:
    module, _, cls = name.rpartition(".")
    try:
        found = getattr(import_module(module), cls)
    except (Exception, SystemExit) as error:  # a module may do anything at its import
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(
            f"{name} cannot be imported ({reason}). The file has it from: {label}. Install that, "
            "if you trust it."
        ) from error
    if not (isinstance(found, type) and issubclass(found, BaseEstimator)):
        raise ValueError(f"{name} ({label}) is no scikit-learn estimator here.")
    return found


def _label(node: dict[str, Any]) -> str:
    shown = [text for name in ("distribution", "version") if (text := _shown(node.get(name)))]
    if shown and shown[0] in {"skspeech", *PACKAGES.values()}:  # no file may speak for these
        shown = []
    return " ".join(shown) or "a distribution that is not known"


def _shown(text: Any) -> str:
    return text if isinstance(text, str) and _SHOWN.fullmatch(text) else ""


def _is_foreign(name: Any) -> bool:
    """Whether a full name may be that of another package's estimator."""
    if not isinstance(name, str) or not FULL_NAME.fullmatch(name):
        return False
    return name.partition(".")[0] not in {"skspeech", *PACKAGES}


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield whatever may stand for an estimator: nothing is built of what has no class."""
    if isinstance(tree, dict):
        if isinstance(tree.get("class"), str):
            yield tree
        tree = list(tree.values())
    for part in tree if isinstance(tree, list) else ():
        yield from _nodes(part)

"""How a check asks, and says what is broken: the promise, and the smallest input that breaks it."""

import copy
import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from sklearn.base import clone

from skspeech.recordings import object_array
from skspeech.tags import get_speech_tags
from skspeech.testing.answers import difference
from skspeech.testing.data import data, targets
from skspeech.testing.smallest import Piece, assert_kept, pieces_of, recordings_of

__all__ = [
    "Check",
    "answers_of",
    "assert_agree",
    "assert_fit_keeps",
    "fresh",
    "groups_keyword",
    "promised",
    "questions_to",
    "takes_groups",
]

Check = Callable[[Any], None]
Asking = Callable[[list[Piece]], dict[str, list[Any]]]


def takes_groups(estimator: Any, method: str) -> bool:
    """Whether an estimator has a method with the parameter ``groups``."""
    found = getattr(estimator, method, None)
    return found is not None and "groups" in inspect.signature(found).parameters


def promised(check: Check) -> Check:
    """Let whatever goes wrong in a check begin with the promise that it breaks."""
    promise = (check.__doc__ or check.__name__).partition("\n")[0]

    @wraps(check)
    def keep(estimator: Any) -> None:
        try:
            check(estimator)
        except Exception as broken:
            found = str(broken) if isinstance(broken, AssertionError) else repr(broken)
            raise AssertionError(
                f"{promise} {type(estimator).__name__} breaks this promise: {found}"
            ) from broken

    return keep


def fresh(estimator: Any) -> Any:
    """Return an unfitted copy that answers alike each time it is fitted."""
    copied = clone(estimator)
    if "random_state" in copied.get_params() and copied.random_state is None:
        copied.set_params(random_state=0)
    return copied


def answers_of(estimator: Any, X: Any, groups: Any = None) -> dict[str, list[Any]]:
    """Return everything that a fitted estimator says of each recording, by method."""
    methods = [name for name in ("predict_proba", "transform") if hasattr(estimator, name)]
    return {
        name: list(getattr(estimator, name)(X, **groups_keyword(estimator, name, groups)))
        for name in methods or ["predict"]
    }


def groups_keyword(estimator: Any, method: str, groups: Any) -> dict[str, Any]:
    """Return the groups as keyword where there are some and a method takes them."""
    return {"groups": groups} if groups is not None and takes_groups(estimator, method) else {}


def questions_to(fitted: Any, container: Callable[[list[Any]], Any] = object_array) -> Asking:
    """Return a function that asks about pieces, handed over in a container."""
    return lambda pieces: answers_of(fitted, container(list(recordings_of(pieces))))


def assert_agree(
    estimator: Any,
    pieces: list[Piece],
    asking: Asking,
    other: Asking,
    promise: str,
    *,
    exactly: bool = False,
) -> None:
    """Compare two ways to ask, and show the smallest input on which the answers differ."""

    def broken(pieces: list[Piece]) -> str | None:
        names = [piece.name for piece in pieces]
        return difference(asking(pieces), other(pieces), names=names, exactly=exactly)

    assert_kept(promise, pieces, get_speech_tags(estimator).input_kind, broken)


def assert_fit_keeps(
    estimator: Any,
    promise: str,
    found: Callable[[np.ndarray, np.ndarray], str | None],
    container: Callable[[np.ndarray], Any] = object_array,
) -> None:
    """Ask what is broken after a fit, and show the smallest input to fit on that breaks it."""
    X, y = data(estimator)

    def broken(pieces: list[Piece]) -> str | None:
        recordings = object_array([copy.deepcopy(piece.recording) for piece in pieces])
        told = y[[p.place for p in pieces]] if y.dtype != object else targets(estimator, recordings)
        return found(container(recordings), told)

    assert_kept(promise, pieces_of(X), get_speech_tags(estimator).input_kind, broken)

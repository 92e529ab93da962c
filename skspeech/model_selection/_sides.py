"""Which recordings are on different sides of a split."""

from typing import Any

import numpy as np
from sklearn.model_selection import check_cv

from skspeech.training.validation import reads_groups

__all__ = ["AcrossFolds", "AcrossGroups", "sides_of"]


class AcrossGroups:
    """Recordings of different groups are apart.

    Parameters
    ----------
    codes : ndarray of int, shape (n_items,)
        The group of each; what is in several groups is -1, and apart from everything.
    """

    def __init__(self, codes: np.ndarray):
        self.codes = codes

    def merged(self, members: list[list[int]]) -> "AcrossGroups":
        """Return the sides of items that stand for several of these each."""
        codes = [self.codes[list(set(items))] for items in members]
        return AcrossGroups(
            np.array([c[0] if (c == c[0]).all() else -1 for c in codes], dtype=np.int64)
        )

    def are_apart(self, first: Any, second: Any) -> Any:
        """Return which pairs are on different sides."""
        one, other = self.codes[first], self.codes[second]
        return (one != other) | (one < 0)

    def folds(self, first: int, second: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return no folds, as there are none."""
        return (), ()


class AcrossFolds:
    """Recordings are apart if a fold learns from one and tests the other.

    Parameters
    ----------
    learnt, tested : ndarray of uint8, shape (n_items, n_bytes)
        Bit k of a row says whether fold k does.
    """

    def __init__(self, learnt: np.ndarray, tested: np.ndarray):
        self.learnt, self.tested = learnt, tested

    def merged(self, members: list[list[int]]) -> "AcrossFolds":
        """Return the sides of items that stand for several of these each."""
        learnt, tested = (
            np.array([np.bitwise_or.reduce(side[items]) for items in members], dtype=np.uint8)
            for side in (self.learnt, self.tested)
        )
        return AcrossFolds(learnt.reshape(len(members), -1), tested.reshape(len(members), -1))

    def are_apart(self, first: Any, second: Any) -> Any:
        """Return which pairs are on different sides."""
        one = self.learnt[first] & self.tested[second]
        return (one | (self.tested[first] & self.learnt[second])).any(axis=-1)

    def folds(self, first: int, second: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the folds that part two recordings, and which of the two each of them tests."""
        tests_second = np.unpackbits(self.learnt[first] & self.tested[second])
        tests_first = np.unpackbits(self.learnt[second] & self.tested[first])
        folds = np.flatnonzero(tests_first | tests_second)
        tested = np.where(tests_second[folds], second, first)
        return tuple(folds.tolist()), tuple(tested.tolist())


def sides_of(
    cv: Any, X: Any, y: Any, groups: np.ndarray | None, n_recordings: int
) -> AcrossGroups | AcrossFolds:
    """Return the sides that a splitter, or groups alone, or nothing puts recordings on."""
    if cv is None:
        if groups is None:
            return AcrossGroups(np.arange(n_recordings))
        return AcrossGroups(np.unique(groups, return_inverse=True)[1])
    splitter = check_cv(cv, y, classifier=y is not None)
    if hasattr(splitter, "split_with_validation"):  # what chooses the epoch is learnt from
        parts = splitter.split_with_validation(X, y, groups)
        folds = [(np.setdiff1d(np.append(a, b), test), test) for a, b, test in parts]
    else:
        folds = list(splitter.split(X, y, groups if reads_groups(splitter) else None))
    sides = np.zeros((2, n_recordings, len(folds)), bool)
    for fold, parts in enumerate(folds):
        for side, part in zip(sides, parts, strict=True):
            side[np.asarray(part), fold] = True
    learnt, tested = np.packbits(sides, axis=2)
    return AcrossFolds(learnt, tested)

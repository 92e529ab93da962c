"""Suffix arrays by induced sorting, and how much neighbouring suffixes have in common.

G. Nong, S. Zhang and W. H. Chan, "Linear suffix array construction by almost pure
induced-sorting", DCC 2009; T. Kasai et al., "Linear-time longest-common-prefix computation in
suffix arrays and its applications", CPM 2001. Both take linear time for any alphabet.

Compiled passes go over a slice of the text at a time, so that Python can raise a KeyboardInterrupt
in between.
"""

from collections.abc import Iterator

import numpy as np

from skspeech.mining._kernels import compiled

__all__ = ["common_prefixes", "slices", "suffix_array"]

#: Positions in a slice: some ten milliseconds.
SLICE = 1 << 20


def slices(n: int) -> Iterator[tuple[int, int]]:
    """Cut `range(n)` into slices."""
    return ((start, min(start + SLICE, n)) for start in range(0, n, SLICE))


def suffix_array(text: np.ndarray, n_values: int) -> np.ndarray:
    """Return where the suffixes of a text begin, in lexicographic order.

    Parameters
    ----------
    text : ndarray of int32 or int64, shape (n,)
        Values from 0 to `n_values` - 1. The last is 0, and no other is.
    n_values : int

    Returns
    -------
    ndarray, shape (n,)
        Of the text's dtype.
    """
    n = len(text)
    smaller = np.empty(n, dtype=np.bool_)  # than the suffix after it
    smaller[-1] = True
    for start, stop in slices(n - 1):
        _classify(text, smaller, n - 1 - stop, n - 1 - start)
    turns = (np.flatnonzero(smaller[1:] & ~smaller[:-1]) + 1).astype(text.dtype)
    bucket_stops = np.cumsum(np.bincount(text, minlength=n_values)).astype(text.dtype)
    by_substring = _induce(text, smaller, turns, bucket_stops)
    names, n_names = _name(text, turns, by_substring)
    del by_substring
    if n_names < len(turns):
        sorted_turns = turns[suffix_array(names, n_names)]
    else:
        sorted_turns = np.empty_like(turns)
        sorted_turns[names] = turns
    return _induce(text, smaller, sorted_turns, bucket_stops)


def common_prefixes(text: np.ndarray, order: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Return how many symbols each suffix in order shares with the one before it.

    Parameters
    ----------
    text, order, rank : ndarray, shape (n,)
        `order` is the suffix array, `rank` its inverse.

    Returns
    -------
    ndarray, shape (n + 1,)
        The first and the last are 0.
    """
    common = np.zeros(len(text) + 1, dtype=text.dtype)
    n_common = 0
    for start, stop in slices(len(text) - 1):
        n_common = _compare(text, order, rank, common, start, stop, n_common)
    return common


def _induce(
    text: np.ndarray, smaller: np.ndarray, turns: np.ndarray, bucket_stops: np.ndarray
) -> np.ndarray:
    """Sort all suffixes, given those at the turns in order (or the turns alone: its substrings)."""
    n = len(text)
    order = np.full(n, -1, dtype=text.dtype)
    free = bucket_stops.copy()
    for start, stop in slices(len(turns)):
        _place(text, turns, order, free, len(turns) - stop, len(turns) - start)
    free[0], free[1:] = 0, bucket_stops[:-1]
    for start, stop in slices(n):
        _induce_larger(text, smaller, order, free, start, stop)
    free = bucket_stops.copy()
    for start, stop in slices(n):
        _induce_smaller(text, smaller, order, free, n - stop, n - start)
    return order


def _name(text: np.ndarray, turns: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the substrings from turn to turn by their ranks; equal ones have the same."""
    number = np.full(len(text), -1, dtype=text.dtype)
    number[turns] = np.arange(len(turns), dtype=text.dtype)
    in_order = number[order]
    in_order = in_order[in_order >= 0]
    names = np.zeros(len(turns), dtype=text.dtype)
    name = 0
    for start, stop in slices(len(turns) - 1):
        name = _compare_turns(text, turns, in_order, names, start + 1, stop + 1, name)
    return names, name + 1


@compiled
def _classify(text, smaller, start, stop):
    for i in range(stop - 1, start - 1, -1):
        smaller[i] = text[i] < text[i + 1] or (text[i] == text[i + 1] and smaller[i + 1])


@compiled
def _place(text, turns, order, free, start, stop):
    for i in range(stop - 1, start - 1, -1):
        bucket = text[turns[i]]
        free[bucket] -= 1
        order[free[bucket]] = turns[i]


@compiled
def _induce_larger(text, smaller, order, free, start, stop):
    for i in range(start, stop):
        before = order[i] - 1
        if before >= 0 and not smaller[before]:
            bucket = text[before]
            order[free[bucket]] = before
            free[bucket] += 1


@compiled
def _induce_smaller(text, smaller, order, free, start, stop):
    for i in range(stop - 1, start - 1, -1):
        before = order[i] - 1
        if before >= 0 and smaller[before]:
            bucket = text[before]
            free[bucket] -= 1
            order[free[bucket]] = before


@compiled
def _compare_turns(text, turns, in_order, names, start, stop, name):
    last = len(turns) - 1
    for i in range(start, stop):
        one, other = in_order[i - 1], in_order[i]
        # The last substring is the end alone, which occurs once.
        same = one != last and other != last
        if same:
            begin, shift = turns[one], turns[other] - turns[one]
            length = turns[one + 1] - begin
            same = turns[other + 1] - turns[other] == length
            k = begin
            while same and k <= begin + length:
                same = text[k] == text[k + shift]
                k += 1
        if not same:
            name += 1
        names[other] = name
    return name


@compiled
def _compare(text, order, rank, common, start, stop, n_common):
    for i in range(start, stop):
        if rank[i] == 0:
            n_common = 0
            continue
        j = order[rank[i] - 1]
        while text[i + n_common] == text[j + n_common]:
            n_common += 1
        common[rank[i]] = n_common
        n_common = max(n_common - 1, 0)
    return n_common

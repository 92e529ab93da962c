"""The prefixspan package's search, of whose answer the closed patterns are kept."""

import sys
from collections import defaultdict
from itertools import accumulate, chain, pairwise
from typing import Any

import numpy as np

from skspeech.exceptions import MissingExtraError
from skspeech.mining._encoding import Database, Found, Query
from skspeech.mining.definition import contains

__all__ = ["mine"]


def _frequent(search: Any, min_support: int) -> list[tuple[int, list[int]]]:
    try:
        return search.frequent(min_support, closed=True)
    except RecursionError as error:
        raise ValueError(
            "prefixspan calls itself once a symbol, and a pattern here is longer than the "
            f"{sys.getrecursionlimit()} calls that Python allows. Use algorithm='bide'."
        ) from error


def mine(database: Database, query: Query) -> Found:
    """Return the closed subsequences in any order.

    The package's own `closed=True` leaves no closed pattern out, but lets others in: it looks for
    extensions between the last places of neighbouring symbols, which is not all of the maximum
    period. Of "axb" and "axab" it also returns "ab". What is too much has the support of a closed
    pattern that contains it.
    """
    try:
        from prefixspan import PrefixSpan
    except ImportError as error:
        caller = 'closed_sequences(algorithm="prefixspan")'
        raise MissingExtraError(caller, "prefixspan", "prefixspan") from error
    codes = database.codes.tolist()
    search = PrefixSpan([codes[start:stop] for start, stop in pairwise(database.starts.tolist())])
    search.maxlen = sys.maxsize
    by_support = defaultdict(list)
    for support, pattern in _frequent(search, query.min_support):
        by_support[support].append(tuple(pattern))
    closed = [
        (pattern, support)
        for support, patterns in by_support.items()
        for pattern in patterns
        if query.min_length <= len(pattern) <= query.max_length
        and not any(len(o) > len(pattern) and contains(o, pattern) for o in patterns)
    ]
    flat = np.fromiter(chain.from_iterable(pattern for pattern, _ in closed), dtype=np.int64)
    lengths = np.array([len(pattern) for pattern, _ in closed], dtype=np.int64)
    begins = np.array([0, *accumulate(lengths.tolist())], dtype=np.int64)[:-1]
    supports = np.array([support for _, support in closed], dtype=np.int64)
    return Found(flat, begins, lengths, supports, is_sorted=False, is_complete=True)

"""Closed sequential patterns: those that cannot be made longer and still recur as often."""

import sys
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from skspeech.exceptions import PatternExplosionError

if TYPE_CHECKING:
    from skspeech.mining._encoding import Database, Found

__all__ = ["closed_sequences"]


def closed_sequences(
    sequences: Iterable[Sequence],
    min_support: int,
    *,
    min_length: int = 1,
    max_length: int | None = None,
    max_gap: int | None = None,
    algorithm: str = "bide",
    closure: str = "both",
    max_patterns: int = 100_000,
) -> list[tuple[tuple, int]]:
    """Return every closed sequential pattern with its support, exactly.

    A pattern is contained in a sequence if it can be read off it from left to right, leaving out
    at most `max_gap` symbols between two that are read. Its support is the number of sequences that
    contain it. :mod:`skspeech.mining.definition` states all of this in plain Python.

    Parameters
    ----------
    sequences : collection of sequences
        Lists, tuples, strings, 1-D arrays or any other :class:`~collections.abc.Sequence`, such as
        :class:`~skspeech.recordings.Phrase`; none empty. Symbols are integers or strings, not both.
    min_support : int, from 1 to the number of sequences
        In how many sequences a pattern is at least.
    min_length, max_length : int, default=1 and None
        How many symbols a pattern listed has. What is not listed still counts: a pattern is not
        closed if one that is too long to be listed extends it.
    max_gap : int or None, default=None
        0 for contiguous patterns, None for gaps of any size.
    algorithm : {"bide", "prefixspan"}, default="bide"
        "prefixspan" has the package of that name do the search, without a bound on the gap, and
        keeps what is closed of its answer: the same list, much later. It needs
        ``pip install 'skspeech[prefixspan]'``.
    closure : {"both", "forward"}, default="both"
        What closed means. "both": without a bound on the gap, no longer pattern that contains this
        one has the same support; with a bound, none that is longer by one symbol at either end has.
        (There, a pattern may have a higher support than one that is left when a symbol is struck
        out of its middle.) "forward": none that is longer by one symbol at its right end has, with
        or without a bound. These are many more; the code published with Li and Wang's method gives
        this set, since its look to the left never runs.
    max_patterns : int, default=100_000
        If there are more, it is an error, which has those found. Only patterns that would be
        listed count: with gaps, a search may pass by many more that are too short or not closed,
        and last long before it lists as many. `max_gap` bounds it; Ctrl-C ends it.

    Returns
    -------
    list of (tuple, int)
        Patterns and their supports: longest first, then as Python sorts tuples. Symbols are
        Python's own integers or strings.

    Raises
    ------
    PatternExplosionError
        If there are more patterns than `max_patterns`: a ValueError whose `patterns` are as many,
        of contiguous patterns the longest ones, else those found first.
    MissingExtraError
        If `algorithm` is "prefixspan" and the package is not installed.
    TypeError, ValueError
        If a parameter or a sequence is none of the above. The message names the sequence.

    Notes
    -----
    Without a bound on the gap this is BIDE [1]_, with one, BIDE with gap constraints [2]_; both
    look at no more prefixes than there are frequent patterns, which may be exponentially many.
    Memory is that of one way through the tree of prefixes: the places where each prefix of the
    pattern under way ends. Up to 256 symbols are found by tables of 8 bytes for each symbol at each
    place, 128 MB at most, others by bisection. Without a bound on the gap, the time for two equal
    sequences of more than 256 different symbols grows with the third power of their length (1,000:
    11 s).

    Contiguous patterns are the nodes of a suffix tree, read off a suffix array [3]_ [4]_. This
    takes O(n log n) time at worst for n symbols in all, whatever they are, and about 65 bytes for
    each symbol and each sequence, and the patterns themselves: of one long sequence with
    ``closure="forward"`` and support 1 they have as many symbols as it has, squared.

    The search is compiled when it is first called, some seconds a process, and kept on disk only
    where the environment names a folder, `NUMBA_CACHE_DIR`. It runs in the calling thread on one
    core. Ctrl-C ends it within a fraction of a second.

    References
    ----------
    .. [1] J. Wang and J. Han, "BIDE: efficient mining of frequent closed sequences", ICDE 2004.
    .. [2] C. Li and J. Wang, "Efficiently mining closed subsequences with gap constraints", SDM
       2008.
    .. [3] G. Nong, S. Zhang and W. H. Chan, "Linear suffix array construction by almost pure
       induced-sorting", DCC 2009.
    .. [4] L. C. K. Hui, "Color set size problem with applications to string matching", CPM 1992.

    Examples
    --------
    >>> from skspeech.mining import closed_sequences
    >>> closed_sequences(["axb", "axab"], 2)
    [(('a', 'x', 'b'), 2)]
    >>> closed_sequences([[1, -2, 1, 3], [1, -2, 1], [-2, 1, 3]], 2, max_gap=0)
    [((-2, 1, 3), 2), ((1, -2, 1), 2), ((-2, 1), 3)]
    """
    _check_choice("algorithm", algorithm, ("bide", "prefixspan"))
    _check_choice("closure", closure, ("both", "forward"))
    _check_integer("min_support", min_support, 1)
    _check_integer("min_length", min_length, 1)
    _check_integer("max_length", max_length, min_length, ", which is min_length", optional=True)
    _check_integer("max_gap", max_gap, 0, optional=True)
    _check_integer("max_patterns", max_patterns, 1)
    if algorithm == "prefixspan" and (max_gap is not None or closure != "both"):
        raise ValueError(
            'algorithm="prefixspan" has neither max_gap nor closure="forward". '
            'Leave them out, or use algorithm="bide".'
        )
    from skspeech.mining._encoding import Query, encode

    database = encode(sequences)
    n_sequences = len(database.starts) - 1
    if min_support > n_sequences:
        raise ValueError(
            f"min_support is {min_support}, and the number of sequences is {n_sequences}. Lower "
            "min_support: it counts sequences."
        )
    n = len(database.codes)  # nothing is longer than that
    query = Query(
        min_support=int(min_support),
        min_length=min(int(min_length), n + 1),
        max_length=n if max_length is None else min(int(max_length), n),
        max_gap=None if max_gap is None else min(int(max_gap), n),
        both=closure == "both",
        max_patterns=min(int(max_patterns), sys.maxsize - 1),
    )
    if algorithm == "prefixspan":
        from skspeech.mining._prefixspan import mine
    elif max_gap == 0:
        from skspeech.mining._contiguous import mine
    elif max_gap is None:
        from skspeech.mining._bide import mine
    else:
        from skspeech.mining._gaps import mine
    return _listed(database, mine(database, query), query.max_patterns)


def _listed(database: "Database", found: "Found", max_patterns: int) -> list[tuple[tuple, int]]:
    """Return the patterns that were found as they are listed, unless they are too many."""
    n_patterns = len(found.begins)
    # What was found is in order but for the lengths, or will be sorted anyway.
    chosen = np.argsort(-found.lengths, kind="stable")[:max_patterns]
    begins = found.begins[chosen].tolist()
    stops = (found.begins[chosen] + found.lengths[chosen]).tolist()
    symbol_of = database.alphabet.__getitem__
    patterns = [
        (tuple(map(symbol_of, found.codes[begin:stop].tolist())), support)
        for begin, stop, support in zip(begins, stops, found.supports[chosen].tolist(), strict=True)
    ]
    if not found.is_sorted:
        patterns.sort(key=lambda item: (-len(item[0]), item[0]))
    if n_patterns > max_patterns:
        known = n_patterns if found.is_complete else None
        raise PatternExplosionError(patterns, max_patterns, known)
    return patterns


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}, none of {', '.join(map(repr, choices))}.")


def _check_integer(
    name: str, value: Any, least: int, why: str = "", *, optional: bool = False
) -> None:
    if optional and value is None:
        return
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral):
        wanted = "an integer or None" if optional else "an integer"
        raise TypeError(f"{name} is {value!r}, which is not {wanted}.")
    if value < least:
        raise ValueError(f"{name} is {value}, and the least is {least}{why}.")

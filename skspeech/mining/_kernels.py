"""What the compiled searches share.

They run in slices: after a while each gives control back, so that Python can raise a
KeyboardInterrupt, and goes on from where it was.
"""

from collections.abc import Sequence

import numpy as np

from skspeech.compiled import compiler
from skspeech.mining._encoding import Database, Found, Query

__all__ = ["SLICE", "compiled", "found_in", "frequent_symbols", "list_pattern", "with_room"]

compiled = compiler()

#: Steps of a search in a slice: some ten milliseconds, a tenth of a second of slow ones.
SLICE = 1 << 20


@compiled
def list_pattern(
    symbols: np.ndarray, support: int, listed: np.ndarray, patterns: np.ndarray, state: np.ndarray
) -> None:
    """Put a pattern behind those that are listed: `state[3]` symbols of `state[4]` patterns."""
    patterns[0, state[4]], patterns[1, state[4]] = state[3], len(symbols)
    patterns[2, state[4]] = support
    for symbol in symbols:
        listed[0, state[3]] = symbol
        state[3] += 1
    state[4] += 1


def frequent_symbols(database: Database, min_support: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes of the symbols that are in enough sequences, sorted, and their supports."""
    codes, starts, alphabet = database
    sequence_of = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    pairs = np.unique(sequence_of * len(alphabet) + codes)
    supports = np.bincount(pairs % len(alphabet), minlength=len(alphabet))
    frequent = np.flatnonzero(supports >= min_support)
    return frequent, supports[frequent]


def found_in(listed: np.ndarray, patterns: np.ndarray, frequent: np.ndarray, query: Query) -> Found:
    """Return what a search has listed: symbols, and where each pattern begins in them."""
    begins, lengths, supports = patterns
    is_complete = len(begins) <= query.max_patterns
    return Found(frequent[listed], begins, lengths, supports, False, is_complete)


def with_room(
    stores: tuple[np.ndarray, ...], used: np.ndarray, margins: Sequence[int]
) -> tuple[np.ndarray, ...]:
    """Return the stores, those that have no room for `margins` more columns with twice as many."""
    grown = []
    for store, n_used, margin in zip(stores, used.tolist(), margins, strict=True):
        need = n_used + margin
        if need > store.shape[1]:
            larger = np.empty((len(store), 2 * need), dtype=store.dtype)
            larger[:, : store.shape[1]] = store
            store = larger
        grown.append(store)
    return tuple(grown)

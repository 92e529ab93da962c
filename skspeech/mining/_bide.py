"""Closed subsequences with gaps of any size: BIDE.

J. Wang and J. Han, "BIDE: efficient mining of frequent closed sequences", ICDE 2004. Prefixes grow
to the right, depth first. Where a prefix first ends in each sequence is kept for the whole way from
the root, so that the places where a symbol could be put in, the paper's periods, cost a look-up
each. A symbol that does not occur in one sequence's period need not be looked for in the others';
mostly a few sequences rule all symbols out.
"""

from typing import NamedTuple

import numpy as np

from skspeech.mining._encoding import Database, Found, Query
from skspeech.mining._kernels import (
    SLICE,
    compiled,
    found_in,
    frequent_symbols,
    list_pattern,
    with_room,
)

__all__ = ["mine"]

#: A table of this many entries for each direction, 4 bytes each, is better than searching.
MAX_TABLE = 1 << 24
MAX_TABLE_WIDTH = 256


class Text(NamedTuple):
    """The sequences, each followed by an empty place, and what finds a symbol in them.

    `later[i * width + s]` is the first place of s in its sequence from place i on, or `n`;
    `earlier[i * width + s]` the last before place i, or -1. Without these tables, `by_symbol` has
    the places of each sequence sorted by symbol.
    """

    symbols: np.ndarray
    sequence_of: np.ndarray
    starts: np.ndarray
    by_symbol: np.ndarray
    later: np.ndarray
    earlier: np.ndarray
    width: int
    has_table: bool


def mine(database: Database, query: Query) -> Found:
    """Return the closed subsequences in any order; the search stops after `max_patterns`."""
    frequent, text = _prepare(database, query.min_support)
    n_sequences = len(text.starts) - 1
    # A column a place in a sequence, a child, a level, a symbol listed, a pattern listed; they
    # grow when they are full.
    places = np.empty((2, 8 * n_sequences), dtype=np.int32)
    places[0, :n_sequences] = text.starts[:-1] - 1
    children = np.empty((1, 8 * text.width), dtype=np.int32)
    levels = np.empty((5, 64), dtype=np.int64)
    listed = np.empty((1, 1024), dtype=np.int32)
    patterns = np.empty((3, 1024), dtype=np.int64)
    stores: tuple[np.ndarray, ...] = (places, children, levels, listed, patterns)
    state = np.array([n_sequences, 0, -1, 0, 0])  # how many columns are in use; the level
    scratch = np.empty((3, n_sequences), dtype=np.int32)
    counts = np.zeros((2, text.width), dtype=np.int32)
    marks = np.full((3, text.width), -1, dtype=np.int32)
    while _search(text, stores, state, scratch, counts, marks, query, SLICE):
        level = int(state[2])
        margins = (n_sequences, text.width, 2, level + 1, 1)
        stores = with_room(stores, state, margins)
    _, _, _, listed, patterns = stores
    return found_in(listed[0, : state[3]], patterns[:, : state[4]], frequent, query)


def _prepare(database: Database, min_support: int) -> tuple[np.ndarray, Text]:
    """Leave out the symbols that are too rare, and build what finds the others."""
    codes, starts, alphabet = database
    n_sequences, width = len(starts) - 1, len(alphabet)
    frequent, _ = frequent_symbols(database, min_support)
    sequence_of = np.repeat(np.arange(n_sequences, dtype=np.int32), np.diff(starts))
    new_code = np.full(width, -1, dtype=np.int32)
    new_code[frequent] = np.arange(len(frequent))
    kept = new_code[codes] >= 0
    sequence_of = sequence_of[kept]
    width = len(frequent)
    starts = np.zeros(n_sequences + 1, dtype=np.int64)
    starts[1:] = np.cumsum(np.bincount(sequence_of, minlength=n_sequences) + 1)
    n = int(starts[-1])
    symbols = np.full(n, width, dtype=np.int32)  # the empty place has a symbol of its own
    symbols[np.arange(len(sequence_of)) + sequence_of] = new_code[codes[kept]]
    owner = np.repeat(np.arange(n_sequences, dtype=np.int32), np.diff(starts))
    has_table = width <= MAX_TABLE_WIDTH and n * width <= MAX_TABLE
    if has_table:
        by_symbol = np.empty(0, dtype=np.int32)
        later, earlier = np.empty((2, n * width), dtype=np.int32)
        _fill_tables(symbols, starts, width, later, earlier)
    else:
        by_symbol = np.lexsort((symbols, owner)).astype(np.int32)
        later, earlier = np.empty((2, 0), dtype=np.int32)
    return frequent, Text(symbols, owner, starts, by_symbol, later, earlier, width, has_table)


@compiled
def _fill_tables(symbols, starts, width, later, earlier):
    n = len(symbols)
    for sequence in range(len(starts) - 1):
        start, stop = starts[sequence], starts[sequence + 1]
        for s in range(width):
            place = -1
            for i in range(start, stop):
                earlier[i * width + s] = place
                if symbols[i] == s:
                    place = i
            place = n
            for i in range(stop - 1, start - 1, -1):
                if symbols[i] == s:
                    place = i
                later[i * width + s] = place


@compiled
def _bisect(text, low, high, symbol, place):
    """Return the first of the places by symbol that is not before this symbol and place."""
    while low < high:
        middle = (low + high) // 2
        at = text.by_symbol[middle]
        if text.symbols[at] < symbol or (text.symbols[at] == symbol and at < place):
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _search_later(text, place, symbol):
    sequence = text.sequence_of[place]
    stop = text.starts[sequence + 1]
    found = _bisect(text, text.starts[sequence], stop, symbol, place)
    if found < stop and text.symbols[text.by_symbol[found]] == symbol:
        return text.by_symbol[found]
    return np.int32(len(text.symbols))


@compiled
def _search_earlier(text, place, symbol):
    sequence = text.sequence_of[place]
    start = text.starts[sequence]
    found = _bisect(text, start, text.starts[sequence + 1], symbol, place)
    if found > start and text.symbols[text.by_symbol[found - 1]] == symbol:
        return text.by_symbol[found - 1]
    return np.int32(-1)


@compiled
def _symbols_between(text, start, stop, found, seen):
    """Write down the symbols from place start to before place stop; return how many they are."""
    n_found = 0
    if text.has_table:
        row = start * text.width
        for s in range(text.width):
            if text.later[row + s] < stop:
                found[n_found] = s
                n_found += 1
        return n_found
    for place in range(start, stop):
        s = text.symbols[place]
        if seen[s] < 0:
            seen[s] = 0
            found[n_found] = s
            n_found += 1
    for j in range(n_found):
        seen[found[j]] = -1
    return n_found


@compiled
def _keep_before(later, row, stop, symbols, n):
    """Keep those of n symbols that are next before a place; return how many are left."""
    n_left = 0
    for j in range(n):
        if later[row + symbols[j]] < stop:
            symbols[n_left] = symbols[j]
            n_left += 1
    return n_left


@compiled
def _keep_between(text, start, stop, symbols, n):
    """Keep those of n symbols that are between two places; return how many are left."""
    n_left = 0
    for j in range(n):
        if _search_later(text, start, symbols[j]) < stop:
            symbols[n_left] = symbols[j]
            n_left += 1
    return n_left


@compiled
def _extends_backward(text, stores, level, scratch, marks, whole):
    """Return whether a symbol is in the same period of each sequence with the prefix; the work.

    The i-th period is between the first end of i - 1 symbols and, if `whole`, the last place from
    which the others can be read (the maximum period), else the last such place before the first
    end of the prefix (the semi-maximum period).
    """
    at, up = stores[0]
    levels = stores[2]
    pattern, begin = levels[0], levels[1, level]
    # Of each sequence looked at: the place of the symbol under way, that symbol, and the prefix
    # before it.
    place, under_way, before = scratch
    candidates, seen = marks[1], marks[2]
    later, earlier, width, has_table = text.later, text.earlier, text.width, text.has_table
    sequence_of, starts = text.sequence_of, text.starts
    n_seen = work = 0
    for i in range(level, 0, -1):
        n_candidates = 0
        for k in range(levels[2, level] - begin):
            if k == n_seen:
                n_seen += 1
                first_end = at[begin + k]
                sequence_end = starts[sequence_of[first_end] + 1] - 1
                place[k] = sequence_end if whole else first_end + 1
                under_way[k] = level + 1
                before[k] = begin + k
            while under_way[k] > i:
                under_way[k] -= 1
                if has_table:
                    place[k] = earlier[place[k] * width + pattern[under_way[k]]]
                else:
                    place[k] = _search_earlier(text, place[k], pattern[under_way[k]])
                before[k] = up[before[k]]
                work += 1
            start, stop = at[before[k]] + 1, place[k]
            if k == 0:
                n_candidates = _symbols_between(text, start, stop, candidates, seen)
                work += width if has_table else stop - start
            elif has_table:
                row = start * width
                n_candidates = _keep_before(later, row, stop, candidates, n_candidates)
            else:
                n_candidates = _keep_between(text, start, stop, candidates, n_candidates)
            work += n_candidates
            if n_candidates == 0:
                break
        if n_candidates > 0:
            return True, work
    return False, work


@compiled
def _count_followers(text, at, begin, stop, counts, marks):
    """Count the sequences in which each symbol follows; return how many symbols, and the work."""
    n_after, followers = counts
    last_seen = marks[0]
    if text.has_table:
        later, width, n = text.later, np.uint64(text.width), len(text.symbols)
        for k in range(begin, stop):
            row = np.uint64(at[k] + 1) * width
            for s in range(width):
                n_after[s] += later[row + s] < n
        for s in range(width):
            followers[s] = s
        return text.width, (stop - begin) * text.width
    n_followers = work = 0
    for k in range(begin, stop):
        place = at[k] + 1
        work += 4
        while text.symbols[place] < text.width:
            s = text.symbols[place]
            if n_after[s] == 0:
                followers[n_followers] = s
                n_followers += 1
                last_seen[s] = -1
            if last_seen[s] != k:
                last_seen[s] = k
                n_after[s] += 1
            place += 1
            work += 1
    return n_followers, work


@compiled
def _visit(text, stores, state, scratch, counts, marks, query):
    """List the prefix under way if it is closed, and its children unless none can be; the work."""
    min_support, min_length, max_length, _, both, _ = query
    (at, _), (child,), levels, listed, patterns = stores
    level = state[2]
    begin, stop = levels[1, level], levels[2, level]
    support = stop - begin
    n_followers, work = _count_followers(text, at, begin, stop, counts, marks)
    n_after, followers = counts
    n_children = state[1]
    extended = level == 0
    for j in range(n_followers):
        s = followers[j]
        if n_after[s] >= min_support:
            extended |= n_after[s] == support
            child[n_children] = s
            n_children += 1
        n_after[s] = 0
    may_grow = level < max_length and n_children > state[1]
    if not extended and (level >= min_length or may_grow):
        if both:  # given on as it is: a constant would be compiled by itself
            extended, more = _extends_backward(text, stores, level, scratch, marks, both)
            work += more
        if not extended and level >= min_length:
            list_pattern(levels[0, 1 : level + 1], support, listed, patterns, state)
    if may_grow and both and extended and level > 0:
        pruned, more = _extends_backward(text, stores, level, scratch, marks, not both)
        may_grow = not pruned
        work += more
    levels[3, level] = state[1]  # the next child
    if may_grow:
        state[1] = n_children
    levels[4, level] = state[1]
    return work


@compiled
def _search(text, stores, state, scratch, counts, marks, query, slice_):
    """Go on with the search; return whether it has to be called again."""
    places, (child,), levels, listed, patterns = stores
    at, up = places
    work = 0
    if state[2] < 0:
        state[2] = 0
        levels[1, 0], levels[2, 0] = 0, state[0]
        work += _visit(text, stores, state, scratch, counts, marks, query)
    n, later, width, has_table = len(text.symbols), text.later, text.width, text.has_table
    while state[2] >= 0 and state[4] <= query.max_patterns:
        level = state[2]
        if levels[3, level] == levels[4, level]:
            state[2] -= 1
            state[0] = levels[1, level]
            if level > 0:
                state[1] = levels[4, level - 1]
            continue
        if (
            work > slice_
            or state[0] + len(text.starts) - 1 > len(at)
            or state[1] + text.width > len(child)
            or level + 2 > levels.shape[1]
            or state[3] + level + 1 > listed.shape[1]
            or state[4] + 1 > patterns.shape[1]
        ):
            return True
        symbol, begin, stop = child[levels[3, level]], levels[1, level], levels[2, level]
        levels[3, level] += 1
        top = stop
        for k in range(begin, stop):
            if has_table:
                place = later[(at[k] + 1) * width + symbol]
            else:
                place = _search_later(text, at[k] + 1, symbol)
            if place < n:
                at[top], up[top] = place, k
                top += 1
        level += 1
        levels[0, level], levels[1, level], levels[2, level] = symbol, stop, top
        state[0], state[2] = top, level
        work += stop - begin + _visit(text, stores, state, scratch, counts, marks, query)
    return False

"""Closed subsequences with gaps of at most so many symbols: BIDE with gap constraints.

C. Li and J. Wang, "Efficiently mining closed subsequences with gap constraints", SDM 2008
(Gap-BIDE). Prefixes grow to the right, depth first, with all the places where they end. Where they
begin is followed back from these, level by level, when it is asked for. A prefix is given up only
if one and the same symbol precedes every single occurrence, within the gap: each of its extensions
is then preceded, too.
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


class Text(NamedTuple):
    """The sequences in a row; a symbol that is too rare is `width`.

    `reach` is how far the next symbol may be from the one before it.
    """

    symbols: np.ndarray
    sequence_of: np.ndarray
    starts: np.ndarray
    width: int
    reach: int


def mine(database: Database, query: Query) -> Found:
    """Return the closed subsequences in any order; the search stops after `max_patterns`."""
    assert query.max_gap is not None
    frequent, supports = frequent_symbols(database, query.min_support)
    text = _prepare(database, frequent, query.max_gap)
    n, width = len(text.symbols), text.width
    # A column a place, a child (symbol, support, its places), a level (symbol, its places, its
    # children, the stores before it), a symbol listed, a pattern listed; they grow when full.
    by_symbol = np.argsort(text.symbols, kind="stable").astype(np.int32)
    stops = np.searchsorted(text.symbols[by_symbol], np.arange(width + 1))
    children = np.empty((4, width), dtype=np.int64)
    children[:] = np.arange(width), supports, stops[:-1], stops[1:]
    levels = np.zeros((7, 64), dtype=np.int64)
    levels[4, 0] = width
    listed = np.empty((1, 1024), dtype=np.int32)
    patterns = np.empty((3, 1024), dtype=np.int64)
    stores: tuple[np.ndarray, ...] = (
        by_symbol[None, : stops[-1]],
        children,
        levels,
        listed,
        patterns,
    )
    # How many columns are in use; the level; the last mark.
    state = np.array([stops[-1], width, 0, 0, 0, 0])
    followers = np.zeros((5, width + 1), dtype=np.int64)
    longest = int(np.diff(text.starts).max())
    occurrences = np.empty((2, longest), dtype=np.int32)
    margins = [n, width, 2, 1, 1]
    while _search(text, stores, state, followers, occurrences, query, SLICE):
        margins[3] = int(state[2]) + 1
        stores = with_room(stores, state[:5], margins)
    _, _, _, listed, patterns = stores
    return found_in(listed[0, : state[3]], patterns[:, : state[4]], frequent, query)


def _prepare(database: Database, frequent: np.ndarray, max_gap: int) -> Text:
    codes, starts, alphabet = database
    new_code = np.full(len(alphabet), len(frequent), dtype=np.int32)
    new_code[frequent] = np.arange(len(frequent))
    sequence_of = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts))
    reach = min(max_gap, len(codes)) + 1
    return Text(new_code[codes], sequence_of, starts, len(frequent), reach)


@compiled
def _first_not_before(at, low, high, place):
    while low < high:
        middle = (low + high) // 2
        if at[middle] < place:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _find_begins(text, at, levels, level, sequence, occurrences):
    """Write down where the occurrences in a sequence begin; return how many places these are."""
    start, stop = text.starts[sequence], text.starts[sequence + 1]
    begins, reach = occurrences[0], text.reach
    first = _first_not_before(at, levels[1, level], levels[2, level], start)
    n_begins = 0
    while first < levels[2, level] and at[first] < stop:
        begins[n_begins] = at[first]
        n_begins += 1
        first += 1
    for i in range(level - 1, 0, -1):
        first = _first_not_before(at, levels[1, i], levels[2, i], start)
        n_left = j = 0
        while first < levels[2, i] and j < n_begins:
            place = at[first]
            if begins[j] <= place:
                j += 1
                continue
            if begins[j] - place <= reach:
                occurrences[1, n_left] = place
                n_left += 1
            first += 1
        n_begins = n_left
        for j in range(n_begins):
            begins[j] = occurrences[1, j]
    return n_begins


@compiled
def _keep_marked(candidates, n, marks, mark):
    n_left = 0
    for j in range(n):
        if marks[candidates[j]] == mark:
            candidates[n_left] = candidates[j]
            n_left += 1
    return n_left


@compiled
def _is_preceded(text, at, levels, level, state, followers, occurrences, every):
    """Return whether one symbol precedes the prefix, within the gap, in each of its sequences.

    With `every`, whether it precedes each of its occurrences.
    """
    candidates, marks = followers[3], followers[4]
    symbols, starts, reach = text.symbols, text.starts, text.reach
    begins = occurrences[0]
    n_candidates = work = 0
    is_first = True
    k, stop = levels[1, level], levels[2, level]
    while k < stop:
        sequence = text.sequence_of[at[k]]
        n_begins = _find_begins(text, at, levels, level, sequence, occurrences)
        work += level + n_begins * (level + reach)
        for b in range(n_begins):
            if every or b == 0:
                state[5] += 1
            for place in range(max(starts[sequence], begins[b] - reach), begins[b]):
                s = symbols[place]
                if is_first and s < text.width and marks[s] != state[5]:
                    candidates[n_candidates] = s
                    n_candidates += 1
                marks[s] = state[5]
            if every or b == n_begins - 1:
                n_candidates = _keep_marked(candidates, n_candidates, marks, state[5])
                is_first = False
                if n_candidates == 0:
                    return False, work
        k = _first_not_before(at, k, stop, starts[sequence + 1])
    return True, work


@compiled
def _count_followers(text, at, begin, stop, followers):
    """Count, of each symbol in reach, its places and its sequences.

    Returns
    -------
    How many symbols these are, written down in the first row, and the work.
    """
    found, n_places, n_sequences, last_seen, _ = followers
    symbols, sequence_of, starts = text.symbols, text.sequence_of, text.starts
    n_found = looked_at = work = 0
    for k in range(begin, stop):
        sequence = sequence_of[at[k]]
        first, last = max(at[k] + 1, looked_at), min(at[k] + text.reach + 1, starts[sequence + 1])
        for place in range(first, last):
            s = symbols[place]
            if s == text.width:
                continue
            if n_places[s] == 0:
                found[n_found] = s
                n_found += 1
            if n_places[s] == 0 or last_seen[s] != sequence:
                last_seen[s] = sequence
                n_sequences[s] += 1
            n_places[s] += 1
        work += 2 + max(last - first, 0)
        looked_at = max(looked_at, last)
    return n_found, work


@compiled
def _write_places(
    text, at, begin, stop, followers, n_found, top, min_support, children, n_children
):
    """Add the children: the frequent symbols in reach, each with its places."""
    found, n_places, n_sequences, fill, _ = followers
    symbols, sequence_of, starts = text.symbols, text.sequence_of, text.starts
    for j in range(n_found):
        s = found[j]
        fill[s] = -1
        if n_sequences[s] >= min_support:
            fill[s] = top
            children[0, n_children], children[1, n_children] = s, n_sequences[s]
            children[2, n_children], children[3, n_children] = top, top + n_places[s]
            top += n_places[s]
            n_children += 1
    looked_at = 0
    for k in range(begin, stop):
        last = min(at[k] + text.reach + 1, starts[sequence_of[at[k]] + 1])
        for place in range(max(at[k] + 1, looked_at), last):
            s = symbols[place]
            if s < text.width and fill[s] >= 0:
                at[fill[s]] = place
                fill[s] += 1
        looked_at = max(looked_at, last)
    return top, n_children


@compiled
def _visit(text, stores, state, followers, occurrences, support, query):
    """List the prefix under way if it is closed, and its children unless none can be; the work."""
    min_support, min_length, max_length, _, both, _ = query
    (at,), children, levels, listed, patterns = stores
    level = state[2]
    begin, stop = levels[1, level], levels[2, level]
    n_found, work = _count_followers(text, at, begin, stop, followers)
    found, n_places, n_sequences = followers[0], followers[1], followers[2]
    extended = may_grow = False
    for j in range(n_found):
        extended |= n_sequences[found[j]] == support
        may_grow |= n_sequences[found[j]] >= min_support
    may_grow &= level < max_length
    if both and not extended and level >= min_length:
        extended, more = _is_preceded(
            text, at, levels, level, state, followers, occurrences, not both
        )
        work += more
    if not extended and level >= min_length:
        list_pattern(levels[0, 1 : level + 1], support, listed, patterns, state)
    elif both and may_grow:
        pruned, more = _is_preceded(text, at, levels, level, state, followers, occurrences, both)
        may_grow = not pruned
        work += more
    levels[5, level], levels[6, level] = state[0], state[1]
    if may_grow:
        state[0], state[1] = _write_places(
            text, at, begin, stop, followers, n_found, state[0], min_support, children, state[1]
        )
        work *= 2
    levels[3, level], levels[4, level] = levels[6, level], state[1]
    for j in range(n_found):
        n_places[found[j]] = n_sequences[found[j]] = 0
    return work


@compiled
def _search(text, stores, state, followers, occurrences, query, slice_):
    """Go on with the search; return whether it has to be called again."""
    places, children, levels, listed, patterns = stores
    work = 0
    while state[2] >= 0 and state[4] <= query.max_patterns:
        level = state[2]
        child = levels[3, level]
        if child == levels[4, level]:
            state[0], state[1] = levels[5, level], levels[6, level]
            state[2] -= 1
            continue
        if (
            work > slice_
            or state[0] + len(text.symbols) > places.shape[1]
            or state[1] + text.width > children.shape[1]
            or level + 2 > levels.shape[1]
            or state[3] + level + 1 > listed.shape[1]
            or state[4] + 1 > patterns.shape[1]
        ):
            return True
        levels[3, level] += 1
        state[2] += 1
        levels[0, level + 1] = children[0, child]
        levels[1, level + 1], levels[2, level + 1] = children[2, child], children[3, child]
        support = children[1, child]
        work += _visit(text, stores, state, followers, occurrences, support, query)
    return False

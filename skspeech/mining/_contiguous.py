"""Closed substrings: the nodes of a suffix tree that cover more sequences than what extends them.

The tree is that of all sequences in a row, each with an end mark of its own, and is read off the
suffix array as its intervals of common prefixes (M. I. Abouelhoda, S. Kurtz and E. Ohlebusch,
"Replacing suffix trees with enhanced suffix arrays", J. Discrete Algorithms 2, 2004). In how many
sequences a node occurs is its number of leaves less one for each two neighbouring leaves of one
sequence that meet in or below it (L. C. K. Hui, "Color set size problem with applications to
string matching", CPM 1992). All takes O(n log n) at worst, whatever the symbols.
"""

import numpy as np

from skspeech.mining._encoding import Database, Found, Query
from skspeech.mining._kernels import compiled
from skspeech.mining._suffix_array import common_prefixes, slices, suffix_array

__all__ = ["mine"]


def mine(database: Database, query: Query) -> Found:
    """Return the closed substrings, in lexicographic order."""
    n_sequences = len(database.starts) - 1
    text, sequence_of = _text(database)
    order = suffix_array(text, n_sequences + len(database.alphabet))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order), dtype=order.dtype)
    common = common_prefixes(text, order, rank)
    del text
    nodes = _nodes(common, sequence_of[order], n_sequences, query)
    if query.both:
        nodes = _without_left_extension(nodes, order, rank)
    if query.min_support == 1:
        nodes = np.hstack([nodes, _whole(database, rank, common, query.both)])
    asked_for = (nodes[2] >= query.min_length) & (nodes[2] <= query.max_length)
    first, _, lengths, supports = nodes[:, asked_for]
    by_rank = np.lexsort((lengths, first))
    at = order[first[by_rank]]
    begins = at - sequence_of[at]
    lengths, supports = lengths[by_rank], supports[by_rank]
    return Found(database.codes, begins, lengths, supports, is_sorted=True, is_complete=True)


def _text(database: Database) -> tuple[np.ndarray, np.ndarray]:
    """Return all sequences with their end marks, which sort first, and whose each position is."""
    codes, starts, _ = database
    n_sequences = len(starts) - 1
    n = len(codes) + n_sequences
    dtype = np.int32 if n < 2**31 else np.int64
    sequence_of = np.repeat(np.arange(n_sequences, dtype=dtype), np.diff(starts) + 1)
    text = np.empty(n, dtype=dtype)
    is_end = np.zeros(n, dtype=np.bool_)
    is_end[starts[1:] + np.arange(n_sequences)] = True
    text[~is_end] = codes + n_sequences
    text[is_end] = np.arange(n_sequences - 1, -1, -1)
    return text, sequence_of


def _nodes(common, sequence_at, n_sequences, query):
    """Return the inner nodes with right extensions that occur in fewer sequences only.

    A node with support 1 has a right extension in that sequence, so those of 2 and more are left.

    Returns
    -------
    ndarray of int, shape (4, n_nodes)
        First rank of each, last rank + 1, length, support.
    """
    n = len(sequence_at)
    # Memory is taken where these are written to, not before.
    stack = np.empty((4, n + 1), dtype=common.dtype)
    nodes = np.empty((4, n), dtype=common.dtype)
    last_rank = np.full(n_sequences, -1, dtype=common.dtype)
    stack[:, 0] = 0
    top = n_nodes = 0
    min_support = max(query.min_support, 2)
    # Those one longer than is asked for show that shorter ones are not closed.
    longest = query.max_length + 1
    for start, stop in slices(n - n_sequences + 1):
        top, n_nodes = _read_intervals(
            common, sequence_at, last_rank, stack, nodes,
            start + n_sequences, stop + n_sequences,
            top, n_nodes, min_support, query.min_length, longest,
        )  # fmt: skip
    return nodes[:, :n_nodes].copy()


@compiled
def _read_intervals(
    common, sequence_at, last_rank, stack, nodes, start, stop,
    top, n_nodes, min_support, shortest, longest,
):  # fmt: skip
    left, length, doubles, extended = stack
    for i in range(start, stop):
        shared = common[i]
        begin = i - 1
        n_doubles = support = 0
        while length[top] > shared:
            begin, n_doubles = left[top], doubles[top]
            support = i - begin - n_doubles
            if extended[top] < support >= min_support and shortest <= length[top] <= longest:
                nodes[0, n_nodes] = begin
                nodes[1, n_nodes] = i
                nodes[2, n_nodes] = length[top]
                nodes[3, n_nodes] = support
                n_nodes += 1
            top -= 1
            if length[top] >= shared:
                doubles[top] += n_doubles
                extended[top] = max(extended[top], support)
        if length[top] < shared:
            top += 1
            left[top], length[top], doubles[top], extended[top] = begin, shared, n_doubles, support
        if i < len(sequence_at):
            sequence = sequence_at[i]
            before = last_rank[sequence]
            last_rank[sequence] = i
            if before >= 0:
                low, high = 0, top
                while low < high:
                    middle = (low + high + 1) // 2
                    if left[middle] <= before:
                        low = middle
                    else:
                        high = middle - 1
                doubles[low] += 1
    return top, n_nodes


def _without_left_extension(nodes, order, rank):
    """Leave out those that another node precedes by one symbol wherever they occur.

    A left extension of a node that has no right extension of the same support is a node itself.
    """
    by_length = nodes[:, np.lexsort((nodes[0], nodes[2]))]
    first, stop, length, support = by_length.astype(np.int64)
    n = len(order)
    inside = rank[order[first] + 1]
    found = np.searchsorted(length * n + first, (length - 1) * n + inside, side="right") - 1
    found = np.maximum(found, 0)
    precedes = (length[found] == length - 1) & (first[found] <= inside) & (inside < stop[found])
    same = support[found] == support
    return np.delete(by_length, found[precedes & same], axis=1)


def _whole(database, rank, common, both):
    """Return what occurs once and reaches to the end of its sequence, as nodes of support 1."""
    starts = database.starts
    n_sequences = len(starts) - 1
    lengths = np.diff(starts)
    if both:  # and from its beginning
        first = rank[starts[:-1] + np.arange(n_sequences)]
    else:
        first = np.delete(rank, starts[1:] + np.arange(n_sequences))
        lengths = np.repeat(starts[1:], lengths) - np.arange(starts[-1])
    once = lengths > np.maximum(common[first], common[first + 1])
    first, lengths = first[once], lengths[once]
    return np.stack([first, first + 1, lengths, np.ones_like(lengths)]).astype(rank.dtype)

"""Where patterns occur in phrases: all of them at once, along a tree of their beginnings."""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

__all__ = ["FIELDS", "OCCURRENCE", "PatternTree"]

#: One occurrence: which phrase and which motif, its first symbol and the one past its last.
FIELDS = ("phrase", "motif", "start", "stop")
OCCURRENCE = np.dtype([(name, np.int64) for name in FIELDS])

# How many symbols are looked at together. With gaps there are many ways on from each.
_BLOCK, _BLOCK_WITH_GAPS = 2**16, 2**9


class PatternTree:
    """Finds patterns in phrases: from each start, the earliest end that the gap bound allows.

    A pattern occurs from a start if it can be read off the phrase from left to right, beginning
    with the symbol at the start and leaving out at most `max_gap` symbols between two that are
    read. Patterns that begin alike share a way down the tree, and all starts go down it together,
    a step a symbol.

    Parameters
    ----------
    patterns : list of tuple
        At least one; all different, none empty.
    max_gap : int or None, default=0
        None for gaps of any size.
    """

    def __init__(self, patterns: Sequence[tuple], max_gap: int | None = 0):
        self.max_gap = max_gap
        self.codes = {s: i for i, s in enumerate(dict.fromkeys(chain.from_iterable(patterns)))}
        self.width = len(self.codes) + 1  # one more for all symbols that are in no pattern
        children: dict[int, int] = {}  # of a node by a symbol; the root is 0
        ends = {}
        for motif, pattern in enumerate(patterns):
            node = 0
            for symbol in pattern:
                edge = node * self.width + self.codes[symbol]
                node = children.setdefault(edge, len(children) + 1)
            ends[node] = motif
        self.motifs = np.full(len(children) + 1, -1)  # which one ends at a node
        self.motifs[list(ends)] = list(ends.values())
        self.edges = np.array(sorted(children))
        self.children = np.array([children[edge] for edge in sorted(children)])

    def find(self, phrases: Sequence[Sequence], *, first: bool = False) -> np.ndarray:
        """Return where the patterns occur.

        Parameters
        ----------
        phrases : sequence of sequences of symbols
        first : bool, default=False
            Whether only the first occurrence of each pattern in each phrase is wanted.

        Returns
        -------
        ndarray of `OCCURRENCE`
            Sorted by phrase, start and motif.
        """
        size = _BLOCK if self.max_gap == 0 else _BLOCK_WITH_GAPS
        found = [np.empty(0, OCCURRENCE)]
        for begin, block in _blocks(phrases, size):
            found.append(self._find_in_block(block))
            found[-1]["phrase"] += begin
        occurrences = np.concatenate(found)
        if first:
            pairs = occurrences["phrase"] * len(self.motifs) + occurrences["motif"]
            occurrences = occurrences[np.sort(np.unique(pairs, return_index=True)[1])]
        return occurrences

    def _find_in_block(self, phrases: Sequence[Sequence]) -> np.ndarray:
        text = _Text(phrases, self.codes)
        walks = [np.empty((3, 0), np.int64), *self._walk(text)]
        starts, motifs, stops = np.concatenate(walks, axis=1)
        order = np.lexsort((motifs, starts))
        occurrences = np.empty(len(order), OCCURRENCE)
        begins = text.begins[starts[order]]
        occurrences["phrase"] = text.phrases[starts[order]]
        occurrences["motif"] = motifs[order]
        occurrences["start"] = starts[order] - begins
        occurrences["stop"] = stops[order] - begins
        return occurrences

    def _walk(self, text: "_Text") -> Iterator[np.ndarray]:
        """Go down from all starts at once; yield starts, motifs and stops of each depth."""
        starts = places = np.arange(len(text.codes))
        nodes = np.zeros(len(starts), np.int64)
        # the largest gap in a phrase of n symbols is n - 2: any larger bound is none
        max_gap = None if self.max_gap and self.max_gap >= text.longest - 2 else self.max_gap
        while len(starts):
            edges = nodes * self.width + text.codes[places]
            found = np.minimum(np.searchsorted(self.edges, edges), len(self.edges) - 1)
            known = self.edges[found] == edges
            starts, places, nodes = starts[known], places[known], self.children[found[known]]
            if max_gap:
                starts, places, nodes = _distinct(starts, places, nodes)
            yield self._ended(starts, places, nodes)
            if max_gap is None:
                rows, places = self._next_by_children(text, places, nodes)
            else:
                rows, places = _next_by_place(places, max_gap)
            inside = places < text.ends[starts[rows]]
            rows, places = rows[inside], places[inside]
            starts, nodes = starts[rows], nodes[rows]

    def _ended(self, starts: np.ndarray, places: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        """Return start, motif and stop of what ends here; of the stops only the earliest."""
        motifs = self.motifs[nodes]
        first = np.ones(len(starts), bool)
        first[1:] = (starts[1:] != starts[:-1]) | (nodes[1:] != nodes[:-1])
        here = first & (motifs >= 0)
        return np.stack([starts[here], motifs[here], places[here] + 1])

    def _next_by_children(
        self, text: "_Text", places: np.ndarray, nodes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return for each child of each node the next place of its symbol, or one past the end.

        Without a bound, what can be read on from a later place can be from the next one.
        """
        low, high = np.searchsorted(self.edges, [nodes * self.width, (nodes + 1) * self.width])
        rows = np.repeat(np.arange(len(nodes)), high - low)
        nth = np.arange(len(rows)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
        symbols = self.edges[low[rows] + nth] % self.width
        return rows, text.next_place(symbols, places[rows])


class _Text:
    """Phrases one after the other as codes, and for each symbol where its phrase is."""

    def __init__(self, phrases: Sequence[Sequence], codes: dict):
        other = len(codes)
        self.codes = np.array(
            [codes.get(symbol, other) for phrase in phrases for symbol in phrase], np.int64
        )
        lengths = np.array([len(phrase) for phrase in phrases], np.int64)
        self.longest = max(lengths, default=0)
        self.phrases = np.repeat(np.arange(len(phrases)), lengths)
        self.ends = np.cumsum(lengths)[self.phrases]
        self.begins = self.ends - lengths[self.phrases]
        self._by_symbol: np.ndarray | None = None

    def next_place(self, symbols: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return where each symbol comes next after a place; the number of all if nowhere."""
        n = len(self.codes)
        if self._by_symbol is None:
            self._by_symbol = np.append(np.sort(self.codes * n + np.arange(n)), -1)
        found = self._by_symbol[np.searchsorted(self._by_symbol[:-1], symbols * n + places + 1)]
        return np.where(found // n == symbols, found % n, n)


def _next_by_place(places: np.ndarray, max_gap: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each place the places that may be read next."""
    rows = np.repeat(np.arange(len(places)), max_gap + 1)
    return rows, places[rows] + np.tile(np.arange(1, max_gap + 2), len(places))


def _distinct(*columns: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return rows without repetitions, sorted by start, node and place."""
    starts, places, nodes = columns
    order = np.lexsort((places, nodes, starts))
    rows = np.stack([column[order] for column in columns])
    new = np.ones(len(order), bool)
    new[1:] = (rows[:, 1:] != rows[:, :-1]).any(axis=0)
    return tuple(rows[:, new])


def _blocks(phrases: Sequence[Sequence], size: int) -> Iterator[tuple[int, Sequence[Sequence]]]:
    """Yield runs of phrases of about `size` symbols, and the place of their first."""
    begin = n_symbols = 0
    for place, phrase in enumerate(phrases):
        n_symbols += len(phrase)
        if n_symbols >= size:
            yield begin, phrases[begin : place + 1]
            begin, n_symbols = place + 1, 0
    yield begin, phrases[begin:]

"""What a closed sequential pattern is: a statement in plain Python, for tests and for readers.

Nothing here is an algorithm: every pattern of every sequence is written down, and each is compared
with the others. That takes a time which grows exponentially with the length of the sequences; ten
symbols are a good length. :func:`~skspeech.mining.closed_sequences` gives the same list.
"""

from collections import Counter
from collections.abc import Sequence

__all__ = ["closed_by_definition", "contains", "patterns_of"]


def patterns_of(sequence: Sequence, max_gap: int | None = None) -> set[tuple]:
    """Return every pattern that a sequence contains.

    A pattern is read off a sequence from left to right, with at most `max_gap` symbols left out
    between two that are read (None: any number of them).

    Examples
    --------
    >>> from skspeech.mining.definition import patterns_of
    >>> sorted(patterns_of("abc", max_gap=0))
    [('a',), ('a', 'b'), ('a', 'b', 'c'), ('b',), ('b', 'c'), ('c',)]
    >>> ("a", "c") in patterns_of("abc", max_gap=1)
    True
    """
    found: set[tuple] = set()
    ending: set[tuple[tuple, int]] = {((symbol,), end) for end, symbol in enumerate(sequence)}
    while ending:
        found |= {pattern for pattern, _ in ending}
        ending = {
            ((*pattern, sequence[i]), i)
            for pattern, end in ending
            for i in range(end + 1, len(sequence))
            if max_gap is None or i - end - 1 <= max_gap
        }
    return found


def contains(longer: tuple, shorter: tuple) -> bool:
    """Return whether `shorter` is left when symbols are struck out of `longer`.

    Examples
    --------
    >>> from skspeech.mining.definition import contains
    >>> contains("axb", "ab"), contains("axb", "ba")
    (True, False)
    """
    rest = iter(longer)
    return all(symbol in rest for symbol in shorter)


def closed_by_definition(
    sequences: Sequence[Sequence],
    min_support: int,
    *,
    min_length: int = 1,
    max_length: int | None = None,
    max_gap: int | None = None,
    closure: str = "both",
) -> list[tuple[tuple, int]]:
    """Return what :func:`~skspeech.mining.closed_sequences` returns, straight from the definition.

    The parameters are those of `closed_sequences`; nothing is validated.

    Examples
    --------
    >>> from skspeech.mining.definition import closed_by_definition
    >>> closed_by_definition(["axb", "axab"], 2)
    [(('a', 'x', 'b'), 2)]
    """
    supports = Counter(p for sequence in sequences for p in patterns_of(sequence, max_gap))

    def is_rival(other: tuple, pattern: tuple) -> bool:
        if closure == "forward":
            return other[:-1] == pattern
        if max_gap is not None:
            return pattern in (other[:-1], other[1:])
        return len(other) > len(pattern) and contains(other, pattern)

    def is_closed(pattern: tuple) -> bool:
        return not any(
            support == supports[pattern] and is_rival(other, pattern)
            for other, support in supports.items()
        )

    longest = float("inf") if max_length is None else max_length
    listed = [
        (pattern, support)
        for pattern, support in supports.items()
        if support >= min_support and min_length <= len(pattern) <= longest and is_closed(pattern)
    ]
    return sorted(listed, key=lambda item: (-len(item[0]), item[0]))

"""Motifs by name, and what to say where there are none."""

from collections import Counter
from collections.abc import Sequence

__all__ = ["motif_names", "nothing_found"]


def motif_names(patterns: list[tuple]) -> list[str]:
    """Return a name for each pattern, all different."""
    if isinstance(patterns[0][0], int):
        return ["".join(f"{symbol:+d}" for symbol in pattern) for pattern in patterns]
    symbols = set().union(*patterns)
    if all(len(symbol) == 1 for symbol in symbols):
        return ["".join(pattern) for pattern in patterns]
    if any(" " in symbol or not symbol for symbol in symbols):  # two could be named alike
        return [repr(pattern) for pattern in patterns]
    return [" ".join(pattern) for pattern in patterns]


def nothing_found(
    databases: list[list[Sequence]], scope: str, min_support: int, min_length: int
) -> str:
    """Say what there was to mine, how far it is from holding a motif, and what to do.

    Parameters
    ----------
    databases : list of lists of phrases
        What was mined, each on its own.
    scope : str
        What each of them is.
    min_support, min_length : int
    """
    lengths = [len(phrase) for phrases in databases for phrase in phrases]
    if not any(lengths):
        return (
            "No recording has a phrase, so there is no motif. Look at what the contours were made "
            "of: is anything voiced, and does it move?"
        )
    message = (
        f"No motif of at least min_length={min_length} symbols is in min_support={min_support} "
        f"phrases of a {scope}. There are {len(lengths):,} phrase(s) in all, the longest of "
        f"{max(lengths, default=0)} symbol(s)"
    )
    if max(lengths, default=0) < min_length:
        return f"{message}: lower min_length."
    most = max(_most_common_run(phrases, min_length) for phrases in databases)
    if most >= min_support:
        return (
            f"{message}, and closed. Runs of {min_length} symbols are in up to {most} phrase(s), "
            "but what can be made longer in as many is not closed. Raise max_length."
        )
    return (
        f"{message}; no run of {min_length} symbols is in more than {most} phrase(s) of a {scope}. "
        "Lower min_support or min_length, or allow gaps by max_gap."
    )


def _most_common_run(phrases: list[Sequence], length: int) -> int:
    runs = Counter(run for phrase in phrases for run in _runs(tuple(phrase), length))
    return max(runs.values(), default=0)


def _runs(symbols: tuple, length: int) -> set[tuple]:
    return {symbols[i : i + length] for i in range(len(symbols) - length + 1)}

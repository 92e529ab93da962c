"""Between what is given and what is compiled: sequences of any symbols as one row of integers."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Database", "Found", "Query", "encode"]


class Database(NamedTuple):
    """Sequences one after the other, each symbol as its rank among the symbols that there are.

    Attributes
    ----------
    codes : ndarray of int32, shape (n_symbols,)
        Sorting codes sorts symbols.
    starts : ndarray of int64, shape (n_sequences + 1,)
        Sequence i is `codes[starts[i]:starts[i + 1]]`.
    alphabet : list of int or of str
        The symbols, sorted.
    """

    codes: np.ndarray
    starts: np.ndarray
    alphabet: list


class Query(NamedTuple):
    """What is looked for; the lengths and the gap are no larger than the database."""

    min_support: int
    min_length: int
    max_length: int
    max_gap: int | None
    both: bool
    max_patterns: int


class Found(NamedTuple):
    """Patterns with their supports: pattern i is `codes[begins[i]:begins[i] + lengths[i]]`.

    Attributes
    ----------
    codes : ndarray of int
    begins, lengths, supports : ndarray of int, shape (n_patterns,)
    is_sorted : bool
        Whether patterns of one length are in lexicographic order.
    is_complete : bool
        Whether they are all that there are; else the search ended after `Query.max_patterns`.
    """

    codes: np.ndarray
    begins: np.ndarray
    lengths: np.ndarray
    supports: np.ndarray
    is_sorted: bool
    is_complete: bool


def encode(sequences: Any) -> Database:
    """Return the sequences as integers.

    Raises
    ------
    TypeError
        If there is no collection of sequences, or a symbol is neither an integer nor a string, or
        some are integers and some strings.
    ValueError
        If there is no sequence, or one is empty.
    """
    if not _is_collection(sequences):
        raise TypeError(
            f"sequences is no collection of sequences but {type(sequences).__name__}. "
            "Give a list of sequences; put a single one into a list."
        )
    rows = [_as_row(sequence, i) for i, sequence in enumerate(sequences)]
    if not rows:
        raise ValueError("There are no sequences. Give at least one.")
    starts = np.array([0, *accumulate(map(len, rows))], dtype=np.int64)
    flat = list(chain.from_iterable(rows))
    kind = _kind(flat, starts)
    if set(map(type, flat)) != {kind}:  # subclasses of str, numpy's integers
        # not str(): an Enum's member would give the name that it is printed by
        flat = list(map(int if kind is int else str.__str__, flat))
    codes, alphabet = _ranked(flat, kind)
    return Database(codes.astype(np.int32), starts, alphabet)


def _is_collection(sequences: Any) -> bool:
    if isinstance(sequences, str | bytes | Mapping) or hasattr(sequences, "columns"):
        return False  # a data frame would be iterated over by its columns' names
    return isinstance(sequences, Iterable) and getattr(sequences, "ndim", 1) > 0


def _ranked(flat: list, kind: type) -> tuple[np.ndarray, list]:
    """Return the rank of each symbol, and the symbols sorted."""
    try:
        if kind is int:
            alphabet, codes = np.unique(np.array(flat, dtype=np.int64), return_inverse=True)
            return codes, alphabet.tolist()
    except OverflowError:
        pass  # integers of any size are symbols
    ranked = sorted(set(flat))
    rank = {symbol: i for i, symbol in enumerate(ranked)}
    return np.fromiter(map(rank.__getitem__, flat), dtype=np.int32, count=len(flat)), ranked


def _as_row(sequence: Any, index: int) -> Sequence:
    """Return one sequence as something to iterate over; its symbols are not looked at."""
    if isinstance(sequence, np.ndarray):
        if sequence.ndim != 1:
            raise ValueError(
                f"sequences[{index}] is an array of shape {sequence.shape}. "
                "A sequence has one dimension."
            )
        if sequence.dtype.kind in "mM":
            raise TypeError(
                f"sequences[{index}] is an array of {sequence.dtype}. Symbols are integers or "
                "strings: turn its times into one of them."
            )
        sequence = sequence.tolist()
    elif not isinstance(sequence, Sequence):
        raise TypeError(
            f"sequences[{index}] is no sequence but {type(sequence).__name__}. Give a list, "
            "tuple, string or 1-D array of symbols; put a single sequence into a list."
        )
    if not len(sequence):
        raise ValueError(f"sequences[{index}] is empty. Remove it.")
    return sequence


def _kind(flat: list, starts: np.ndarray) -> type:
    """Return int or str, whichever all the symbols are."""
    kinds = {found: _kind_of(found) for found in set(map(type, flat))}
    if len(set(kinds.values())) == 1 and None not in kinds.values():
        return int if int in kinds.values() else str
    first = kinds[type(flat[0])]
    at = next(i for i, x in enumerate(flat) if kinds[type(x)] is None or kinds[type(x)] != first)
    index = int(np.searchsorted(starts, at, side="right")) - 1
    name = f"sequences[{index}][{at - starts[index]}]"
    symbol, found = flat[at], type(flat[at])
    if kinds[found] is None:
        raise TypeError(
            f"{name} is {symbol!r}, neither an integer nor a string but {found.__name__}. "
            "Give each symbol a number or a name."
        )
    here, before = ("an integer", "strings") if kinds[found] is int else ("a string", "integers")
    raise TypeError(
        f"{name} is {symbol!r}, {here}, where the symbols before it are {before}. "
        "Use one of the two."
    )


def _kind_of(found: type) -> type | None:
    if issubclass(found, bool | np.bool_ | np.timedelta64):
        return None
    if issubclass(found, int | np.integer):
        return int
    return str if issubclass(found, str) else None

"""What a contour is, and what is wrong with one that cannot be used."""

from collections.abc import Sequence
from numbers import Integral, Number
from typing import Any

import numpy as np

from skspeech.exceptions import RecordingError
from skspeech.recordings.phrase import Phrase

__all__ = ["check_contour", "check_same_symbols", "symbol_type"]

_NAMES = {int: "integer", str: "string"}


def check_contour(
    contour: Any, *, index: int | None = None, reader: str = "this step"
) -> list[Phrase | tuple]:
    """Return the phrases of one recording, or say what is wrong with them.

    Parameters
    ----------
    contour : list or tuple of phrases
        It may be empty, and so may be a phrase: a :class:`Phrase`, or any other list, tuple,
        1-D array or sequence of integers or of strings. A string is no phrase, though it is a
        sequence of letters: ``["+1", "-2"]`` is more likely one phrase than two.
    index : int or None, default=None
        Its place in the collection, for the error.
    reader : str, default="this step"
        Who reads it, for the error.

    Returns
    -------
    list of Phrase or tuple
        A Phrase as it is, of any other phrase the tuple of its symbols.

    Raises
    ------
    RecordingError
        Of what is no list of phrases, no phrase or no symbol, or of symbols of two types; it
        names the recording, the phrase and the symbol.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.recordings import Phrase, check_recording
    >>> check_recording([Phrase([1], [[0, 0.5]]), np.array([1, -2]), []], kind="contour")
    [Phrase([1], [[0.0, 0.5]]), (1, -2), ()]
    """
    if not isinstance(contour, list | tuple):
        raise RecordingError(
            f"is {_described(contour)}, not a contour",
            f"{reader} reads a list of phrases a recording: put what is one phrase into a list, "
            "[phrase].",
            index,
        )
    phrases = [_check_phrase(phrase, place, index) for place, phrase in enumerate(contour)]
    if len(set().union(*map(_types, phrases))) > 1:
        raise _mixed(phrases, index)
    return phrases


def symbol_type(contour: list[Phrase | tuple]) -> type | None:
    """Return int or str, what a checked contour's symbols are; None where it has none."""
    return next((type(phrase[0]) for phrase in contour if len(phrase)), None)


def check_same_symbols(contours: Any, reader: str) -> None:
    """Refuse integers in one recording of a collection and strings in another."""
    found = ((i, symbol_type(contour)) for i, contour in enumerate(contours))
    typed = [(i, symbols) for i, symbols in found if symbols is not None]
    for i, symbols in typed:
        first, wanted = typed[0]
        if symbols is not wanted:
            raise RecordingError(
                f"holds {_NAMES[symbols]}s where X[{first}] holds {_NAMES[wanted]}s",
                f"Give {reader} contours of symbols of one type.",
                i,
            )


def _check_phrase(phrase: Any, place: int, index: int | None) -> Phrase | tuple:
    if isinstance(phrase, Phrase):
        return phrase
    symbols = _as_list(phrase)
    if symbols is None:
        raise RecordingError(
            f"has {_described(phrase)} as phrase {place}",
            "A phrase is a list, tuple or 1-D array of integers or of strings, and a contour a "
            "list of phrases: put a lone phrase into a list, [phrase], and a lone contour into "
            "another, [contour].",
            index,
        )
    if set(map(type, symbols)) in (set(), {int}, {str}):
        return tuple(symbols)
    return tuple(_check_symbol(symbols[k], k, place, index) for k in range(len(symbols)))


def _as_list(phrase: Any) -> list | None:
    if isinstance(phrase, str | bytes):
        return None
    if isinstance(phrase, Sequence):
        return list(phrase)
    if not hasattr(phrase, "__array__"):
        return None
    array = np.asarray(phrase)
    return array.tolist() if array.ndim == 1 else None


def _check_symbol(symbol: Any, k: int, place: int, index: int | None) -> int | str:
    if isinstance(symbol, str):
        return str.__str__(symbol)  # numpy's are strings, too; an Enum's str() is another
    if isinstance(symbol, Integral) and not isinstance(symbol, bool):
        return int(symbol)
    raise RecordingError(
        f"holds {_described(symbol)} at phrase {place}, symbol {k}",
        "Symbols are integers or strings: turn whole numbers into integers, and end the phrase "
        "where a symbol is missing.",
        index,
    )


def _described(thing: Any) -> str:
    if isinstance(thing, np.ndarray):
        return f"an array of shape {thing.shape}"
    if thing is None:
        return "None"
    if isinstance(thing, str | bytes | Number):
        return f"{str(thing)!r:.40} ({type(thing).__name__})"
    return f"something of type {type(thing).__name__}"


def _types(phrase: Phrase | tuple) -> set[type]:
    if isinstance(phrase, Phrase):
        return {int} if len(phrase) else set()
    return set(map(type, phrase))


def _mixed(phrases: list[Phrase | tuple], index: int | None) -> RecordingError:
    """Say where the first integer and the first string are."""
    first: dict[type, str] = {}
    for place, phrase in enumerate(phrases):
        for k, symbol in enumerate(phrase):
            first.setdefault(type(symbol), f"{symbol!r} at phrase {place}, symbol {k}")
    return RecordingError(
        f"mixes symbols of two types: {', '.join(first.values())}",
        "Turn all into integers or all into strings.",
        index,
    )

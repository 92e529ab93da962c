"""Sizes of layers as estimators are given them: any integers, in any kind of sequence."""

from collections.abc import Iterable, Sequence
from operator import index
from typing import Any

__all__ = ["pairs_of_sizes", "sizes"]


def sizes(name: str, values: Sequence[Any]) -> tuple[int, ...]:
    """Return sizes as Python's integers, the only ones that torch takes everywhere.

    Parameters
    ----------
    name : str
        The parameter's name, for the error.
    values : sequence of int
        Numpy's will do.

    Returns
    -------
    tuple of int

    Raises
    ------
    ValueError
        If there are none, or one is no integer above 0.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.models._sizes import sizes
    >>> sizes("n_maps", np.array([16, 24]))
    (16, 24)
    """
    found = _integers(values)
    if not found or min(found) < 1:
        raise ValueError(f"{name} is {values!r}; expected one or more positive integers.")
    return found


def pairs_of_sizes(name: str, values: Sequence[Any]) -> tuple[tuple[int, int], ...]:
    """Return sizes along (bins, frames); an integer stands for both.

    Parameters
    ----------
    name : str
        The parameter's name, for the error.
    values : sequence of int or of (int, int)

    Returns
    -------
    tuple of (int, int)

    Raises
    ------
    ValueError
        If there are none, or one is neither an integer above 0 nor a pair of them.

    Examples
    --------
    >>> from skspeech.models._sizes import pairs_of_sizes
    >>> pairs_of_sizes("kernel_sizes", ((12, 16), 5))
    ((12, 16), (5, 5))
    """
    found = [
        _integers(value if isinstance(value, Iterable) else (value, value)) for value in values
    ]
    if not found or any(len(pair) != 2 or min(pair) < 1 for pair in found):
        raise ValueError(
            f"{name} is {values!r}; expected one or more positive integers or pairs of them, "
            "(bins, frames)."
        )
    return tuple((pair[0], pair[1]) for pair in found)


def _integers(values: Iterable[Any]) -> tuple[int, ...]:
    """Return Python's integers, or nothing where one value is none."""
    try:
        return tuple(map(index, values))
    except TypeError:
        return ()

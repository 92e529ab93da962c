"""The smallest input on which a promise breaks, found by leaving out and shortening recordings."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from skspeech.recordings import FRAMES_FIRST, object_array

__all__ = ["Piece", "assert_kept", "pieces_of", "recordings_of", "smallest"]


class Piece(NamedTuple):
    """A recording of a collection, or its beginning."""

    #: How to get it from the collection, such as ``X[3][..., :20]``.
    name: str
    #: Its index in the collection.
    place: int
    recording: Any


Broken = Callable[[list[Piece]], str | None]


def pieces_of(X: Iterable[Any]) -> list[Piece]:
    """Return the recordings of a collection, each with its name."""
    return [Piece(f"X[{i}]", i, recording) for i, recording in enumerate(X)]


def recordings_of(pieces: list[Piece]) -> np.ndarray:
    """Return what the pieces hold, as an object array."""
    return object_array([piece.recording for piece in pieces])


def assert_kept(promise: str, pieces: list[Piece], kind: str, broken: Broken) -> None:
    """Raise an AssertionError if a promise is broken, with the smallest input that shows it.

    Parameters
    ----------
    promise : str
        In a few words.
    pieces : list of Piece
        Of ``make_recordings(kind)``, or longer ones.
    kind : str
        One of :data:`skspeech.tags.KINDS`.
    broken : callable
        Takes a list of pieces, and says what is broken on them, or None.
    """
    found = broken(pieces)
    if found is None:
        return
    fewest = smallest(pieces, kind, broken)
    names, shapes = [p.name for p in fewest], [_shape(p.recording) for p in fewest]
    raise AssertionError(
        f"{promise}, but {found}.\nThe smallest input that shows it, where X = "
        f"make_recordings({kind!r}), is [{', '.join(names)}], of {_listed(shapes)}: "
        f"{broken(fewest) or found}."
    )


def smallest(pieces: list[Piece], kind: str, broken: Broken) -> list[Piece]:
    """Return few and short pieces on which a promise is still broken.

    First halves of them, quarters and so on down to single ones are left out, then each that is
    left is shortened by bisection: none of those left can be spared, and of each the last frame is
    needed. This takes about two questions for each piece, and a handful for each that is left.

    Parameters
    ----------
    pieces : list of Piece
        On which the promise is broken.
    kind : str
        One of :data:`skspeech.tags.KINDS`; what is behind a path is not shortened.
    broken : callable
        Takes a list of pieces, and says what is broken on them, or None. An exception is another
        matter, and counts as None.

    Returns
    -------
    list of Piece

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.testing.smallest import pieces_of, smallest
    >>> def two_lengths(pieces):
    ...     return "ragged" if len({len(p.recording) for p in pieces}) > 1 else None
    >>> X = [np.zeros(n) for n in (9, 9, 9, 5, 9)]
    >>> [piece.name for piece in smallest(pieces_of(X), "waveform", two_lengths)]
    ['X[3][..., :2]', 'X[4][..., :1]']
    """

    def still(pieces: list[Piece]) -> bool:
        try:
            return broken(pieces) is not None
        except Exception:  # what breaks is another promise, or what cannot be asked
            return False

    for k, piece in reversed(list(enumerate(pieces := _fewest(pieces, still)))):
        too_short, enough = 0, _length(piece.recording, kind)
        while enough - too_short > 1:
            n = (too_short + enough) // 2
            tried = [*pieces[:k], _beginning(piece, kind, n), *pieces[k + 1 :]]
            if still(tried):
                pieces, enough = tried, n
            else:
                too_short = n
    return pieces


def _fewest(pieces: list[Piece], still: Callable[[list[Piece]], bool]) -> list[Piece]:
    size = len(pieces) // 2
    while size:
        end = len(pieces)
        while end > 0:  # from the last on, so that it is the first that stay
            left = pieces[: max(0, end - size)] + pieces[end:]
            if left and still(left):
                pieces = left
            end -= size
        size //= 2
    return pieces


def _length(recording: Any, kind: str) -> int:
    if kind == "path":
        return 1
    return len(recording) if kind in (*FRAMES_FIRST, "contour") else recording.shape[-1]


def _beginning(piece: Piece, kind: str, n: int) -> Piece:
    if kind in (*FRAMES_FIRST, "contour"):
        return Piece(f"{piece.name}[:{n}]", piece.place, piece.recording[:n])
    return Piece(f"{piece.name}[..., :{n}]", piece.place, piece.recording[..., :n])


def _shape(recording: Any) -> str:
    if isinstance(recording, str):
        return "a file"
    if isinstance(recording, list):
        return f"phrases of {[len(phrase) for phrase in recording]}"
    return f"shape {np.shape(recording)}"


def _listed(texts: list[str]) -> str:
    return " and ".join(part for part in (", ".join(texts[:-1]), texts[-1]) if part)

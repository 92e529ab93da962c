"""Occurrences of motifs as bars in rows, at the bottom of axes whose other unit is seconds."""

from bisect import bisect, insort
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

_ROW, _ALL_ROWS = 0.05, 0.5  # greatest height, of that of the axes
_LETTERS = 6.5  # points
# Okabe and Ito's, told apart with every colour vision; made lighter, so that letters can be read.
_HUES = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")


def place_in_rows(motifs: np.ndarray, max_rows: int) -> np.ndarray:
    """Return the row of each occurrence, so that none overlap; -1 where there is no room.

    The longest come first, each into the first row that has room.

    Parameters
    ----------
    motifs : structured array with fields motif, start and end
    max_rows : int

    Returns
    -------
    ndarray of int, shape (n_occurrences,)
    """
    rows = np.full(len(motifs), -1)
    taken: list[list[tuple[float, float]]] = [[] for _ in range(max_rows)]
    for i in np.lexsort([motifs["motif"], motifs["start"], motifs["start"] - motifs["end"]]):
        span = float(motifs["start"][i]), float(motifs["end"][i])
        for row, spans in enumerate(taken):
            place = bisect(spans, span)
            before = spans[place - 1][1] if place else -np.inf
            after = spans[place][0] if place < len(spans) else np.inf
            if before <= span[0] and span[1] <= after:
                insort(spans, span)
                rows[i] = row
                break
    return rows


def height_of(rows: np.ndarray) -> float:
    """Return which share of the axes' height rows take, as :func:`place_in_rows` gives them."""
    return min(_ROW * (1 + rows.max(initial=-1)), _ALL_ROWS)


def draw_rows(ax: "Axes", motifs: np.ndarray, rows: np.ndarray) -> list["Rectangle"]:
    """Draw the occurrences that have a row, and say how many have none.

    Parameters
    ----------
    ax : matplotlib Axes
        Their limits are those that stay.
    motifs : structured array with fields motif, start and end
    rows : ndarray of int, shape (n_occurrences,)
        As :func:`place_in_rows` gives them.

    Returns
    -------
    list of Rectangle
        One an occurrence that has a row.
    """
    shown = np.flatnonzero(rows >= 0)
    if len(shown) < len(rows):
        hidden = f"{len(rows) - len(shown):,} of {len(rows):,} occurrences of motifs not shown"
        ax.set_title(hidden, loc="right", fontsize="small")
    _, hues = np.unique(motifs["motif"][shown], return_inverse=True)
    height = height_of(rows) / (1 + rows.max(initial=0))
    bottoms = height * (rows.max(initial=0) - rows)
    return [
        _draw_bar(ax, motifs[i], (bottoms[i], height), _HUES[hue % len(_HUES)])
        for i, hue in zip(shown, hues, strict=True)
    ]


def _draw_bar(ax: "Axes", occurrence: Any, row: tuple[float, float], colour: str) -> "Rectangle":
    from matplotlib.patches import Rectangle

    start, end = float(occurrence["start"]), float(occurrence["end"])
    bottom, height = row
    seconds_and_share = ax.get_xaxis_transform()
    bar = Rectangle(
        (start, bottom + 0.06 * height),
        end - start,
        0.88 * height,
        facecolor=(colour, 0.6),
        edgecolor="white",
        linewidth=0.5,
        transform=seconds_and_share,
        zorder=2.2,
    )
    ax.add_patch(bar)
    number = f"{occurrence['motif']}"
    seen = np.clip([start, end], *ax.get_xlim())
    if np.ptp(seen) * _points_a_second(ax) > 0.7 * _LETTERS * len(number):
        ax.text(
            seen.mean(),
            bottom + 0.48 * height,
            number,
            fontsize=_LETTERS,
            ha="center",
            va="center",
            clip_on=True,
            transform=seconds_and_share,
            zorder=2.3,
        )
    return bar


def _points_a_second(ax: "Axes") -> float:
    begin, end = ax.get_xlim()
    return ax.get_window_extent().width * 72 / ax.figure.dpi / (end - begin)

"""Running mean and deviation of what is too large to stand in memory."""

from typing import Any

import numpy as np

__all__ = ["Moments"]


class Moments:
    """Running mean and deviation of each bin, or of everything, over valid frames.

    Segments are merged one at a time in double precision (Chan, Golub and LeVeque 1983), so
    neither order nor size loses digits and nothing but the sums is kept.

    Parameters
    ----------
    per : {"bin", "global"}
        One mean for each channel and bin, or a single one.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.training.moments import Moments
    >>> moments = Moments("global")
    >>> moments.add(np.array([[0.0, 2.0]]))
    >>> moments.add(np.array([[4.0, 6.0]]))
    >>> float(moments.mean.item()), round(float(moments.scale.item()), 3)
    (3.0, 2.236)
    """

    def __init__(self, per: str):
        self.per = per
        self.count = 0
        self.mean: Any = 0.0
        self._squares: Any = 0.0

    def add(self, segment: np.ndarray) -> None:
        """Take a segment (..., n_frames) into account."""
        axes = -1 if self.per == "bin" else None
        count = segment.shape[-1] if self.per == "bin" else segment.size
        mean = segment.mean(axis=axes, keepdims=True, dtype=np.float64)
        squares = np.square(segment - mean).sum(axis=axes, keepdims=True)
        total = self.count + count
        step = mean - self.mean
        self._squares = self._squares + squares + step**2 * (self.count * count / total)
        self.mean = self.mean + step * (count / total)
        self.count = total

    @property
    def scale(self) -> np.ndarray:
        """The standard deviation, and 1 where a bin is constant up to rounding."""
        deviation = np.sqrt(self._squares / self.count)
        constant = deviation <= 10 * np.finfo(np.float32).eps * np.abs(self.mean)
        return np.where(constant, 1.0, deviation)

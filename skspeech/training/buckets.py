"""Batches of segments of like lengths."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from torch.utils.data import Sampler

__all__ = ["MOST_PADDING", "LengthBucketSampler"]

#: The largest share of a batch's frames that may be padding where batches are counted in frames.
MOST_PADDING = 0.08


class LengthBucketSampler(Sampler):
    """Batches of like lengths, shuffled anew each epoch, the same for the same seed.

    Every epoch permutes the segments, sorts each run of `pool_batches` batches by length, cuts
    it into batches and shuffles all of these. Where there are several runs, which segments meet
    differs from epoch to epoch; in a single run only segments of equal length change places.

    Parameters
    ----------
    lengths : ndarray of int, shape (n_segments,)
    batch_size : int
        Segments in a batch.
    batch_frames : int or None, default=None
        The most frames in a batch, padding included, in place of `batch_size`; a batch is closed
        earlier where padding would be 8 percent of it or more. A segment of more frames is a
        batch of its own.
    seed : int or None, default=None
        None keeps the order: longest first, as prediction and validation want it.
    pool_batches : int, default=16
        Batches sorted together: more of them pad less and shuffle less. Our choice.
    recordings : ndarray of int, shape (n_segments,) or None, default=None
        The recording of each segment: those of one recording then stay in one run of
        batches, or two, and only the batches of a run are shuffled.
    draw : callable or None, default=None
        ``draw(rng)`` gives the segments of an epoch, some of them several times; None takes
        each once, as does an order that is kept.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.training.buckets import LengthBucketSampler
    >>> lengths = np.array([3, 90, 4, 86])
    >>> [batch.tolist() for batch in LengthBucketSampler(lengths, 2)]
    [[1, 3], [2, 0]]
    >>> [batch.tolist() for batch in LengthBucketSampler(lengths, 2, batch_frames=180)]
    [[1, 3], [2], [0]]
    """

    def __init__(
        self,
        lengths: np.ndarray,
        batch_size: int,
        *,
        batch_frames: int | None = None,
        seed: int | None = None,
        pool_batches: int = 16,
        recordings: np.ndarray | None = None,
        draw: Callable[[np.random.Generator], np.ndarray] | None = None,
    ):
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.batch_frames = batch_frames
        self.recordings = recordings
        self.draw = draw
        self.pool = pool_batches * self._usual_size()
        self._rng: Any = None if seed is None else np.random.default_rng(seed)
        self._next = self._plan()

    def _usual_size(self) -> int:
        if self.batch_frames is None:
            return self.batch_size
        return max(1, int(self.batch_frames / self.lengths.mean()))

    @property
    def mean_size(self) -> float:
        """Segments in a batch of the epoch that comes next, on average."""
        return sum(map(len, self._next)) / len(self._next)

    def __len__(self) -> int:
        """Return the number of batches of the epoch that comes next, also while one is read."""
        return len(self._next)

    def __iter__(self) -> Iterator[np.ndarray]:
        batches = self._next
        if self._rng is not None:
            self._next = self._plan()
        yield from batches

    def skip(self, n_epochs: int) -> None:
        """Draw the batches of some epochs and pass over them."""
        for _ in range(n_epochs):
            self._next = self._plan()

    def _plan(self) -> list[np.ndarray]:
        """Return the batches of one epoch."""
        order = self._order()
        pool = len(order) if self._rng is None and self.recordings is None else self.pool
        runs = [self._cut(order[i : i + pool]) for i in range(0, len(order), pool)]
        if self.recordings is None:
            runs = [[batch for run in runs for batch in run]]
        if self._rng is None:
            return [batch for run in runs for batch in run]
        return [run[i] for run in runs for i in self._rng.permutation(len(run))]

    def _order(self) -> np.ndarray:
        order = np.arange(len(self.lengths))
        if self._rng is not None:
            order = order if self.draw is None else self.draw(self._rng)
            order = self._rng.permutation(order)
        if self.recordings is None:
            return order
        rank = np.arange(self.recordings.max() + 1)
        if self._rng is not None:
            self._rng.shuffle(rank)
        return order[np.argsort(rank[self.recordings[order]], kind="stable")]

    def _cut(self, run: np.ndarray) -> list[np.ndarray]:
        """Sort a run of segments by length, longest first, and cut it into batches."""
        if self._rng is not None and self.recordings is not None:
            run = self._rng.permutation(run)  # segments of equal length are not to stay together
        run = run[np.argsort(-self.lengths[run], kind="stable")]
        if self.batch_frames is None:
            borders = list(range(self.batch_size, len(run), self.batch_size))
        else:
            borders = _borders(self.lengths[run].tolist(), self.batch_frames)
        return np.split(run, borders)


def _borders(lengths: list[int], batch_frames: int) -> list[int]:
    """Return where batches after the first begin, of lengths from the longest down.

    Each takes as many as fit, which is not always the fewest batches.
    """
    borders, start, n_valid = [], 0, 0
    for i, length in enumerate(lengths):
        n_frames = (i + 1 - start) * lengths[start]
        n_valid += length
        if i > start and (n_frames > batch_frames or n_frames - n_valid >= MOST_PADDING * n_frames):
            borders.append(i)
            start, n_valid = i, length
    return borders

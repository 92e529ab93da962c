"""Frames of video with their context as torch reads them: windows are cut when a batch is made."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from skspeech.exceptions import RecordingError
from skspeech.training.moments import Moments

__all__ = ["FrameWindows", "WindowParts", "as_input", "context_of", "make_window_parts"]

# Frames are shuffled among those of so many batches, whose recordings are read together: a corpus
# need not be in memory, nor a recording be read for each of its frames (our choice).
_POOL_BATCHES = 32


def context_of(context_frames: int) -> tuple[int, int]:
    """Return how many frames of a window are before its own frame, and how many after.

    Examples
    --------
    >>> from skspeech.training.windows import context_of
    >>> context_of(25), context_of(4)
    ((12, 12), (2, 1))
    """
    before = context_frames // 2
    return before, context_frames - 1 - before


def as_input(frames: np.ndarray) -> torch.Tensor:
    """Return video as the networks read it, float32; 8 bits stand for -1 to 1."""
    values = torch.from_numpy(np.require(frames, np.float32, ["C", "W"]))
    return values / 127.5 - 1 if frames.dtype == np.uint8 else values


class _PooledSampler(Sampler):
    """Batches of frames, shuffled among those of some recordings, these anew in each epoch.

    Parameters
    ----------
    n_frames : ndarray of int, shape (n_recordings,)
        Of each recording that is read.
    batch_size : int
    seed : int or None
        None keeps the order.
    """

    def __init__(self, n_frames: np.ndarray, batch_size: int, seed: int | None):
        self.n_frames, self.batch_size = n_frames, batch_size
        self.ends = np.cumsum(n_frames)
        self._rng = None if seed is None else np.random.default_rng(seed)

    @property
    def mean_size(self) -> float:
        """Frames in a batch, on average."""
        return self.ends[-1] / len(self)

    def __len__(self) -> int:
        return -(-int(self.ends[-1]) // self.batch_size)

    def __iter__(self) -> Iterator[np.ndarray]:
        order = self._order()
        for start in range(0, len(order), self.batch_size):
            yield order[start : start + self.batch_size]

    def skip(self, n_epochs: int) -> None:
        """Draw the orders of some epochs and pass over them."""
        for _ in range(n_epochs):
            self._order()

    def _order(self) -> np.ndarray:
        return np.arange(self.ends[-1]) if self._rng is None else self._shuffled(self._rng)

    def _shuffled(self, rng: np.random.Generator) -> np.ndarray:
        order = rng.permutation(len(self.n_frames))
        pool = np.cumsum(self.n_frames[order]) // (_POOL_BATCHES * self.batch_size)
        frames = []
        for number in np.unique(pool):
            rows = [np.arange(*self._span(i)) for i in order[pool == number]]
            frames.append(rng.permutation(np.concatenate(rows)))
        return np.concatenate(frames)

    def _span(self, recording: int) -> tuple[int, int]:
        end = int(self.ends[recording])
        return end - int(self.n_frames[recording]), end


class FrameWindows(Dataset):
    """The frames of some recordings, each with its context and what is to be answered for it.

    Parameters
    ----------
    recordings : sequence
        Validated videos: (n_frames, n_rows, n_columns), or (n_frames, n_context, n_rows, n_columns)
        where frames bring their context.
    chosen : ndarray of int
        Which of them are read.
    n_frames : ndarray of int, shape (n_recordings,)
        Of each recording.
    targets : sequence of ndarray (n_frames, n_outputs)
        As the network is to answer them: standardised.
    context_frames : int
    """

    rng = None  # it reads no random excerpts

    def __init__(
        self,
        recordings: Any,
        chosen: np.ndarray,
        n_frames: np.ndarray,
        targets: Any,
        context_frames: int,
    ):
        self.recordings, self.chosen = recordings, chosen
        self.n_frames = n_frames[chosen]
        self.starts = np.cumsum(self.n_frames) - self.n_frames
        self.targets = torch.from_numpy(np.concatenate([targets[i] for i in chosen]))
        before, after = context_of(context_frames)
        self.offsets = np.arange(-before, after + 1)
        self._lazy = not isinstance(recordings, np.ndarray)
        self._read: OrderedDict[int, np.ndarray] = OrderedDict()
        self._n_kept = 0

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, i: int) -> int:
        return int(i)

    def sampler(
        self, batch_size: int, *, batch_frames: int | None = None, seed: int | None
    ) -> _PooledSampler:
        """Return the batches of an epoch; `batch_frames` is not for windows of one size."""
        # what is shuffled together may be longer by one recording, and a batch may be of two such
        self._n_kept = 2 * (_POOL_BATCHES * batch_size + int(self.n_frames.max()))
        return _PooledSampler(self.n_frames, batch_size, seed)

    def collate(self, rows: list[int]) -> tuple[dict, tuple]:
        """Return the batch that skorch reads: windows, and the targets."""
        frames = np.array(rows)
        places = np.searchsorted(self.starts, frames, side="right") - 1
        windows: Any = None
        for place in np.unique(places):
            own = places == place
            video = self._video(int(place))
            found = cut_windows(video, frames[own] - self.starts[place], self.offsets)
            if windows is None:
                windows = torch.empty((len(rows), *found.shape[1:]))
            windows[torch.from_numpy(own)] = as_input(found)
        lengths = torch.full((len(rows),), len(self.offsets))
        return {"inputs": windows, "lengths": lengths}, (self.targets[frames],)

    def _video(self, place: int) -> np.ndarray:
        i = int(self.chosen[place])
        if not self._lazy:
            return self.recordings[i]
        if place not in self._read:
            video = self.recordings[i]
            if len(video) != self.n_frames[place]:
                raise RecordingError(
                    f"has {len(video)} frames now and had {self.n_frames[place]} before",
                    "Its source must give the same recording each time.",
                    i,
                )
            self._read[place] = video
            while sum(map(len, self._read.values())) > self._n_kept and len(self._read) > 1:
                self._read.popitem(last=False)
        self._read.move_to_end(place)
        return self._read[place]


def cut_windows(video: np.ndarray, frames: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return frames with their context, the first and last frame standing for what is beyond.

    Parameters
    ----------
    video : ndarray of shape (n_frames, n_rows, n_columns) or (n_frames, n_context, n_rows, \
n_columns)
    frames : ndarray of int, shape (n,)
    offsets : ndarray of int, shape (n_context,)

    Returns
    -------
    ndarray of shape (n, n_context, n_rows, n_columns)

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.training.windows import cut_windows
    >>> video = np.array([[[1]], [[2]], [[3]]])
    >>> cut_windows(video, np.array([0, 2]), np.array([-1, 0, 1])).reshape(2, 3)
    array([[1, 1, 2],
           [2, 3, 3]])
    """
    if video.ndim == 4:
        return video[frames]
    return video[np.clip(frames[:, None] + offsets, 0, len(video) - 1)]


@dataclass(frozen=True)
class WindowParts:
    """What a net that answers frames trains on and is judged by.

    Parameters
    ----------
    training : FrameWindows
    validation : FrameWindows or None
        None where nothing is held out.
    layout : tuple of int
        The axes after time: ``(n_rows, n_columns)``, before them the context where frames bring it.
    target_mean, target_scale : ndarray of shape (n_outputs,)
        Of the training frames' targets, which are standardised by them.
    """

    training: FrameWindows
    validation: FrameWindows | None
    layout: tuple[int, ...]
    target_mean: np.ndarray
    target_scale: np.ndarray


def make_window_parts(
    recordings: Any,
    targets: list[np.ndarray],
    held_out: np.ndarray,
    *,
    context_frames: int,
    layout: tuple[int, ...] | None = None,
    moments: Moments | None = None,
    target_moments: tuple[np.ndarray, np.ndarray] | None = None,
) -> WindowParts:
    """Pass over the recordings once, and part their frames.

    Parameters
    ----------
    recordings : sequence
        Validated videos.
    targets : list of ndarray of float32, shape (n_frames, n_outputs)
    held_out : ndarray of int
        The validation recordings.
    context_frames : int
    layout : tuple of int or None, default=None
        The layout that the recordings must have; None takes that of the first.
    moments : Moments or None, default=None
        Filled with the training part.
    target_moments : (mean, scale) or None, default=None
        What targets are standardised by; None takes those of the training part.

    Returns
    -------
    WindowParts

    Raises
    ------
    RecordingError
        If a recording has other axes than the first, or not as many frames as targets.
    """
    held = np.zeros(len(targets), dtype=bool)
    held[held_out] = True
    n_frames = np.zeros(len(targets), dtype=np.intp)
    found = Moments("bin")
    for i, target in enumerate(targets):
        video = recordings[i]
        layout = layout or video.shape[1:]
        check_video(video, layout, context_frames, i)
        if len(target) != len(video):
            raise RecordingError(
                f"has {len(video)} frames, but y[{i}] has {len(target)}",
                "Cut both to the same frames, for instance with "
                "skspeech.preprocessing.align_frames.",
                i,
            )
        n_frames[i] = len(video)
        if not held[i]:
            found.add(target.T)
            if moments is not None:
                frames = as_input(video).numpy()
                moments.add(np.moveaxis(frames.reshape(-1, *frames.shape[-2:]), 0, -1))
    mean, scale = target_moments or (found.mean[:, 0], found.scale[:, 0])
    standardized = [((target - mean) / scale).astype(np.float32) for target in targets]

    def part(chosen: np.ndarray) -> FrameWindows:
        return FrameWindows(recordings, chosen, n_frames, standardized, context_frames)

    assert layout is not None  # there is at least one recording
    validation = part(np.flatnonzero(held)) if held.any() else None
    return WindowParts(part(np.flatnonzero(~held)), validation, layout, mean, scale)


def check_video(
    video: np.ndarray, layout: tuple[int, ...], context_frames: int, i: int | None = None
) -> None:
    """Refuse a video whose frames are not those that the network reads."""
    if video.shape[1:] != layout:
        found, wanted = (" x ".join(map(str, shape)) for shape in (video.shape[1:], layout))
        raise RecordingError(
            f"has frames of {found} where the network reads {wanted}",
            "Use the same front end for every recording, at fit and at predict.",
            i,
        )
    if len(layout) == 3 and layout[0] != context_frames:
        raise RecordingError(
            f"has frames with a context of {layout[0]}, but context_frames is {context_frames}",
            "Set both to the same number, or give frames without context.",
            i,
        )

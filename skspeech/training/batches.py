"""Recordings laid flat into segments, as torch reads them, and padded into one batch."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from skspeech.exceptions import RecordingError
from skspeech.recordings import segments_of
from skspeech.training.buckets import LengthBucketSampler
from skspeech.training.moments import Moments

__all__ = ["Segments", "Survey", "collate", "survey"]


def channels_first(recording: np.ndarray) -> np.ndarray:
    """Return a waveform as (1, n_samples), a spectrogram as (n_channels, n_bins, n_frames)."""
    return recording if recording.ndim == 3 else recording[None]


@dataclass(frozen=True)
class Survey:
    """What one pass over the recordings found.

    Parameters
    ----------
    recording : ndarray of int, shape (n_segments,)
        The recording that each segment belongs to.
    member : ndarray of int, shape (n_segments,)
        Its place in the recording's bag.
    lengths : ndarray of int, shape (n_segments,)
        Its number of frames or samples.
    layout : tuple of int
        The axes before time: ``(n_channels,)`` or ``(n_channels, n_bins)``.
    """

    recording: np.ndarray
    member: np.ndarray
    lengths: np.ndarray
    layout: tuple[int, ...]


def survey(
    recordings: Any,
    *,
    layout: tuple[int, ...] | None = None,
    moments: Moments | None = None,
    measured: np.ndarray | None = None,
) -> Survey:
    """Pass over the recordings once: lengths, layout, and the moments of some of them.

    Parameters
    ----------
    recordings : sequence
        Validated recordings or bags, in memory or read on access.
    layout : tuple of int or None, default=None
        The layout they must have; None takes that of the first.
    moments : Moments or None, default=None
        Filled with the segments of the `measured` recordings.
    measured : ndarray of bool, shape (n_recordings,) or None, default=None
        None measures all.

    Returns
    -------
    Survey

    Raises
    ------
    RecordingError
        If a recording has other channels or bins than the layout.
    """
    rows = []
    for i in range(len(recordings)):
        for j, segment in enumerate(segments_of(recordings[i])):
            segment = channels_first(segment)
            layout = layout or segment.shape[:-1]
            check_layout(segment, layout, i)
            rows.append((i, j, segment.shape[-1]))
            if moments is not None and (measured is None or measured[i]):
                moments.add(segment)
    recording, member, lengths = np.array(rows, dtype=np.intp).T
    assert layout is not None  # there is at least one recording
    return Survey(recording, member, lengths, layout)


def check_layout(segment: np.ndarray, layout: tuple[int, ...], index: int) -> None:
    """Refuse a segment (..., n_frames) whose channels or bins are not those of training."""
    if segment.shape[:-1] != layout:
        found, wanted = map(_name_layout, (segment.shape[:-1], layout))
        raise RecordingError(
            f"has {found} where the network reads {wanted}",
            "Use the same front end for every recording, at fit and at predict.",
            index,
        )


def _name_layout(layout: tuple[int, ...]) -> str:
    names = ("channel", "bin")[: len(layout)]
    return " and ".join(
        f"{size} {name}{'s' * (size != 1)}" for size, name in zip(layout, names, strict=False)
    )


class Segments(Dataset):
    """The segments of some recordings as torch reads them: one item a segment.

    Parameters
    ----------
    recordings : sequence
        Validated recordings or bags.
    found : Survey
        Of these recordings.
    chosen : ndarray of bool, shape (n_recordings,)
        Whose segments are in.
    targets : ndarray of int, shape (n_recordings,)
    weights : ndarray of float, shape (n_segments of the survey,)
        The share of each segment in the loss.
    crop_frames : int or None, default=None
        Longer segments are read as a run of so many frames, drawn anew each time.
    oversample : bool, default=False
        Whether an epoch reads recordings of rarer classes several times, so that every class
        has as many as the largest.
    """

    def __init__(
        self,
        recordings: Any,
        found: Survey,
        *,
        chosen: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray,
        crop_frames: int | None = None,
        oversample: bool = False,
    ):
        rows = np.flatnonzero(chosen[found.recording])
        self.recordings = recordings
        self.recording, self.member = found.recording[rows], found.member[rows]
        self.lengths = found.lengths[rows]
        self.crop_frames = crop_frames
        if crop_frames is not None:
            self.lengths = np.minimum(self.lengths, crop_frames)
        self.targets = torch.from_numpy(targets[self.recording])
        self.weights = torch.from_numpy(weights[rows].astype(np.float32))
        self.oversample = oversample
        # A bag read on access costs its whole recording for any one of its segments. Those in
        # memory take the same way, so that they are trained on in the same order.
        self._reads_bags = bool(self.member.any())
        self._read: OrderedDict[int, Any] = OrderedDict()
        self._n_kept = 0
        self.rng = np.random.default_rng(0)  # of the excerpts; each training has its own

    def __len__(self) -> int:
        return len(self.recording)

    def __getitem__(self, i: int) -> tuple[np.ndarray, int]:
        segment = channels_first(self._bag(int(self.recording[i]))[self.member[i]])
        n_found, n_frames = segment.shape[-1], int(self.lengths[i])
        if n_found == n_frames:
            return segment, i
        if self.crop_frames is None or n_found < n_frames:
            raise RecordingError(
                f"has {n_found} frames or samples now and had {n_frames} before",
                "Its source must give the same recording each time.",
                int(self.recording[i]),
            )
        start = self.rng.integers(n_found - n_frames + 1)
        return segment[..., start : start + n_frames], i

    def sampler(
        self, batch_size: int, *, batch_frames: int | None = None, seed: int | None
    ) -> LengthBucketSampler:
        """Return the batches of an epoch; those of bags go bag by bag.

        The bags of as many batches as are sorted together, and of two bags at least, are kept in
        memory, so that one that is read on access is read about once an epoch. A seed, that of a
        training, also begins the draw of the crops anew.
        """
        sampler = LengthBucketSampler(
            self.lengths,
            batch_size,
            batch_frames=batch_frames,
            seed=seed,
            recordings=self.recording if self._reads_bags else None,
            draw=self._draw_balanced if self.oversample else None,
        )
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        if self._reads_bags:
            largest = int(np.bincount(self.recording).max())
            self._n_kept = max(self._n_kept, 2 * max(sampler.pool, largest))
        return sampler

    def _draw_balanced(self, rng: np.random.Generator) -> np.ndarray:
        """Return the rows of an epoch in which each class has as many recordings."""
        _, first, n_segments = np.unique(self.recording, return_index=True, return_counts=True)
        extra = repeats_for_balance(self.targets.numpy()[first], rng)
        again = [np.arange(first[i], first[i] + n_segments[i]) for i in extra]
        return np.concatenate([np.arange(len(self)), *again])

    def _bag(self, recording: int) -> Sequence[Any]:
        if not self._reads_bags:
            return segments_of(self.recordings[recording])
        if recording not in self._read:
            self._read[recording] = segments_of(self.recordings[recording])
            while sum(map(len, self._read.values())) > self._n_kept and len(self._read) > 1:
                self._read.popitem(last=False)
        self._read.move_to_end(recording)
        return self._read[recording]

    def collate(self, items: list[tuple[np.ndarray, int]]) -> tuple[dict, tuple]:
        """Return the batch that skorch reads: inputs, and what the criterion needs."""
        segments, rows = zip(*items, strict=True)
        return collate(segments), (
            self.targets[list(rows)],
            self.weights[list(rows)],
            torch.from_numpy(self.recording[list(rows)]),
        )


def repeats_for_balance(classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return which samples to read once more so that all classes have equally many.

    Each sample of a class is repeated as often as any other of it, or once more often.

    Parameters
    ----------
    classes : ndarray of int, shape (n_samples,)
    rng : Generator

    Returns
    -------
    ndarray of int
        Indices into `classes`.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.training.batches import repeats_for_balance
    >>> repeats_for_balance(np.array([0, 0, 0, 1]), np.random.default_rng(0)).tolist()
    [3, 3]
    """
    most = np.bincount(classes).max()
    repeats = []
    for code in np.unique(classes):
        members = rng.permutation(np.flatnonzero(classes == code))
        repeats.append(np.resize(members, most - len(members)))
    return np.concatenate(repeats)


def collate(segments: Any) -> dict[str, torch.Tensor]:
    """Put segments (..., n_frames) into one batch, zero-padded to the longest.

    Parameters
    ----------
    segments : sequence of ndarray of float32
        Equal in all axes but the last.

    Returns
    -------
    dict
        ``inputs`` (n_segments, ..., n_frames) and ``lengths`` (n_segments,).

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.training.batches import collate
    >>> collate([np.ones((1, 3), "f"), np.ones((1, 2), "f")])["inputs"].tolist()
    [[[1.0, 1.0, 1.0]], [[1.0, 1.0, 0.0]]]
    """
    lengths = [segment.shape[-1] for segment in segments]
    if len(set(lengths)) == 1:
        inputs = np.stack(segments)
    else:
        inputs = np.zeros((len(segments), *segments[0].shape[:-1], max(lengths)), np.float32)
        for row, segment in zip(inputs, segments, strict=True):
            row[..., : segment.shape[-1]] = segment
    return {"inputs": torch.from_numpy(inputs), "lengths": torch.tensor(lengths)}

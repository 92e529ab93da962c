"""Videos and the targets of their frames, made equally long."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params

from skspeech.exceptions import RecordingError
from skspeech.recordings import RecordingSequence, object_array

__all__ = ["align_frames"]


@validate_params(
    {"tolerance": [Interval(Integral, 0, None, closed="left")]}, prefer_skip_nested_validation=True
)
def align_frames(videos: Any, targets: Any, *, tolerance: int = 2) -> tuple[Any, np.ndarray]:
    """Cut each video and its targets to the frames that both have.

    A camera stops when it stops, and sound gives a frame as soon as a window can be centred in
    it, so the two differ by a frame or so where both cover the same time. The frames beyond
    are at the end, and are left out.

    Parameters
    ----------
    videos : collection of n videos
        Each (n_frames, ...). A RecordingSequence is read once here for the lengths, and again
        when a recording is asked for.
    targets : collection of n arrays
        Each (n_frames, n_outputs), as :class:`~skspeech.preprocessing.MelTargets` gives them. A
        RecordingSequence is read once; the targets of an hour take 100 MB.
    tolerance : int, default=2
        By how many frames a recording's two lengths may differ; more than that, and what
        belongs together has been mixed up, or the rates are wrong.

    Returns
    -------
    videos : 1-D object array of views, or RecordingSequence
        The latter for a RecordingSequence.
    targets : 1-D object array of views (n_frames, n_outputs)

    Raises
    ------
    RecordingError
        Names the recording whose lengths differ by more, or that is a bag.
    ValueError
        If there are not as many videos as targets.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.preprocessing import align_frames
    >>> videos, targets = align_frames([np.zeros((9, 128, 64))], [np.zeros((10, 80))])
    >>> videos[0].shape, targets[0].shape
    ((9, 128, 64), (9, 80))
    """
    if len(videos) != len(targets):
        raise ValueError(
            f"There are {len(videos)} videos and {len(targets)} targets. Give each video its own."
        )
    aligned, lengths = [], []
    for i, (video, found) in enumerate(zip(videos, targets, strict=True)):
        n_frames = _common_length(_length(video, i), _length(found, i), tolerance, i)
        lengths.append(n_frames)
        aligned.append(found[:n_frames])
    if isinstance(videos, RecordingSequence):
        cut: Any = RecordingSequence(range(len(lengths)), _Beginnings(videos, lengths))
    else:
        cut = object_array([video[:n] for video, n in zip(videos, lengths, strict=True)])
    return cut, object_array(aligned)


class _Beginnings:
    """The first frames of video i; picklable."""

    def __init__(self, videos: RecordingSequence, lengths: list[int]):
        self.videos, self.lengths = videos, lengths

    def __call__(self, index: int) -> np.ndarray:
        return self.videos[index][: self.lengths[index]]


def _length(frames: Any, index: int) -> int:
    if isinstance(frames, list | tuple):  # whose length is that of something else
        raise RecordingError(
            "is a list, not an array",
            "Give arrays, time first; skspeech.recordings.explode gives the segments of bags.",
            index,
        )
    shape = np.shape(frames)
    if not shape or not shape[0]:
        raise RecordingError(
            f"holds something without frames (shape {shape})", "Remove the recording.", index
        )
    return shape[0]


def _common_length(n_video: int, n_targets: int, tolerance: int, index: int) -> int:
    if abs(n_video - n_targets) > tolerance:
        raise RecordingError(
            f"has {n_video} frames of video and {n_targets} of targets, {tolerance} more or "
            "less at most",
            "Check that both belong together and cover the same time, that MelTargets has the "
            "recording's frame_rate, and that time is the first axis.",
            index,
        )
    return min(n_video, n_targets)

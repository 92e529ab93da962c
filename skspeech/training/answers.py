"""Answers to every frame of a video, whose windows overlap and may share work."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from skspeech.exceptions import RecordingError
from skspeech.training.stream import AnswerStream, answer_windows, check_finite
from skspeech.training.windows import as_input

__all__ = ["answer_video"]

# Frames answered at once where windows share work, 2 MB of input (our choice).
_CHUNK = 64


def answer_video(net: Any, video: np.ndarray, context_frames: int, index: int) -> np.ndarray:
    """Return a network's answers to the frames of one video.

    A network whose windows share work says so by ``network.step_offsets``, the places in a window
    at which a step of ``network.step_frames`` frames, `n`, begins: ``network.steps(frames)`` gives
    (n_frames - n + 1, ...), one for each place at which a step can begin, and
    ``network.answer_steps(steps)`` takes the steps of windows, (n_windows, n_steps, ...).
    `step_offsets` is None where every window is work of its own.

    Parameters
    ----------
    net : SpeechNet
    video : ndarray of shape (n_frames, n_rows, n_columns) or (n_frames, n_context, n_rows, \
n_columns)
    context_frames : int
    index : int
        Its place in the collection, for the error.

    Returns
    -------
    ndarray of float32, shape (n_frames, n_outputs)

    Raises
    ------
    RecordingError
        If an answer is not finite.
    """
    try:
        if video.ndim == 4:
            return check_finite(np.concatenate(list(_to_framed(net, video))), net)
        shared = net.module_.network.step_offsets is not None
        n_at_once = _CHUNK if shared else net.batch_size
        stream = AnswerStream(net, video.shape[1:], context_frames, n_at_once=n_at_once)
        return np.concatenate([stream.take(video), stream.finish()])
    except RecordingError as error:
        raise error.at(index) from None


def _to_framed(net: Any, video: np.ndarray) -> Iterator[np.ndarray]:
    net._set_training(False)
    for start in range(0, len(video), net.batch_size):
        frames = np.arange(start, min(start + net.batch_size, len(video)))
        yield answer_windows(net, as_input(video[frames])).cpu().numpy()  # a copy: views overlap

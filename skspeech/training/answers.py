"""Answers to every frame of a video, whose windows overlap and may share work."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from skspeech.exceptions import RecordingError
from skspeech.training.windows import as_input, context_of, cut_windows

__all__ = ["answer_video"]

# Frames answered at once where windows share work, 2 MB of input each hundred (our choice).
_CHUNK = 64


def answer_video(net: Any, video: np.ndarray, context_frames: int, index: int) -> np.ndarray:
    """Return a network's answers to the frames of one video.

    A network whose windows share work says so by ``network.step_offsets``, the places in a window
    at which a step of `n` frames begins: ``network.steps(frames)`` gives (n_frames - n + 1, ...),
    one for each place at which a step can begin, and ``network.answer_steps(steps)`` takes the
    steps of windows, (n_windows, n_steps, ...). It is None where every window is work of its own.

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
    net._set_training(False)
    shared = video.ndim == 3 and net.module_.network.step_offsets is not None
    parts = (
        _by_steps(net, video, context_frames) if shared else _by_windows(net, video, context_frames)
    )
    answers = np.concatenate(list(parts))
    if not np.isfinite(answers).all():
        raise RecordingError(
            "gets no finite answer from the network",
            f"Fit it with a lower lr (now {net.lr:g}).",
            index,
        )
    return answers


def _by_windows(net: Any, video: np.ndarray, context_frames: int) -> Iterator[np.ndarray]:
    module = net.module_
    before, after = context_of(context_frames)
    offsets = np.arange(-before, after + 1)
    for start in range(0, len(video), net.batch_size):
        frames = np.arange(start, min(start + net.batch_size, len(video)))
        windows = as_input(cut_windows(video, frames, offsets))
        yield _numbers(net.compute(lambda x: module.restore(module(x, None).float()), windows))


def _by_steps(net: Any, video: np.ndarray, context_frames: int) -> Iterator[np.ndarray]:
    module = net.module_
    network = module.network
    before, after = context_of(context_frames)
    padded = np.clip(np.arange(-before, len(video) + after), 0, len(video) - 1)
    offsets = np.array(network.step_offsets)
    kept: Any = None  # steps of the chunk before that windows of this one begin with
    for start in range(0, len(video), _CHUNK):
        stop = min(start + _CHUNK, len(video))
        first = start if kept is None else start + offsets[-1]
        frames = as_input(video[padded[first : stop + context_frames - 1]])
        steps = net.compute(lambda x: network.steps(module.prepare(x)), frames)
        steps = steps if kept is None else torch.cat([kept, steps])
        places = np.arange(stop - start)[:, None] + offsets
        chosen = steps[torch.from_numpy(places).to(steps.device)]
        yield _numbers(
            net.compute(lambda x: module.restore(network.answer_steps(x).float()), chosen)
        )
        kept = steps[stop - start :]


def _numbers(answers: torch.Tensor) -> np.ndarray:
    return answers.cpu().numpy()

"""Answers to the frames of a video that come a few at a time, with the work that windows share."""

from typing import Any

import numpy as np
import torch

from skspeech.exceptions import RecordingError
from skspeech.recordings import check_recording
from skspeech.training.windows import as_input, check_video, context_of

__all__ = ["AnswerStream", "answer_windows", "check_finite"]


class AnswerStream:
    """A network's answers to one video whose frames come a few at a time.

    The first frame stands for what is before it and, once the video is over, the last one for
    what is after it. What overlapping windows share is computed once: a new frame costs one step
    of the network's first layers, and one answer from steps that are kept. Where windows share
    nothing it costs a window.

    Frames are taken one by one however they come, so that the answers are the same to the last
    bit. Another number at once is faster and rounded otherwise.

    Parameters
    ----------
    net : SpeechNet
        It answers as :func:`skspeech.training.answers.answer_video` says.
    layout : tuple of (n_rows, n_columns)
        Of the frames that it reads.
    context_frames : int
    n_at_once : int, default=1
        Frames taken together.

    Attributes
    ----------
    lookahead : int
        Frames after a frame that are waited for until it is answered.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.models import Conv3DRegressor
    >>> video = np.random.default_rng(0).normal(size=(30, 16, 8))
    >>> network = Conv3DRegressor(n_maps=(4, 4), max_epochs=1)
    >>> stream = network.fit([video], [video[:, :4, 0]]).stream()
    >>> stream.lookahead
    12
    >>> [len(stream.push(video[i : i + 10])) for i in (0, 10, 20)], len(stream.finish())
    ([0, 8, 10], 12)
    """

    def __init__(
        self, net: Any, layout: tuple[int, ...], context_frames: int, *, n_at_once: int = 1
    ):
        shared = net.module_.network.step_offsets is not None
        self._answers = (_BySteps if shared else _ByWindows)(net, context_frames)
        self._net, self._layout, self._context_frames = net, layout, context_frames
        self._n_at_once = n_at_once
        self._before, self.lookahead = context_of(context_frames)
        self._last: Any = None  # frame that came, (1, n_rows, n_columns)
        self._finished = False

    def push(self, frames: Any) -> np.ndarray:
        """Take the next frames, and return the answers that have become known.

        Parameters
        ----------
        frames : array-like of shape (n_frames, n_rows, n_columns)
            Any number, even none; what is pushed together or one by one makes no difference.

        Returns
        -------
        ndarray of float32, shape (n_answers, n_outputs)
            To the frames that follow on those answered so far; it may be empty.

        Raises
        ------
        RecordingError
            If they are no frames that the network reads, or it has no finite answer.
        ValueError
            After `finish`.
        """
        self._check_open()
        frames = np.asarray(frames)
        if frames.shape == (0, *self._layout):
            return self._none()
        frames = check_recording(frames, kind="video", reader=type(self).__name__)
        check_video(frames, self._layout, self._context_frames)
        return self.take(frames)

    def finish(self) -> np.ndarray:
        """Return the rest of the answers, (n_answers, n_outputs): nothing follows any more."""
        self._check_open()
        self._finished = True
        if self._last is None:
            return self._none()
        return self._answered(self._last, np.zeros(self.lookahead, int))

    def take(self, frames: np.ndarray) -> np.ndarray:
        """Do as `push` with frames that need no check, at least one."""
        if self._last is None:
            self._net._set_training(False)
            self._answers.begin(as_input(frames[:1]), self._before)
        self._last = frames[-1:].copy()  # not a view, which would keep all of them
        return self._answered(frames, np.arange(len(frames)))

    def _answered(self, frames: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return the answers that become known by the frames at these places."""
        self._net._set_training(False)
        parts = [self._none()]
        for start in range(0, len(places), self._n_at_once):
            chosen = as_input(frames[places[start : start + self._n_at_once]])
            if (answers := self._answers.take(chosen)) is not None:
                parts.append(answers.cpu().numpy())
        return check_finite(np.concatenate(parts), self._net)

    def _none(self) -> np.ndarray:
        return np.zeros((0, len(self._net.module_.target_mean)), np.float32)

    def _check_open(self) -> None:
        if self._finished:
            raise ValueError("The stream has been finished. Open another with stream().")


def answer_windows(net: Any, windows: torch.Tensor) -> torch.Tensor:
    """Return a network's answers (n, n_outputs) to windows, each by itself."""
    module = net.module_
    return net.compute(lambda x: module.restore(module(x, None).float()), windows)


def check_finite(answers: np.ndarray, net: Any) -> np.ndarray:
    """Return answers if they are all finite; raise a RecordingError if not."""
    if not np.isfinite(answers).all():
        raise RecordingError(
            "gets no finite answer from the network",
            f"Fit it with a lower lr (now {net.lr:g}).",
        )
    return answers


class _ByWindows:
    """Answers to the windows that frames complete; what is kept are the frames of the next."""

    def __init__(self, net: Any, context_frames: int):
        self.net, self.context_frames = net, context_frames

    def begin(self, frame: torch.Tensor, n_before: int) -> None:
        """Let the first frame, (1, n_rows, n_columns), stand for those before it."""
        self.frames = frame.repeat(n_before, 1, 1)

    def take(self, frames: torch.Tensor) -> torch.Tensor | None:
        """Take the next frames; None where they complete no window."""
        frames = torch.cat([self.frames, frames])
        n_windows = max(0, len(frames) - self.context_frames + 1)
        self.frames = frames[n_windows:]
        if not n_windows:
            return None
        return answer_windows(self.net, frames.unfold(0, self.context_frames, 1).movedim(-1, 1))


class _BySteps:
    """The same by steps that windows share; those of the next window are kept."""

    def __init__(self, net: Any, context_frames: int):
        self.net, self.module, self.network = net, net.module_, net.module_.network
        self.n_joined = self.network.step_frames
        self.n_places = context_frames - self.n_joined + 1  # at which a step can begin in a window
        self.offsets = torch.tensor(self.network.step_offsets)

    def begin(self, frame: torch.Tensor, n_before: int) -> None:
        """Let the first frame stand for those before it; steps of nothing else are all one."""
        step = self._steps(frame.repeat(self.n_joined, 1, 1))
        self.steps = step.repeat_interleave(max(0, n_before - self.n_joined + 1), dim=0)
        self.frames = frame.repeat(min(n_before, self.n_joined - 1), 1, 1)

    def take(self, frames: torch.Tensor) -> torch.Tensor | None:
        """Take the next frames; None where they complete no window."""
        frames = torch.cat([self.frames, frames])
        n_new = max(0, len(frames) - self.n_joined + 1)
        self.frames = frames[n_new:]
        if not n_new:
            return None
        steps = torch.cat([self.steps, self._steps(frames)])
        n_windows = max(0, len(steps) - self.n_places + 1)
        self.steps = steps[n_windows:]
        if not n_windows:
            return None
        places = (torch.arange(n_windows)[:, None] + self.offsets).to(steps.device)
        return self.net.compute(
            lambda x: self.module.restore(self.network.answer_steps(x).float()), steps[places]
        )

    def _steps(self, frames: torch.Tensor) -> torch.Tensor:
        return self.net.compute(lambda x: self.network.steps(self.module.prepare(x)), frames)

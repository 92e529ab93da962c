"""A copy of a fitted network that is listened to, and the time that its steps take."""

import copy
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

import numpy as np

from skspeech.recordings import segments_of

__all__ = ["Listener", "measure_steps", "spans_of"]


class Listener:
    """A copy of a network that tells what its last recurrent layer answers.

    Parameters
    ----------
    estimator : fitted NetworkClassifier
    """

    def __init__(self, estimator: Any):
        from skspeech.layers import MaskedRecurrent

        self.name = type(estimator).__name__
        self.net, self.layout = estimator.net_, estimator.layout_
        # `to` also puts the weights of a recurrent layer back into one block, as cuDNN wants them
        self.module = copy.deepcopy(self.net.module_).to(self.net.device).eval()
        self.least = int(self.module.network.min_input_length())
        self.n_directions = 1
        self._call: Any = None
        for layer in self.module.modules():
            if isinstance(layer, MaskedRecurrent):
                layer.register_forward_pre_hook(self._keep, with_kwargs=True)

    def segments(self, recording: Any) -> list[np.ndarray]:
        """Return the segments of a validated recording, as the network reads them."""
        from skspeech.training.batches import channels_first, check_layout

        segments = [channels_first(segment) for segment in segments_of(recording)]
        for segment in segments:
            check_layout(segment, self.layout, 0)
        return segments

    def listen(self, segment: np.ndarray) -> np.ndarray:
        """Return the activations for a segment (..., n_frames), shape (n_units, n_steps)."""
        import torch

        from skspeech.training.batches import collate

        with torch.inference_mode():
            return self.net.step(collate([segment]), self._sequence).cpu().numpy()

    def n_steps(self, n_frames: int) -> int:
        """Return how many steps the recurrent layer takes for so many frames."""
        return self.listen(np.zeros((*self.layout, n_frames), np.float32)).shape[1]

    def _keep(self, layer: Any, args: tuple, kwargs: dict) -> None:
        self._call = layer, args, kwargs

    def _sequence(self, inputs: Any, lengths: Any) -> Any:
        self.module(inputs, lengths)
        if self._call is None:
            raise TypeError(
                f"The network of {self.name} runs no recurrent layer. Only those that use "
                "skspeech.layers.MaskedRecurrent can be looked at."
            )
        layer, args, kwargs = self._call
        y, lengths = layer.sequences(*args, **kwargs)
        if len(y) != 1:
            raise ValueError(
                f"The recurrent layer of {self.name} reads one recording as {len(y)} rows. Only "
                "where it reads a recording as one sequence do its steps have a time."
            )
        self.n_directions = layer.n_directions
        return y[0, :, : int(lengths[0])]


def measure_steps(
    n_steps: Callable[[int], int], least: int, longest: int
) -> tuple[int, int] | None:
    """Measure with how many frames a first step comes, and with how many more each other one.

    Parameters
    ----------
    n_steps : callable
        From a number of frames to the number of steps, never decreasing.
    least : int
        The fewest frames that `n_steps` can be asked about.
    longest : int
        Frames of the longest recording that the law is meant for.

    Returns
    -------
    tuple of int (first, stride), or None
        None where so many frames more make no further step.
    """
    second = _next_step(n_steps, least, least + longest)
    third = second and _next_step(n_steps, second, second + longest)
    if not (second and third):
        return None
    stride = third - second
    return second - n_steps(least) * stride, stride


def _next_step(n_steps: Callable[[int], int], start: int, stop: int) -> int | None:
    """Return the fewest frames, up to `stop`, with more steps than `start` frames have."""
    before, low, high = n_steps(start), start, start + 1
    while n_steps(high) == before:
        if high >= stop:
            return None
        low, high = high, min(stop, 2 * high - start)
    return low + bisect_right(range(low, high), before, key=n_steps)


def spans_of(n_frames: int, n_steps: int, law: tuple[int, int] | None) -> np.ndarray:
    """Return beginning and end of what each step stands for, in frames, shape (n_steps, 2)."""
    first, stride = law or (1, n_frames)
    if (n_frames - first) // stride + 1 != n_steps:
        edges = np.linspace(0, n_frames, n_steps + 1)
        return np.stack([edges[:-1], edges[1:]], axis=1)
    begins = np.arange(n_steps) * stride + max(0, first - stride) / 2
    return np.stack([begins, np.minimum(begins + stride, n_frames)], axis=1)

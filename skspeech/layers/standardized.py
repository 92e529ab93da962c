"""Standardised input: the mean and deviation of training travel with the weights."""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import pad

from skspeech.layers.masked import exporting, mask_padding

__all__ = ["Standardized", "StandardizedFrames"]


class Standardized(nn.Module):
    """A network with standardised input, zero-padded to the least length that it reads.

    Padding comes after standardising, so that a padded frame is an average one. The least
    length depends on the network alone and counts as the recording's length from there on,
    so that an answer never depends on the other recordings of a batch.

    Parameters
    ----------
    network : torch module
        Called as ``network(inputs, lengths)``, with ``network.embed`` of the same inputs
        and ``network.min_input_length()``.
    mean, scale : ndarray broadcastable to (n_channels, n_bins, 1), or None
        None leaves the input as it is.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from skspeech.layers.standardized import Standardized
    >>> class Last(torch.nn.Module):
    ...     def min_input_length(self): return 4
    ...     def forward(self, x, lengths): return x
    >>> Standardized(Last(), np.array([[1.0]]), np.array([[2.0]]))(
    ...     torch.tensor([[[3.0, 5.0]]]), torch.tensor([2])).tolist()
    [[[1.0, 2.0, 0.0, 0.0]]]
    """

    mean: Any  # a tensor or None
    scale: Any

    def __init__(self, network: Any, mean: np.ndarray | None, scale: np.ndarray | None):
        super().__init__()
        self.network = network
        for name, value in (("mean", mean), ("scale", scale)):
            buffer = None if value is None else torch.tensor(value, dtype=torch.float32)
            self.register_buffer(name, buffer)

    def forward(self, inputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the network's answer to inputs (n_recordings, ..., n_frames)."""
        return self.network(*self._prepare(inputs, lengths))

    def embed(self, inputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the network's embedding of the same inputs."""
        return self.network.embed(*self._prepare(inputs, lengths))

    def _prepare(
        self, inputs: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self.mean is not None:
            inputs = (inputs - self.mean) / self.scale
        inputs = mask_padding(inputs, lengths)
        least = self.network.min_input_length()
        # a graph is for every number of frames, of which there is 1 at least
        missing = least - (1 if exporting() else inputs.shape[-1])
        if missing > 0:
            inputs = pad(inputs, (0, missing))
        return inputs, lengths.clamp(min=least)


class StandardizedFrames(nn.Module):
    """A network that answers the frames of a video, standardised on both sides.

    Parameters
    ----------
    network : torch module
        Called as ``network(windows)``, windows (n, n_context, n_rows, n_columns), for answers
        (n, n_outputs).
    mean, scale : ndarray broadcastable to (n_rows, n_columns), or None
        Of the frames. None leaves them as they are.
    target_mean, target_scale : ndarray of shape (n_outputs,)
        Of the targets that the network learns standardised; :meth:`restore` undoes it.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from skspeech.layers.standardized import StandardizedFrames
    >>> class Centre(torch.nn.Module):
    ...     def forward(self, windows): return windows[:, 1].flatten(1)
    >>> module = StandardizedFrames(Centre(), None, None, np.array([10.0]), np.array([2.0]))
    >>> module.restore(module(torch.ones(1, 3, 1, 1), None)).tolist()
    [[12.0]]
    """

    mean: Any  # a tensor or None
    scale: Any
    target_mean: torch.Tensor
    target_scale: torch.Tensor

    def __init__(
        self,
        network: Any,
        mean: np.ndarray | None,
        scale: np.ndarray | None,
        target_mean: np.ndarray,
        target_scale: np.ndarray,
    ):
        super().__init__()
        self.network = network
        buffers = {
            "mean": mean,
            "scale": scale,
            "target_mean": target_mean,
            "target_scale": target_scale,
        }
        for name, value in buffers.items():
            buffer = None if value is None else torch.tensor(value, dtype=torch.float32)
            self.register_buffer(name, buffer)

    def forward(self, inputs: torch.Tensor, lengths: Any) -> torch.Tensor:
        """Return standardised answers; windows are all of one length, which is not read."""
        return self.network(self.prepare(inputs))

    def prepare(self, frames: torch.Tensor) -> torch.Tensor:
        """Return frames (..., n_rows, n_columns) as the network reads them."""
        return frames if self.mean is None else (frames - self.mean) / self.scale

    def restore(self, answers: torch.Tensor) -> torch.Tensor:
        """Return standardised answers (n, n_outputs) in the units of the targets."""
        return answers * self.target_scale + self.target_mean

"""Standardised input: the mean and deviation of training travel with the weights."""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import pad

from skspeech.layers.masked import mask_padding

__all__ = ["Standardized"]


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
        if inputs.shape[-1] < least:
            inputs = pad(inputs, (0, least - inputs.shape[-1]))
        return inputs, lengths.clamp(min=least)

"""Residual blocks that leave padding zero; see :mod:`skspeech.layers.masked` for the convention."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

from skspeech.layers.masked import Lengths, MaskedSequential


class MaskedResidual(nn.Module):
    """Add what layers make of their input to the input, and take the positive part.

    Parameters
    ----------
    body : MaskedSequential
        The layers.
    shortcut : MaskedSequential or None, default=None
        What the input goes through on its way to the sum where the body changes its channels,
        bins or frames; it has to change them alike. None adds the input as it is.

    Raises
    ------
    ValueError
        If the two leave different numbers of frames.

    Notes
    -----
    Input (n_recordings, n_channels, ..., n_frames), output as the body gives it. Padding stays
    zero, since both terms of the sum leave it so. K. He, X. Zhang, S. Ren, J. Sun, "Deep residual
    learning for image recognition", CVPR, 2016, section 3.

    Examples
    --------
    >>> import torch
    >>> from skspeech.layers import MaskedConv2d, MaskedResidual, MaskedSequential
    >>> halved = MaskedResidual(
    ...     MaskedSequential(MaskedConv2d(4, 8, 3, stride=2)),
    ...     MaskedSequential(MaskedConv2d(4, 8, 1, stride=2)),
    ... )
    >>> y, lengths = halved(torch.zeros(2, 4, 40, 9), torch.tensor([6, 9]))
    >>> y.shape, lengths
    (torch.Size([2, 8, 20, 5]), tensor([3, 5]))
    """

    def __init__(self, body: MaskedSequential, shortcut: MaskedSequential | None = None) -> None:
        super().__init__()
        for n_frames in range(body.min_input_length(), body.min_input_length() + 64):
            found = n_frames if shortcut is None else shortcut.output_lengths(n_frames)
            if found != body.output_lengths(n_frames):
                raise ValueError(
                    f"Of {n_frames} frames the body leaves {body.output_lengths(n_frames)} and the "
                    f"shortcut {found}. Give both the same steps and paddings."
                )
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Add and rectify; see the class for the shapes."""
        y, lengths_out = self.body(x, lengths)
        kept = x if self.shortcut is None else self.shortcut(x, lengths)[0]
        return F.relu(y + kept), lengths_out

    def output_lengths(self, lengths: Lengths) -> Lengths:
        """Give the frames that come out of recordings of these lengths (int or Tensor)."""
        return self.body.output_lengths(lengths)

    def min_input_length(self, n_out: int = 1) -> int:
        """Give the least number of input frames from which ``n_out`` >= 1 frames come."""
        return self.body.min_input_length(n_out)

    def output_bins(self, n_bins: int) -> int:
        """Give the bins that come out of ``n_bins``; for layers that have bins."""
        return self.body.output_bins(n_bins)

"""One vector a recording from its frames; see :mod:`skspeech.layers.masked` for the convention."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from skspeech.layers.masked import nothing_padded, time_mask

Kind = Literal["last", "mean", "max", "attention", "statistics"]
KINDS: tuple[str, ...] = get_args(Kind)


class MaskedSummary(nn.Module):
    """Summarise the valid frames of each recording in one vector.

    Parameters
    ----------
    n_channels : int
        Channels in. Even for "last" and "statistics", which take the first half for the output of
        a network that reads forwards and the second half for that of one that reads backwards.
    kind : {"last", "mean", "max", "attention", "statistics"}
        - "last": what each direction of a bidirectional recurrence gives after its last step: the
          first half of the channels at the last valid frame, the second half at the first frame.
        - "mean", "max": over the valid frames, a number a channel.
        - "attention": the mean weighted by the softmax, over the valid frames, of each frame's
          product with a learnt vector, ``query``.
        - "statistics": the mean, the standard deviation sqrt(variance + 1e-5), where the variance
          divides by the number of frames, the maximum and "last", one after another. The 1e-5
          keep the gradient finite where a channel is constant or a recording one frame long.

    Attributes
    ----------
    output_size : int
        Numbers that come out: 4 * n_channels for "statistics", n_channels else.

    Raises
    ------
    ValueError
        For an unknown kind, or where a kind needs an even number of channels.

    Notes
    -----
    Input (n_recordings, n_channels, n_frames), output (n_recordings, output_size), in the type of
    the input. Whatever is narrower than float32 is summarised in float32.

    Meyer, Xu and Fingscheidt (2021), "Improving Convolutional Recurrent Neural Networks for Speech
    Emotion Recognition", SLT, summarise the output of a BLSTM; their abstract does not say by what
    function, so "statistics" is our reconstruction. "attention" is our choice of form as well: the
    weighted pooling of Mirsamadi, Barsoum and Zhang (2017), "Automatic Speech Emotion Recognition
    Using Recurrent Neural Networks with Local Attention", ICASSP. The query begins at zero, where
    attention is the mean.

    Examples
    --------
    >>> import torch
    >>> from skspeech.layers import MaskedSummary
    >>> x, lengths = torch.tensor([[[1.0, 3.0, 0.0], [2.0, 6.0, 0.0]]]), torch.tensor([2])
    >>> MaskedSummary(2, "mean")(x, lengths)
    tensor([[2., 4.]])
    >>> MaskedSummary(2, "last")(x, lengths)
    tensor([[3., 2.]])
    >>> MaskedSummary(2, "statistics")(x, lengths)
    tensor([[2.0000, 4.0000, 1.0000, 2.0000, 3.0000, 6.0000, 3.0000, 2.0000]])
    """

    gives_frames = False

    def __init__(self, n_channels: int, kind: Kind) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}; expected one of {', '.join(map(repr, KINDS))}.")
        if kind in ("last", "statistics") and n_channels % 2:
            raise ValueError(
                f"n_channels is {n_channels}; kind={kind!r} needs an even number: as many channels "
                "that were read forwards as backwards."
            )
        self.n_channels = n_channels
        self.kind = kind
        self.output_size = 4 * n_channels if kind == "statistics" else n_channels
        if kind == "attention":
            self.query = nn.Parameter(torch.zeros(n_channels))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Summarise; see the class for the shapes."""
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        mask = None if nothing_padded(lengths, x.shape[-1]) else time_mask(lengths, x)
        lengths = lengths.to(x.device, non_blocking=True)
        summary: Tensor = getattr(self, f"_{self.kind}")(wide, lengths, mask)
        return summary.to(x.dtype)

    def _last(self, x: Tensor, lengths: Tensor, mask: Tensor | None) -> Tensor:
        forwards, backwards = x.chunk(2, 1)
        recordings = torch.arange(x.shape[0], device=x.device)
        return torch.cat([forwards[recordings, :, lengths - 1], backwards[..., 0]], 1)

    def _mean(self, x: Tensor, lengths: Tensor, mask: Tensor | None) -> Tensor:
        return x.sum(-1) / lengths[:, None]  # the padding of x is zero

    def _max(self, x: Tensor, lengths: Tensor, mask: Tensor | None) -> Tensor:
        return (x if mask is None else x.masked_fill(~mask, -torch.inf)).amax(-1)

    def _attention(self, x: Tensor, lengths: Tensor, mask: Tensor | None) -> Tensor:
        # Products and sums, since autocast would round those of matrices to bfloat16.
        scores = (x * self.query.to(x.dtype)[:, None]).sum(1, keepdim=True)
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return (x * scores.softmax(-1)).sum(-1)

    def _statistics(self, x: Tensor, lengths: Tensor, mask: Tensor | None) -> Tensor:
        mean = self._mean(x, lengths, mask)
        centred = x - mean[..., None]
        if mask is not None:
            centred = centred * mask
        variance = self._mean(centred.square(), lengths, mask)
        return torch.cat(
            [
                mean,
                (variance + 1e-5).sqrt(),
                self._max(x, lengths, mask),
                self._last(x, lengths, mask),
            ],
            1,
        )

    def extra_repr(self) -> str:
        """Show the settings."""
        return f"{self.n_channels}, kind={self.kind!r}"

"""Torch layers that never let padding reach a result.

Recordings differ in length, so a batch is padded at its end. Here time is the last axis, and a
layer is called ``layer(x, lengths)`` and returns ``(y, lengths_out)``:

``x``
    (n_recordings, n_channels, n_frames), or (n_recordings, n_channels, n_bins, n_frames) for the
    layers whose name ends in 2d. Frames at ``t >= lengths[i]`` must be zero; every layer here
    leaves them so, and :func:`mask_padding` makes them so at the entry of a network.
``lengths``
    int64 (n_recordings,): the valid frames of each recording. Any device is right, but keep it
    on the CPU: layers read it (is anything padded at all?), and reading it from a GPU waits for
    the GPU.

The contract: the valid frames ``y[i, ..., :lengths_out[i]]`` and all gradients are those of
recording i run alone and unpadded, whatever else is in the batch, and all other frames are zero.

The masking, and the rule that a pool drops an incomplete window at the end of a recording, are
those of Ma, Wu, Jia, Xu, Meng and Cai (2018), "Emotion Recognition from Variable-Length Speech
Segments Using Deep Learning on Spectrograms", Interspeech, section 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

Padding = Literal["valid", "same"]
Lengths = TypeVar("Lengths", int, Tensor)


def length_mask(lengths: Tensor, n_frames: int) -> Tensor:
    """Tell the valid frames of each recording from the padding.

    Parameters
    ----------
    lengths : Tensor of int64, shape (n_recordings,)
        Valid frames of each recording.
    n_frames : int
        Frames of the padded batch.

    Returns
    -------
    Tensor of bool, shape (n_recordings, n_frames)
        True at ``t < lengths[i]``, on the device of ``lengths``.

    Examples
    --------
    >>> import torch
    >>> from skspeech.layers import length_mask
    >>> length_mask(torch.tensor([1, 3]), n_frames=3)
    tensor([[ True, False, False],
            [ True,  True,  True]])
    """
    return torch.arange(n_frames, device=lengths.device) < lengths[:, None]


def mask_padding(x: Tensor, lengths: Tensor) -> Tensor:
    """Set everything beyond the lengths to zero; the entry of every masked network.

    Parameters
    ----------
    x : Tensor, shape (n_recordings, ..., n_frames)
        A padded batch; the padding may hold anything, NaN too.
    lengths : Tensor of int64, shape (n_recordings,)
        Valid frames of each recording, 1 to n_frames.

    Returns
    -------
    Tensor of the shape of ``x``
        ``x`` itself where nothing is padded.

    Examples
    --------
    >>> import torch
    >>> from skspeech.layers import mask_padding
    >>> mask_padding(torch.ones(2, 1, 3), torch.tensor([1, 3]))
    tensor([[[1., 0., 0.]],
    <BLANKLINE>
            [[1., 1., 1.]]])
    """
    if x.ndim < 2 or lengths.shape != x.shape[:1]:
        raise ValueError(
            f"x has shape {tuple(x.shape)} and lengths {tuple(lengths.shape)}; expected "
            "(n_recordings, ..., n_frames) and (n_recordings,)."
        )
    n_frames = x.shape[-1]
    if not exporting() and not 1 <= int(lengths.min()) <= int(lengths.max()) <= n_frames:
        index = int(((lengths < 1) | (lengths > n_frames)).nonzero()[0])
        raise ValueError(
            f"lengths[{index}] is {int(lengths[index])}; a length is 1 to the {n_frames} frames "
            "of the batch."
        )
    if nothing_padded(lengths, n_frames):
        return x
    return torch.where(time_mask(lengths, x), x, 0)


def exporting() -> bool:
    """Whether torch makes a graph of the network, for ONNX or to compile it.

    A graph must not depend on the lengths and sizes that it is made with: layers look at none and
    take the way that is right for all.
    """
    return torch.compiler.is_compiling()


def nothing_padded(lengths: Tensor, n_frames: int) -> bool:
    """Whether every recording fills the batch (waits for the GPU if ``lengths`` lies there)."""
    return not exporting() and int(lengths.min()) >= n_frames


def time_mask(lengths: Tensor, x: Tensor) -> Tensor:
    """Give the length mask, (n_recordings, 1, ..., n_frames), on the device of ``x``."""
    mask = length_mask(lengths, x.shape[-1]).to(x.device, non_blocking=True)
    return mask.reshape(mask.shape[0], *[1] * (x.ndim - 2), mask.shape[1])


def zero_padding_(y: Tensor, lengths: Tensor) -> Tensor:
    """Zero the padding of a layer's finite, fresh output in place.

    A product costs a third of ``masked_fill_`` on the CPU: 4.3 against 12.7 ms, forward and
    backward, at (32, 64, 32, 120) on one thread.
    """
    return y if nothing_padded(lengths, y.shape[-1]) else y.mul_(time_mask(lengths, y))


def pad_end(x: Tensor, extra: list[int], value: float) -> Tensor:
    """Pad the last axes at their ends; ``extra`` in the order of the axes. No copy for zeros."""
    if not any(extra):
        return x
    return F.pad(x, [n for axis in reversed(extra) for n in (0, axis)], value=value)


@dataclass(frozen=True)
class Window:
    """A window that slides along one axis: what it covers and how many places it has."""

    kernel: int
    stride: int
    dilation: int
    padding: Padding

    @property
    def span(self) -> int:
        """Frames from the first to the last that one output sees."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def before(self) -> int:
        """Zeros before the first frame: the smaller half, as in torch's and Keras's "same"."""
        return 0 if self.padding == "valid" else (self.span - 1) // 2

    @property
    def after(self) -> int:
        """Zeros after the last frame."""
        return 0 if self.padding == "valid" else self.span // 2

    def outputs(self, n: Lengths) -> Lengths:
        """Count the places along ``n`` frames."""
        if self.padding == "same":
            return (n + (self.stride - 1)) // self.stride
        places = (n - self.span) // self.stride + 1
        return places.clamp(min=0) if isinstance(places, Tensor) else max(places, 0)

    def inputs(self, n_out: int) -> int:
        """Count the fewest frames with ``n_out`` places."""
        return (n_out - 1) * self.stride + (1 if self.padding == "same" else self.span)


def per_axis(name: str, value: int | tuple[int, ...], n_axes: int) -> tuple[int, ...]:
    """Spread an option over the axes, (bins, frames) or (frames,)."""
    values = (value,) * n_axes if isinstance(value, int) else tuple(int(v) for v in value)
    if len(values) != n_axes or min(values) < 1:
        raise ValueError(
            f"{name} is {value!r}; expected a positive integer"
            + (" or a pair of them, (bins, frames)." if n_axes == 2 else ".")
        )
    return values


def make_windows(
    n_axes: int,
    kernel_size: int | tuple[int, ...],
    stride: int | tuple[int, ...],
    dilation: int | tuple[int, ...],
    padding: Padding,
) -> tuple[Window, ...]:
    """Build one window an axis; the last one is that of time."""
    if padding not in ("valid", "same"):
        raise ValueError(f"padding is {padding!r}; expected 'valid' or 'same'.")
    kernels = per_axis("kernel_size", kernel_size, n_axes)
    strides = per_axis("stride", stride, n_axes)
    dilations = per_axis("dilation", dilation, n_axes)
    return tuple(
        Window(k, s, d, padding) for k, s, d in zip(kernels, strides, dilations, strict=True)
    )


class SlidingLayer:
    """Length arithmetic of a layer with windows; the last of ``windows`` is that of time."""

    windows: tuple[Window, ...]

    def output_lengths(self, lengths: Lengths) -> Lengths:
        """Give the frames that come out of recordings of these lengths.

        Parameters
        ----------
        lengths : int or Tensor of int64
            Frames that go in.

        Returns
        -------
        int or Tensor of int64
            "same": ceil(L / stride). "valid": floor((L - span) / stride) + 1, not below 0, where
            span = dilation * (kernel - 1) + 1.
        """
        return self.windows[-1].outputs(lengths)

    def min_input_length(self, n_out: int = 1) -> int:
        """Give the least number of input frames from which ``n_out`` >= 1 frames come.

        Returns
        -------
        int
            (n_out - 1) * stride + 1 with "same", and + span with "valid".
        """
        return self.windows[-1].inputs(n_out)

    def output_bins(self, n_bins: int) -> int:
        """Give the bins that come out of ``n_bins``, as lengths come out along time."""
        return self.windows[0].outputs(n_bins)

    def refuse_short(self, lengths: Tensor) -> None:
        """Raise a ValueError where a recording would come out empty."""
        needed = self.min_input_length()
        shortest = needed if needed == 1 or exporting() else int(lengths.min())
        if shortest < needed:
            raise ValueError(
                f"Recording {int(lengths.argmin())} of the batch has length {shortest}, shorter "
                f"than min_input_length() = {needed} of {type(self).__name__}. Zero-pad it to "
                "the min_input_length() of the whole network and count that as its length."
            )


class FramewiseLayer:
    """Length arithmetic of a layer that gives a frame for a frame."""

    def output_lengths(self, lengths: Lengths) -> Lengths:
        """Give back ``lengths``: as many frames come out as go in."""
        return lengths

    def min_input_length(self, n_out: int = 1) -> int:
        """Give back ``n_out``: as many frames come out as go in."""
        return n_out

    def output_bins(self, n_bins: int) -> int:
        """Give back ``n_bins``."""
        return n_bins


class MaskedConv1d(SlidingLayer, nn.Conv1d):
    """Convolution over time that leaves padding zero.

    "same" padding depends on the settings only, never on a length: span - 1 zeros, the smaller
    half before the first frame, where span = dilation * (kernel_size - 1) + 1. That is torch's
    own "same" at stride 1. The bias would write into the padding, hence the mask after it.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels in and out.
    kernel_size : int
        Frames.
    stride : int, default=1
        Frames.
    dilation : int, default=1
        Frames between two taps of the kernel.
    groups : int, default=1
        Blocks of channels that do not see each other.
    padding : {"same", "valid"}, default="same"
        "same" gives ceil(L / stride) frames; "valid" keeps the places where the whole kernel lies
        in the recording, floor((L - span) / stride) + 1 frames.
    bias : bool, default=True
        Whether to add a bias a channel.

    Notes
    -----
    Input (n_recordings, in_channels, n_frames), output (n_recordings, out_channels,
    n_frames_out). ``weight`` and ``bias`` are named and initialised as in ``torch.nn.Conv1d``.
    The masking is Ma et al. (2018), section 4.2, equation 1.

    Examples
    --------
    >>> import torch
    >>> from skspeech.layers import MaskedConv1d
    >>> conv = MaskedConv1d(40, 64, 5, stride=2)
    >>> y, lengths = conv(torch.zeros(2, 40, 9), torch.tensor([6, 9]))
    >>> y.shape, lengths
    (torch.Size([2, 64, 5]), tensor([3, 5]))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        padding: Padding = "same",
        bias: bool = True,
    ) -> None:
        windows = make_windows(1, kernel_size, stride, dilation, padding)
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            dilation=dilation,
            groups=groups,
            padding=windows[0].before,
            bias=bias,
        )
        self.windows = windows

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Convolve; see the class for the shapes."""
        self.refuse_short(lengths)
        # torch pads both ends alike and for free; only an odd zero at the end costs a copy.
        y = super().forward(pad_end(x, [w.after - w.before for w in self.windows], 0.0))
        lengths_out = self.output_lengths(lengths)
        return zero_padding_(y, lengths_out), lengths_out


class MaskedConv2d(SlidingLayer, nn.Conv2d):
    """Convolution over frequency and time that leaves padding zero.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels in and out.
    kernel_size, stride, dilation : int or (int, int)
        Along (bins, frames), or one for both. ``stride`` and ``dilation`` are 1 by default.
    groups : int, default=1
        Blocks of channels that do not see each other.
    padding : {"same", "valid"}, default="same"
        As in :class:`MaskedConv1d`, along both axes.
    bias : bool, default=True
        Whether to add a bias a channel.

    Notes
    -----
    Input (n_recordings, in_channels, n_bins, n_frames), output (n_recordings, out_channels,
    n_bins_out, n_frames_out). Lengths count as in :class:`MaskedConv1d`, with the options of the
    time axis. ``weight`` and ``bias`` are named and initialised as in ``torch.nn.Conv2d``. The
    masking is Ma et al. (2018), section 4.2, equation 1.

    Examples
    --------
    >>> import torch
    >>> from skspeech.layers import MaskedConv2d
    >>> conv = MaskedConv2d(1, 8, (12, 16), stride=(2, 1))
    >>> y, lengths = conv(torch.zeros(2, 1, 40, 9), torch.tensor([6, 9]))
    >>> y.shape, lengths
    (torch.Size([2, 8, 20, 9]), tensor([6, 9]))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        padding: Padding = "same",
        bias: bool = True,
    ) -> None:
        windows = make_windows(2, kernel_size, stride, dilation, padding)
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            dilation=dilation,
            groups=groups,
            padding=(windows[0].before, windows[1].before),
            bias=bias,
        )
        self.windows = windows

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Convolve; see the class for the shapes."""
        self.refuse_short(lengths)
        y = super().forward(pad_end(x, [w.after - w.before for w in self.windows], 0.0))
        lengths_out = self.output_lengths(lengths)
        return zero_padding_(y, lengths_out), lengths_out


ELEMENTWISE = (
    nn.ELU,
    nn.GELU,
    nn.LeakyReLU,
    nn.ReLU,
    nn.SiLU,
    nn.Tanh,
    nn.Dropout,
    nn.Identity,
)


class MaskedSequential(nn.Sequential):
    """Masked layers one after another, with activations between them.

    Parameters
    ----------
    *layers : nn.Module, or one OrderedDict of name -> nn.Module
        Masked layers: those called with ``(x, lengths)`` that give both back and have
        ``output_lengths`` and ``min_input_length``. Between them ``nn.ELU``, ``GELU``,
        ``LeakyReLU``, ``ReLU``, ``SiLU``, ``Tanh``, ``Dropout`` and ``Identity``, which leave
        zero zero. Anything else could write into the padding and is refused with a TypeError.

    Notes
    -----
    Indexing, slicing, names and ``append`` are those of ``torch.nn.Sequential``.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from skspeech.layers import MaskedConv1d, MaskedMaxPool1d, MaskedSequential
    >>> net = MaskedSequential(MaskedConv1d(1, 64, 3), nn.ELU(), MaskedMaxPool1d(4))
    >>> y, lengths = net(torch.zeros(2, 1, 10), torch.tensor([7, 10]))
    >>> y.shape, lengths
    (torch.Size([2, 64, 2]), tensor([1, 2]))
    >>> net.output_lengths(128000), net.min_input_length()
    (32000, 4)
    """

    def add_module(self, name: str, module: nn.Module | None) -> None:
        """Add a layer, after asking whether it keeps padding zero."""
        masked = hasattr(module, "output_lengths") and hasattr(module, "min_input_length")
        if not getattr(module, "gives_frames", True):
            raise TypeError(
                f"Layer {name} is {module!r}, which gives no frames. Call it on what "
                "MaskedSequential returns."
            )
        if not masked and not isinstance(module, ELEMENTWISE):
            raise TypeError(
                f"Layer {name} is {module!r}, which may write into the padding. Use a masked "
                f"layer or one of {', '.join(kind.__name__ for kind in ELEMENTWISE)}."
            )
        super().add_module(name, module)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Run the layers in turn."""
        for layer in self:
            if isinstance(layer, ELEMENTWISE):
                x = layer(x)
            else:
                x, lengths = layer(x, lengths)
        return x, lengths

    def output_lengths(self, lengths: Lengths) -> Lengths:
        """Give the frames that come out of recordings of these lengths (int or Tensor)."""
        for layer in self._masked():
            lengths = layer.output_lengths(lengths)
        return lengths

    def min_input_length(self, n_out: int = 1) -> int:
        """Give the least number of input frames from which ``n_out`` >= 1 frames come."""
        for layer in reversed(self._masked()):
            n_out = layer.min_input_length(n_out)
        return n_out

    def output_bins(self, n_bins: int) -> int:
        """Give the bins that come out of ``n_bins``; for layers that have bins."""
        for layer in self._masked():
            n_bins = layer.output_bins(n_bins)
        return n_bins

    def _masked(self) -> list[Any]:
        return [layer for layer in self if not isinstance(layer, ELEMENTWISE)]

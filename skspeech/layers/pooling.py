"""Pools that never look into padding; see :mod:`skspeech.layers.masked` for the convention."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

from skspeech.layers.masked import (
    Padding,
    SlidingLayer,
    Window,
    exporting,
    make_windows,
    nothing_padded,
    pad_end,
    time_mask,
    zero_padding_,
)


class _MaskedPool(SlidingLayer, nn.Module):
    def __init__(
        self,
        n_axes: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None,
        padding: Padding,
    ) -> None:
        super().__init__()
        self.windows = make_windows(
            n_axes, kernel_size, kernel_size if stride is None else stride, 1, padding
        )

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Pool; see the class for the shapes."""
        self.refuse_short(lengths)
        windows = [_shrink(window, x.shape[2]) for window in self.windows[:-1]]
        y = self._pool(x, lengths, [*windows, self.windows[-1]])
        lengths_out = self.output_lengths(lengths)
        return zero_padding_(y, lengths_out), lengths_out

    def output_bins(self, n_bins: int) -> int:
        """Give the bins that come out of ``n_bins``; a wider pool shrinks to them."""
        return _shrink(self.windows[0], n_bins).outputs(n_bins)

    def _pool(self, x: Tensor, lengths: Tensor, windows: list[Window]) -> Tensor:
        raise TypeError(f"{type(self).__name__} must define _pool.")

    def extra_repr(self) -> str:
        """Show the settings, as torch's pools do."""
        kernel, stride = ([getattr(w, k) for w in self.windows] for k in ("kernel", "stride"))
        return f"kernel_size={kernel}, stride={stride}, padding={self.windows[-1].padding!r}"


def _shrink(window: Window, n_bins: int) -> Window:
    """Fit a pool that is wider than the frequency axis to it."""
    if window.kernel <= n_bins:
        return window
    return replace(window, kernel=n_bins, stride=min(window.stride, n_bins))


class _MaskedMaxPool(_MaskedPool):
    def _pool(self, x: Tensor, lengths: Tensor, windows: list[Window]) -> Tensor:
        kernel, stride = [w.kernel for w in windows], [w.stride for w in windows]
        if self.windows[-1].padding == "valid":
            return _max_pool(x, kernel, stride)
        # The least finite number, not -inf: the mask is a product, and -inf * 0 is NaN.
        lowest = torch.finfo(x.dtype).min
        if not nothing_padded(lengths, x.shape[-1]):
            x = torch.where(time_mask(lengths, x), x, lowest)
        if exporting():  # k - 1 frames more give as many windows, and a graph no condition
            return _max_pool(pad_end(x, [w.kernel - 1 for w in windows], lowest), kernel, stride)
        # ceil_mode gives ceil((n - k) / s) + 1 windows: with k - s frames more, ceil(n / s).
        x = pad_end(x, [max(0, w.kernel - w.stride) for w in windows], lowest)
        return _max_pool(x, kernel, stride, ceil_mode=True)


def _max_pool(
    x: Tensor, kernel: list[int], stride: list[int], *, ceil_mode: bool = False
) -> Tensor:
    if len(kernel) == 2:
        return F.max_pool2d(x, kernel, stride, ceil_mode=ceil_mode)
    if not exporting():
        return F.max_pool1d(x, kernel, stride, ceil_mode=ceil_mode)
    # max_pool1d, twelve times as fast on the CPU, holds a graph to the frames it was made of
    return F.max_pool2d(x.unsqueeze(2), [1, *kernel], [1, *stride]).squeeze(2)


class _MaskedAvgPool(_MaskedPool):
    def _pool(self, x: Tensor, lengths: Tensor, windows: list[Window]) -> Tensor:
        pool = F.avg_pool1d if len(windows) == 1 else F.avg_pool2d
        kernel, stride = [w.kernel for w in windows], [w.stride for w in windows]
        if self.windows[-1].padding == "valid":
            return pool(x, kernel, stride)
        sizes = x.shape[2:]
        missing = [_missing(w, size) for w, size in zip(windows, sizes, strict=True)]
        y = pool(pad_end(x, missing, 0.0), kernel, stride)
        # Zeros counted as members of a window: weigh it by kernel / valid members instead.
        y.mul_(_window_weights(windows[-1], lengths, y.shape[-1]).to(y).view(_time_shape(y)))
        if missing[0] and len(windows) == 2:
            bins = torch.tensor([sizes[0]])
            y.mul_(_window_weights(windows[0], bins, y.shape[2]).to(y).view(-1, 1))
        return y


def _missing(window: Window, size: int) -> int:
    """Count the places beyond the end that the last window covers; a graph takes the most."""
    if exporting():
        return window.kernel - 1
    return max(0, window.stride * (window.outputs(size) - 1) + window.kernel - size)


def _window_weights(window: Window, sizes: Tensor, n_windows: int) -> Tensor:
    """Give kernel / valid members of each window, (n_recordings, n_windows)."""
    starts = torch.arange(n_windows, device=sizes.device) * window.stride
    return window.kernel / (sizes[:, None] - starts).clamp(1, window.kernel)


def _time_shape(y: Tensor) -> tuple[int, ...]:
    return (y.shape[0], *[1] * (y.ndim - 2), y.shape[-1])


class MaskedMaxPool1d(_MaskedMaxPool):
    """Maximum over windows of valid frames.

    Parameters
    ----------
    kernel_size : int
        Frames.
    stride : int, default=None
        Frames; ``kernel_size`` if None.
    padding : {"valid", "same"}, default="valid"
        "valid" drops an incomplete window at the end of a recording (the border rule of Ma et al.
        2018, section 4.2): floor((L - kernel_size) / stride) + 1 frames; a recording shorter than
        the kernel is a ValueError. "same" keeps it and takes what it holds: ceil(L / stride)
        frames. Windows are counted from the first frame in both.

    Notes
    -----
    Input (n_recordings, n_channels, n_frames), output (n_recordings, n_channels, n_frames_out).

    Examples
    --------
    >>> import torch
    >>> from skspeech.layers import MaskedMaxPool1d
    >>> x, lengths = torch.tensor([[[-1.0, -2.0, -3.0, 0.0]]]), torch.tensor([3])
    >>> MaskedMaxPool1d(2)(x, lengths)
    (tensor([[[-1.,  0.]]]), tensor([1]))
    >>> MaskedMaxPool1d(2, padding="same")(x, lengths)
    (tensor([[[-1., -3.]]]), tensor([2]))
    """

    def __init__(
        self, kernel_size: int, stride: int | None = None, *, padding: Padding = "valid"
    ) -> None:
        super().__init__(1, kernel_size, stride, padding)


class MaskedMaxPool2d(_MaskedMaxPool):
    """Maximum over windows of bins and valid frames.

    Parameters
    ----------
    kernel_size : int or (int, int)
        Along (bins, frames). A kernel with more bins than the input has shrinks to them, and its
        stride too.
    stride : int or (int, int), default=None
        Along (bins, frames); ``kernel_size`` if None.
    padding : {"valid", "same"}, default="valid"
        As in :class:`MaskedMaxPool1d`, along both axes.

    Notes
    -----
    Input (n_recordings, n_channels, n_bins, n_frames), output (n_recordings, n_channels,
    n_bins_out, n_frames_out). Lengths count as in :class:`MaskedMaxPool1d`.

    Examples
    --------
    >>> import torch
    >>> from skspeech.layers import MaskedMaxPool2d
    >>> y, lengths = MaskedMaxPool2d((4, 2))(torch.zeros(2, 8, 40, 9), torch.tensor([7, 9]))
    >>> y.shape, lengths
    (torch.Size([2, 8, 10, 4]), tensor([3, 4]))
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        *,
        padding: Padding = "valid",
    ) -> None:
        super().__init__(2, kernel_size, stride, padding)


class MaskedAvgPool1d(_MaskedAvgPool):
    """Mean over windows of valid frames.

    Parameters
    ----------
    kernel_size : int
        Frames.
    stride : int, default=None
        Frames; ``kernel_size`` if None.
    padding : {"valid", "same"}, default="valid"
        As in :class:`MaskedMaxPool1d`; with "same" an incomplete window gives the mean of the
        valid frames that it holds.

    Notes
    -----
    Input (n_recordings, n_channels, n_frames), output (n_recordings, n_channels, n_frames_out).
    Lengths count as in :class:`MaskedMaxPool1d`.

    Examples
    --------
    >>> import torch
    >>> from skspeech.layers import MaskedAvgPool1d
    >>> x, lengths = torch.tensor([[[1.0, 2.0, 3.0, 0.0]]]), torch.tensor([3])
    >>> MaskedAvgPool1d(2, padding="same")(x, lengths)
    (tensor([[[1.5000, 3.0000]]]), tensor([2]))
    """

    def __init__(
        self, kernel_size: int, stride: int | None = None, *, padding: Padding = "valid"
    ) -> None:
        super().__init__(1, kernel_size, stride, padding)


class MaskedAvgPool2d(_MaskedAvgPool):
    """Mean over windows of bins and valid frames.

    Parameters
    ----------
    kernel_size : int or (int, int)
        Along (bins, frames). A kernel with more bins than the input has shrinks to them, and its
        stride too.
    stride : int or (int, int), default=None
        Along (bins, frames); ``kernel_size`` if None.
    padding : {"valid", "same"}, default="valid"
        As in :class:`MaskedAvgPool1d`, along both axes.

    Notes
    -----
    Input (n_recordings, n_channels, n_bins, n_frames), output (n_recordings, n_channels,
    n_bins_out, n_frames_out). Lengths count as in :class:`MaskedMaxPool1d`.

    Examples
    --------
    >>> import torch
    >>> from skspeech.layers import MaskedAvgPool2d
    >>> y, lengths = MaskedAvgPool2d((4, 2))(torch.zeros(2, 8, 40, 9), torch.tensor([7, 9]))
    >>> y.shape, lengths
    (torch.Size([2, 8, 10, 4]), tensor([3, 4]))
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        *,
        padding: Padding = "valid",
    ) -> None:
        super().__init__(2, kernel_size, stride, padding)

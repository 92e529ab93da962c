"""Convolution and pooling of video as Keras's "same" padding has them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

from skspeech.layers.same import pad_same, spread

__all__ = ["SameConv3d", "SamePool3d"]

AXES = ("frames", "rows", "columns")


class _SameLayer:
    """What comes out of a layer with one kernel and one stride an axis and "same" padding."""

    stride: tuple[int, ...]

    def output_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Give what comes out of (n_frames, n_rows, n_columns): ceil(size / stride) of each.

        Parameters
        ----------
        shape : sequence of three int
            Frames, rows and columns that go in.

        Returns
        -------
        tuple of three int
        """
        return tuple(-(-n // s) for n, s in zip(shape, self.stride, strict=True))


class SameConv3d(_SameLayer, nn.Conv3d):
    """Convolution over frames, rows and columns with Keras's "same" padding.

    Zeros surround the video so that ceil(size / stride) places come out of each axis; where their
    number is odd, one more comes at the end. torch's own "same" has no strides.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels in and out.
    kernel_size : int or (int, int, int)
        Frames, rows and columns, or one for all.
    stride : int or (int, int, int), default=1
        Steps along the same.
    bias : bool, default=True
        Whether to add a bias a channel.

    Raises
    ------
    ValueError
        If a size is no positive integer, or the input is not of that shape.

    Notes
    -----
    Input (n, in_channels, n_frames, n_rows, n_columns), output (n, out_channels, n_frames_out,
    n_rows_out, n_columns_out). ``weight`` and ``bias`` are named and initialised as in
    ``torch.nn.Conv3d``. Shandiz and Tóth's networks on tongue ultrasound are made of these: their
    kernels of 13 x 13 do not fit the last maps otherwise.

    Examples
    --------
    >>> import torch
    >>> from skspeech.layers import SameConv3d
    >>> conv = SameConv3d(1, 30, (5, 13, 13), stride=(5, 2, 2))
    >>> conv(torch.zeros(2, 1, 25, 128, 64)).shape
    torch.Size([2, 30, 5, 64, 32])
    >>> conv.output_shape((25, 128, 64))
    (5, 64, 32)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int, int],
        *,
        stride: int | tuple[int, int, int] = 1,
        bias: bool = True,
    ) -> None:
        kernel, steps = spread("kernel_size", kernel_size, AXES), spread("stride", stride, AXES)
        super().__init__(in_channels, out_channels, kernel, stride=steps, bias=bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Convolve; see the class for the shapes."""
        if x.ndim != 5 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"x has shape {tuple(x.shape)}; expected "
                f"(n, {self.in_channels}, n_frames, n_rows, n_columns)."
            )
        x, before = pad_same(x, self.kernel_size, self.stride)
        return F.conv3d(x, self.weight, self.bias, self.stride, before)


class SamePool3d(_SameLayer, nn.Module):
    """Maximum over frames, rows and columns with Keras's "same" padding.

    An incomplete window at an end counts, so that something always comes out. On axes that the
    stride divides it is Keras's default, "valid", for a kernel as wide as the stride.

    Parameters
    ----------
    kernel_size : int or (int, int, int)
        Frames, rows and columns, or one for all.
    stride : int or (int, int, int) or None, default=None
        Steps along the same; None takes the kernel's size.

    Raises
    ------
    ValueError
        If a size is no positive integer.

    Notes
    -----
    Input (n, n_channels, n_frames, n_rows, n_columns), output the same with ceil(size / stride)
    of each of the last three. Padding is never the maximum.

    Examples
    --------
    >>> import torch
    >>> from skspeech.layers import SamePool3d
    >>> SamePool3d((1, 2, 2))(torch.zeros(2, 60, 5, 32, 16)).shape
    torch.Size([2, 60, 5, 16, 8])
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        *,
        stride: int | tuple[int, int, int] | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = spread("kernel_size", kernel_size, AXES)
        self.stride = self.kernel_size if stride is None else spread("stride", stride, AXES)

    def forward(self, x: Tensor) -> Tensor:
        """Take the maxima; see the class for the shapes."""
        x, before = pad_same(x, self.kernel_size, self.stride, value=-torch.inf)
        return F.max_pool3d(x, self.kernel_size, self.stride, before)

    def extra_repr(self) -> str:
        """Show the settings."""
        return f"{self.kernel_size}, stride={self.stride}"

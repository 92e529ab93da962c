"""The network over windows of ultrasound: layers of convolutions and ConvLSTMs, and an answer."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn

from skspeech.layers import ConvLSTM, MaskedRecurrent, SameConv3d, SamePool3d
from skspeech.layers.same import pad_same, same_padding

__all__ = ["LastOutputs", "Layer", "UltrasoundNetwork", "he_uniform", "make_layers"]

Layer = Literal["conv3d", "convlstm"]
Size = tuple[int, int]

# Frames that the first convolution joins (Table 1).
_TIME_KERNEL = 5

# Rows and columns of a ConvLSTM's kernels: at the end of a network Table 1's, below of our making.
_LAST_LSTM_KERNEL, _LOWER_LSTM_KERNEL = 3, 5


def he_uniform(layer: Any) -> Any:
    """Return a layer whose weights begin as the authors' do."""
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


class _Convolution(nn.Module):
    """Convolution, swish, dropout and, if any, a pool, on (n, maps, steps, rows, columns)."""

    def __init__(self, conv: SameConv3d, dropout: float, pool: Size | None):
        super().__init__()
        self.conv = he_uniform(conv)
        self.dropout = nn.Dropout(dropout)
        self.pool = SamePool3d((1, *(pool or (1, 1))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.after(self.conv(x))

    def after(self, x: torch.Tensor) -> torch.Tensor:
        """Go on from what the convolution gives."""
        x = self.dropout(nn.functional.silu(x))
        return x if self.pool.kernel_size == (1, 1, 1) else self.pool(x)

    def output_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Give what comes out of (steps, rows, columns)."""
        return self.pool.output_shape(self.conv.output_shape(shape))


class _MapLSTM(nn.Module):
    """A ConvLSTM on (n, maps, steps, rows, columns); the last state alone is one step."""

    def __init__(self, lstm: ConvLSTM, pool: Size | None):
        super().__init__()
        self.lstm = lstm
        self.pool = SamePool3d((1, *(pool or (1, 1))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.lstm(x.transpose(1, 2))
        x = x.transpose(1, 2) if self.lstm.return_sequences else x.unsqueeze(2)
        return x if self.pool.kernel_size == (1, 1, 1) else self.pool(x)

    def output_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Give what comes out of (steps, rows, columns)."""
        n_steps = shape[0] if self.lstm.return_sequences else 1
        return self.pool.output_shape((n_steps, *self.lstm.output_shape(shape[1:])))


class LastOutputs(nn.Module):
    """An LSTM in both directions over steps of maps: its two last outputs, (n, 2 * units)."""

    def __init__(self, n_features: int, units: int):
        super().__init__()
        self.lstm = MaskedRecurrent(n_features, units, bidirectional=True, return_sequences=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.transpose(1, 2).flatten(2).transpose(1, 2)  # (n, maps and places, steps)
        return self.lstm(x, torch.full(x.shape[:1], x.shape[-1]))


def make_layers(
    shape: tuple[int, ...],
    *,
    layers: Sequence[Layer],
    n_maps: Sequence[int],
    strides: Sequence[Size],
    pools: Sequence[Size | None],
    kernel_size: int,
    time_stride: int,
    dropout: float,
    peepholes: bool = False,
) -> tuple[list[nn.Module], tuple[int, ...]]:
    """Return the layers, and what comes out of them.

    Parameters
    ----------
    shape : tuple of int
        Frames of a window, rows and columns.
    layers : sequence of {"conv3d", "convlstm"}
    n_maps, strides, pools : sequence
        For each layer: maps out; steps along rows and columns; the size of the pool after it, or
        None.
    kernel_size : int
        Rows and columns of the convolutions' kernels.
    time_stride : int
        Steps along time of a convolution that comes first.
    dropout : float
    peepholes : bool, default=False

    Returns
    -------
    layers : list of modules
    shape : tuple of int
        Maps, steps, rows and columns.
    """
    made: list[Any] = []
    n_in = 1
    for i, (kind, n_out, stride, pool) in enumerate(
        zip(layers, n_maps, strides, pools, strict=True)
    ):
        if kind == "conv3d":
            joined, steps = (1, 1) if i else (_TIME_KERNEL, time_stride)
            kernel = (joined, kernel_size, kernel_size)
            conv = SameConv3d(n_in, n_out, kernel, stride=(steps, *stride))
            made.append(_Convolution(conv, dropout, pool))
        else:
            last = i == len(layers) - 1
            lstm = ConvLSTM(
                n_in,
                n_out,
                _LAST_LSTM_KERNEL if last else _LOWER_LSTM_KERNEL,
                stride=stride,
                peephole_size=_strided(shape, stride) if peepholes else None,
                return_sequences=not last,
            )
            made.append(_MapLSTM(lstm, pool))
        shape, n_in = made[-1].output_shape(shape), n_out
    return made, (n_in, *shape)


def _strided(shape: tuple[int, ...], stride: Size) -> Size:
    """Return the rows and columns that "same" padding leaves of (steps, rows, columns)."""
    _, n_rows, n_columns = shape
    return -(-n_rows // stride[0]), -(-n_columns // stride[1])


class UltrasoundNetwork(nn.Module):
    """Layers over windows of video, what joins their steps, and an answer to the frame amid them.

    Parameters
    ----------
    layers : list of modules
        On (n, maps, steps, rows, columns).
    join : torch module
        From that to (n, joined_size).
    joined_size : int
    n_outputs : int
    context_frames : int
        Frames of a window.
    """

    def __init__(
        self,
        layers: list[nn.Module],
        join: nn.Module,
        joined_size: int,
        *,
        n_outputs: int,
        context_frames: int,
    ):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.join = join
        self.answer = he_uniform(nn.Linear(joined_size, n_outputs))
        self.step_offsets = _step_offsets(layers[0], context_frames)
        self.step_frames = _TIME_KERNEL
        kinds = [isinstance(layer, _Convolution) for layer in layers]
        self.n_shared = [*kinds, False].index(False)  # layers that look at each step by itself

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return answers (n, n_outputs) to windows (n, context_frames, n_rows, n_columns)."""
        x = windows.unsqueeze(1)
        for layer in self.layers:
            x = layer(x)
        return self.answer(self.join(x))

    def steps(self, frames: torch.Tensor) -> torch.Tensor:
        """Return what the first convolutions make of every five frames in a row.

        Parameters
        ----------
        frames : Tensor of shape (n_frames, n_rows, n_columns)

        Returns
        -------
        Tensor of shape (n_frames - 4, n_maps, n_rows_out, n_columns_out)
            The steps of a window are those that begin at ``step_offsets`` from its first frame.
        """
        first: Any = self.layers[0]
        conv = first.conv
        x, before = pad_same(frames[None, None], conv.kernel_size[1:], conv.stride[1:])
        stride = (1, *conv.stride[1:])
        x = nn.functional.conv3d(x, conv.weight, conv.bias, stride, (0, *before))
        x = first.after(x)
        for layer in self.layers[1 : self.n_shared]:
            x = layer(x)
        return x[0].transpose(0, 1)

    def answer_steps(self, steps: torch.Tensor) -> torch.Tensor:
        """Return answers (n, n_outputs) to the steps of windows, (n, n_steps, n_maps, ...)."""
        x = steps.transpose(1, 2)
        for layer in self.layers[self.n_shared :]:
            x = layer(x)
        return self.answer(self.join(x))


def _step_offsets(first: nn.Module, context_frames: int) -> tuple[int, ...] | None:
    """Return where in a window the first convolution begins its steps.

    None where windows share no step: that layer is none, or windows are padded.
    """
    if not isinstance(first, _Convolution):
        return None
    stride = first.conv.stride[0]
    if any(same_padding(context_frames, _TIME_KERNEL, stride)):
        return None
    return tuple(range(0, context_frames - _TIME_KERNEL + 1, stride))

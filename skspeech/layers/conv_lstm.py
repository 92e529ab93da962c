"""An LSTM whose states are maps and whose products are convolutions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

from skspeech.layers.masked import Padding, length_mask, mask_padding, nothing_padded
from skspeech.layers.same import pad_same, spread

__all__ = ["ConvLSTM"]

AXES = ("rows", "columns")


class ConvLSTM(nn.Module):
    """Convolutional LSTM over maps in time (Shi et al. 2015), with the details of Keras.

    Parameters
    ----------
    in_channels, hidden_channels : int
        Channels in, and of the state of each direction.
    kernel_size : int or (int, int)
        Rows and columns of both convolutions, that of the input and that of the state.
    stride : int or (int, int), default=1
        Steps of the input's convolution alone: the state is as large as what comes out of it, and
        its own convolution keeps that size.
    padding : {"same", "valid"}, default="same"
        Of the input's convolution alone, as Keras computes it. "same" gives ceil(size / stride)
        rows and columns, "valid" floor((size - kernel) / stride) + 1.
    recurrent_activation : {"sigmoid", "hard_sigmoid"}, default="sigmoid"
        Of the gates. "hard_sigmoid" is that of Keras 2, where it is the default: 0.2 x + 0.5, not
        below 0 nor above 1. Keras 3 has "sigmoid" by default, and another "hard_sigmoid".
    peephole_size : (int, int) or None, default=None
        Rows and columns of the state, as :meth:`output_shape` gives them, for gates that see the
        cell as well, by a weight for each place and channel, which begins at zero. None leaves
        these peepholes of Shi et al. out, as Keras does.
    bidirectional : bool, default=False
        Whether a second network reads from the last valid frame to the first.
    return_sequences : bool, default=True
        True: the state at every frame. False: only the last of each direction, at the last valid
        frame the one and at the first frame the other.

    Attributes
    ----------
    forwards, backwards : torch modules
        The directions; ``backwards`` is None without one. Each has ``input_weight`` (4 *
        hidden_channels, in_channels, rows, columns), ``recurrent_weight`` (4 * hidden_channels,
        hidden_channels, rows, columns), ``bias`` (4 * hidden_channels,), in the order of input
        gate, forget gate, cell and output gate, and ``peepholes`` (3, hidden_channels, n_rows_out,
        n_columns_out) of input, forget and output gate, or None.

    Raises
    ------
    ValueError
        For an unknown option, or where the input does not fit.

    Notes
    -----
    Input (n, n_frames, in_channels, n_rows, n_columns), and, where sequences differ in length,
    ``lengths`` (n,), the valid frames of each; what lies beyond is never read. Output (n,
    n_frames, n_directions * hidden_channels, n_rows_out, n_columns_out), zero beyond the lengths,
    or without the axis of frames.

    Weights begin as in Keras: of the input Glorot uniform, of the state orthogonal, biases zero
    but 1 for the forget gate. The input is convolved at all frames at once.

    X. Shi, Z. Chen, H. Wang, D.-Y. Yeung, W. Wong, W. Woo, "Convolutional LSTM network: a machine
    learning approach for precipitation nowcasting", NIPS, 2015, equations 3.

    Examples
    --------
    >>> import torch
    >>> from skspeech.layers import ConvLSTM
    >>> maps = torch.zeros(2, 5, 90, 8, 8)
    >>> ConvLSTM(90, 64, 3, stride=2, return_sequences=False)(maps).shape
    torch.Size([2, 64, 4, 4])
    >>> ConvLSTM(90, 64, 3, bidirectional=True)(maps, torch.tensor([3, 5])).shape
    torch.Size([2, 5, 128, 8, 8])
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        kernel_size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: Padding = "same",
        recurrent_activation: Literal["sigmoid", "hard_sigmoid"] = "sigmoid",
        peephole_size: tuple[int, int] | None = None,
        bidirectional: bool = False,
        return_sequences: bool = True,
    ) -> None:
        super().__init__()
        if padding not in ("valid", "same"):
            raise ValueError(f"padding is {padding!r}; expected 'valid' or 'same'.")
        if recurrent_activation not in ("sigmoid", "hard_sigmoid"):
            raise ValueError(
                f"recurrent_activation is {recurrent_activation!r}; expected 'sigmoid' or "
                "'hard_sigmoid'."
            )
        self.in_channels, self.hidden_channels = int(in_channels), int(hidden_channels)
        self.kernel_size = spread("kernel_size", kernel_size, AXES)
        self.stride = spread("stride", stride, AXES)
        self.padding = padding
        self.recurrent_activation = recurrent_activation
        self.peephole_size: tuple[int, ...] | None = None
        if peephole_size is not None:
            self.peephole_size = spread("peephole_size", peephole_size, AXES)
        self.return_sequences = return_sequences
        self.forwards = self._direction()
        self.backwards = self._direction() if bidirectional else None

    def _direction(self) -> _Direction:
        return _Direction(
            self.in_channels, self.hidden_channels, self.kernel_size, self.peephole_size
        )

    def output_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Give the rows and columns of the state, and of what comes out, for input of a size.

        Parameters
        ----------
        shape : sequence of two int
            Rows and columns that go in.

        Returns
        -------
        tuple of two int
        """
        if self.padding == "same":
            return tuple(-(-n // s) for n, s in zip(shape, self.stride, strict=True))
        axes = zip(shape, self.kernel_size, self.stride, strict=True)
        return tuple(max((n - k) // s + 1, 0) for n, k, s in axes)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Read the maps; see the class for the shapes."""
        self._refuse(x)
        valid = None
        if lengths is not None:
            x = mask_padding(x.movedim(1, -1), lengths).movedim(-1, 1)
            if not nothing_padded(lengths, x.shape[1]):
                valid = length_mask(lengths, x.shape[1]).to(x.device, non_blocking=True)
        frames = range(x.shape[1])
        outputs = [self._read(x, self.forwards, frames, valid)]
        if self.backwards is not None:
            outputs.append(self._read(x, self.backwards, frames[::-1], valid))
        return torch.cat(outputs, -3) if len(outputs) > 1 else outputs[0]

    def _refuse(self, x: Tensor) -> None:
        """Raise a ValueError where the input does not fit."""
        if x.ndim != 5 or x.shape[2] != self.in_channels:
            raise ValueError(
                f"x has shape {tuple(x.shape)}; expected "
                f"(n, n_frames, {self.in_channels}, n_rows, n_columns)."
            )
        if not x.shape[1]:
            raise ValueError(f"x has shape {tuple(x.shape)}: no frame to read. Give one at least.")
        n_rows, n_columns = x.shape[3:]
        shape = self.output_shape((n_rows, n_columns))
        if not all(shape):
            raise ValueError(
                f"maps of {n_rows} x {n_columns} are smaller than the kernel of "
                f"{self.kernel_size[0]} x {self.kernel_size[1]}. Take padding='same'."
            )
        if self.peephole_size is not None and self.peephole_size != shape:
            raise ValueError(
                f"peephole_size is {self.peephole_size}, but the state of maps of {n_rows} x "
                f"{n_columns} has {shape}. Take that, output_shape(({n_rows}, {n_columns}))."
            )

    def _read(
        self, x: Tensor, direction: _Direction, frames: range, valid: Tensor | None
    ) -> Tensor:
        """Run one direction over the frames in the order given; ``valid`` is (n, n_frames)."""
        inputs = self._convolve_inputs(x, direction)
        gate = torch.sigmoid if self.recurrent_activation == "sigmoid" else _hard_sigmoid
        state = None
        hidden = []
        for t in frames:
            new = direction.step(inputs[:, t], state, gate)
            if valid is not None:
                # A finished sequence keeps its state, one that has not begun has none yet.
                runs = valid[:, t, None, None, None]
                old = state or (torch.zeros_like(new[0]), torch.zeros_like(new[1]))
                new = torch.where(runs, new[0], old[0]), torch.where(runs, new[1], old[1])
            state = new
            hidden.append(new[0])
        if not self.return_sequences:
            return hidden[-1]
        y = torch.stack(hidden if frames.step > 0 else hidden[::-1], 1)
        return y if valid is None else y * valid[:, :, None, None, None]

    def _convolve_inputs(self, x: Tensor, direction: _Direction) -> Tensor:
        """Convolve all frames at once, as many as they are images of one batch."""
        maps, before = x.flatten(0, 1), [0, 0]
        if self.padding == "same":
            maps, before = pad_same(maps, self.kernel_size, self.stride)
        y = F.conv2d(maps, direction.input_weight, direction.bias, self.stride, before)
        return y.unflatten(0, x.shape[:2])

    def extra_repr(self) -> str:
        """Show the settings."""
        return (
            f"{self.in_channels}, {self.hidden_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, padding={self.padding!r}, "
            f"recurrent_activation={self.recurrent_activation!r}, "
            f"peephole_size={self.peephole_size}, return_sequences={self.return_sequences}"
        )


class _Direction(nn.Module):
    """The weights of one direction, and one step with them; see :class:`ConvLSTM`."""

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        kernel_size: tuple[int, ...],
        peephole_size: tuple[int, ...] | None,
    ) -> None:
        super().__init__()
        n_gates = 4 * hidden_channels  # input, forget, cell, output
        self.input_weight = nn.Parameter(torch.empty(n_gates, in_channels, *kernel_size))
        self.recurrent_weight = nn.Parameter(torch.empty(n_gates, hidden_channels, *kernel_size))
        self.bias = nn.Parameter(torch.zeros(n_gates))
        self.peepholes = None
        if peephole_size is not None:
            self.peepholes = nn.Parameter(torch.zeros(3, hidden_channels, *peephole_size))
        nn.init.xavier_uniform_(self.input_weight)
        nn.init.orthogonal_(self.recurrent_weight)
        with torch.no_grad():
            self.bias[hidden_channels : 2 * hidden_channels] = 1

    def step(
        self, inputs: Tensor, state: tuple[Tensor, Tensor] | None, gate: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Give hidden state and cell after one frame; None is the state before the first."""
        if state is not None:
            hidden, cell = state
            hidden, before = pad_same(hidden, self.recurrent_weight.shape[2:], (1, 1))
            inputs = inputs + F.conv2d(hidden, self.recurrent_weight, padding=before)
        enter, forget, candidate, leave = inputs.chunk(4, 1)
        if state is None:
            cell = gate(enter) * candidate.tanh()
        else:
            if self.peepholes is not None:
                enter = enter + self.peepholes[0] * cell
                forget = forget + self.peepholes[1] * cell
            cell = gate(forget) * cell + gate(enter) * candidate.tanh()
        if self.peepholes is not None:
            leave = leave + self.peepholes[2] * cell
        return gate(leave) * cell.tanh(), cell


def _hard_sigmoid(x: Tensor) -> Tensor:
    return (0.2 * x + 0.5).clamp(0, 1)

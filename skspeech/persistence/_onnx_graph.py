"""Torch modules as graphs of ONNX's operators. Imports torch at its top: import it in functions."""

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from skspeech.layers import MaskedRecurrent
from skspeech.layers.masked import FramewiseLayer

__all__ = ["OnnxRecurrent", "make_graph"]

# The version of ONNX's operators in which torch's exporter is written.
_OPSET = 18

# of torch's gates (input, forget, cell, output; reset, update, new) those of ONNX, in their order
_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}


class OnnxRecurrent(FramewiseLayer, nn.Module):
    """A :class:`~skspeech.layers.MaskedRecurrent` as ONNX's own LSTM or GRU, for a graph alone.

    That operator is given the lengths: it reads backwards from the last valid frame, and what is
    beyond comes out zero.
    """

    def __init__(self, layer: MaskedRecurrent):
        super().__init__()
        rnn = layer.rnn
        self.return_sequences = layer.return_sequences
        self.kind, self.hidden_size = rnn.mode, rnn.hidden_size
        self.n_directions = layer.n_directions
        self.weights = nn.ParameterList()
        for i in range(0, len(rnn.all_weights), self.n_directions):
            directions: Any = rnn.all_weights[i : i + self.n_directions]
            of_input, of_state, *biases = (
                torch.stack([_reordered(weights, _GATES[rnn.mode]) for weights in both])
                for both in zip(*directions, strict=True)
            )
            self.weights.extend([of_input, of_state, torch.cat(biases, 1)])

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Read the recordings as ``MaskedRecurrent`` does."""
        if self.return_sequences:
            return self.sequences(x, lengths)
        return self._read(x, lengths)[1].transpose(0, 1).flatten(1)

    def sequences(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Read the recordings and give every frame."""
        return self._read(x, lengths)[0].permute(1, 2, 0), lengths

    def _read(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return all frames, (n_frames, n, channels), and the last states of the last layer."""
        frames, last = x.permute(2, 0, 1), x
        n_frames, n, _ = frames.shape
        shape = (self.n_directions, n, self.hidden_size)
        settings: dict[str, Any] = {
            "hidden_size": self.hidden_size,
            "direction": "bidirectional" if self.n_directions == 2 else "forward",
        }
        if self.kind == "GRU":
            settings["linear_before_reset"] = 1  # as in torch
        for i in range(0, len(self.weights), 3):
            outputs, last = torch.onnx.ops.symbolic_multi_out(
                self.kind,
                [frames, *self.weights[i : i + 3], lengths.int()],
                settings,
                dtypes=[x.dtype, x.dtype],
                shapes=[(n_frames, *shape), shape],
            )
            frames = outputs.transpose(1, 2).flatten(2)
        return frames, last


def _reordered(weights: Tensor, order: tuple[int, ...]) -> Tensor:
    gates = weights.detach().chunk(len(order))
    return torch.cat([gates[i] for i in order])


def make_graph(
    module: nn.Module, example: dict[str, Tensor], axes: dict[str, dict[int, str]], output: str
) -> Any:
    """Return the ONNX model of a module.

    Parameters
    ----------
    module : nn.Module
        It is left as it is.
    example : dict of Tensor
        Its arguments; the graph does not depend on them.
    axes : dict of dict
        The names of those axes of each argument that may be of any size.
    output : str
        The name of what it returns.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    torch.onnx.OnnxExporterError
        If the module does what torch cannot follow or ONNX has no operator for.
    """
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    module = copy.deepcopy(module)
    _replace_recurrences(module)
    with _quiet():
        program = torch.onnx.export(
            module,
            tuple(example.values()),
            input_names=list(example),
            output_names=[output],
            dynamic_shapes=axes,
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # as it is without dynamo
    # of each node the lines of code behind it, with the paths of this machine
    ClearMetadataAndDocStringPass()(program.model)
    return program.model_proto


def _replace_recurrences(module: nn.Module) -> None:
    for name, child in module.named_children():
        if type(child) is MaskedRecurrent:
            setattr(module, name, OnnxRecurrent(child))
        else:
            _replace_recurrences(child)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what torch's exporter has to say about itself, not about the network."""
    log = logging.getLogger("torch.onnx")  # that torchvision is not there
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # it copies its own tree of arguments in a way that torch will give up
            warnings.filterwarnings("ignore", r".*LeafSpec", FutureWarning)
            # two arguments have the axis of segments in common
            warnings.filterwarnings("ignore", r".*The axis name", UserWarning)
            yield
    finally:
        log.setLevel(level)

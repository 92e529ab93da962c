"""From tongue ultrasound to spectra, frame by frame: 3D-CNN, with a BiLSTM, with a ConvLSTM.

A. H. Shandiz, L. Tóth, "Improved processing of ultrasound tongue videos by combining ConvLSTM and
3D convolutional networks", 2022; Table 1 has the layers. A frame is seen with
the twelve before it and the twelve after it. The first convolution joins five frames and goes on by
five, so that five steps are left, and the others look at each step by itself; what comes out of the
five steps is joined by a dense layer, an LSTM in both directions, or a convolutional LSTM.

Padding is Keras's "same" throughout, without which the kernels would not fit the maps. Weights
begin as in the authors' earlier code (he_uniform), and activations are its swish; the paper names
neither. Of other orders of layers than the paper's best, those of its Table 3, the widths of
kernels and the numbers of maps are our choice.
"""

from collections.abc import Sequence
from functools import partial
from math import prod
from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval
from torch import nn

from skspeech.base import NetworkRegressor
from skspeech.models._sizes import sizes
from skspeech.models._ultrasound_network import (
    LastOutputs,
    Layer,
    UltrasoundNetwork,
    he_uniform,
    make_layers,
)
from skspeech.training.parameters import document_training

__all__ = ["Conv3DBiLSTMRegressor", "Conv3DConvLSTMRegressor", "Conv3DRegressor"]

# Maps of layers 1, 2 and so on in Table 1, the last of which all further ones have, and of a
# ConvLSTM that ends a network.
_MAPS = (30, 60, 90, 85)
_LAST_LSTM_MAPS = 64

_POSITIVE = [Interval(Integral, 1, None, closed="left")]
_SHARE = [Interval(Real, 0, 1, closed="left")]
_CONSTRAINTS: dict = {
    **NetworkRegressor._parameter_constraints,
    "n_maps": ["array-like"],
    "kernel_size": _POSITIVE,
    "context_frames": _POSITIVE,
    "time_stride": _POSITIVE,
    "dropout": _SHARE,
}


class _ConvolutionsOnly(NetworkRegressor):
    """The two networks of Table 1 whose four layers are convolutions."""

    def _convolutions(self, layout: tuple[int, ...]) -> tuple[list[nn.Module], tuple[int, ...]]:
        n_maps = sizes("n_maps", self.n_maps)
        n_layers = len(n_maps)
        return make_layers(
            (self.context_frames, *layout),
            layers=["conv3d"] * n_layers,
            n_maps=n_maps,
            # Table 1: the third layer leaves the columns as many, the second and fourth have a pool
            strides=[(2, 1) if i == 2 else (2, 2) for i in range(n_layers)],
            pools=[(2, 2) if i % 2 else None for i in range(n_layers)],
            kernel_size=self.kernel_size,
            time_stride=self.time_stride,
            dropout=self.dropout,
        )


@partial(document_training, frames=True)
class Conv3DRegressor(_ConvolutionsOnly):
    """3D convolutions over ultrasound video, joined by a dense layer (Table 1, "3D-CNN").

    Parameters
    ----------
    n_maps : sequence of int, default=(30, 60, 90, 85)
        Maps of the layers, as many as these are.
    dense_units : int, default=500
        Units of the layer that joins the steps.
    kernel_size : int, default=13
        Rows and columns of the convolutions' kernels.
    context_frames : int, default=25
        Frames that are seen for each one, half of them before it; of an even number one more.
    time_stride : int, default=5
        Steps of the first convolution along time, whose kernel has five frames: with 5 they do not
        overlap, and answers to neighbouring frames share their work.
    dropout : float, default=0.3
        Share of the values dropped after each convolution and the dense layer.
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    See Also
    --------
    Conv3DBiLSTMRegressor : An LSTM in both directions joins them.
    Conv3DConvLSTMRegressor : A convolutional LSTM does, the paper's best.

    Notes
    -----
    Source: Shandiz and Tóth (2022), Table 1; see the module for what the paper leaves open.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.models import Conv3DRegressor
    >>> rng = np.random.default_rng(0)
    >>> videos = [rng.normal(size=(n, 16, 8)) for n in (20, 30)]  # frames, rows, columns
    >>> spectra = [video[:, :4, 0] for video in videos]
    >>> network = Conv3DRegressor(n_maps=(4, 4), max_epochs=1)
    >>> [answer.shape for answer in network.fit(videos, spectra).predict(videos)]
    [(20, 4), (30, 4)]
    """

    _parameter_constraints: dict = {
        **_CONSTRAINTS,
        "dense_units": _POSITIVE,
    }

    def __init__(
        self,
        *,
        n_maps: Sequence[int] = _MAPS,
        dense_units: int = 500,
        kernel_size: int = 13,
        context_frames: int = 25,
        time_stride: int = 5,
        dropout: float = 0.3,
        max_epochs: int = 100,
        lr: float = 1e-3,
        batch_size: int = 128,
        optimizer: Any = "adam",
        weight_decay: float = 0.0,
        validation: Any = "auto",
        validation_fraction: float = 0.1,
        patience: int | None = 3,
        lr_patience: int | None = 2,
        max_grad_norm: float | None = None,
        standardize: str | None = None,
        device: str = "auto",
        precision: str = "float32",
        callbacks: Any = None,
        warm_start: bool = False,
        checkpoint_dir: Any = None,
        verbose: int = 0,
        random_state: Any = None,
    ):
        self.n_maps = n_maps
        self.dense_units = dense_units
        self.kernel_size = kernel_size
        self.context_frames = context_frames
        self.time_stride = time_stride
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.validation = validation
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.lr_patience = lr_patience
        self.max_grad_norm = max_grad_norm
        self.standardize = standardize
        self.device = device
        self.precision = precision
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.checkpoint_dir = checkpoint_dir
        self.verbose = verbose
        self.random_state = random_state

    def _make_network(self, layout: tuple[int, ...], n_outputs: int) -> UltrasoundNetwork:
        layers, shape = self._convolutions(layout)
        join = nn.Sequential(
            nn.Flatten(),
            he_uniform(nn.Linear(prod(shape), self.dense_units)),
            nn.SiLU(),
            nn.Dropout(self.dropout),
        )
        return UltrasoundNetwork(
            layers,
            join,
            self.dense_units,
            n_outputs=n_outputs,
            context_frames=self.context_frames,
        )


@partial(document_training, frames=True)
class Conv3DBiLSTMRegressor(_ConvolutionsOnly):
    """3D convolutions over ultrasound video, joined by an LSTM (Table 1, "3D-CNN + BiLSTM").

    Parameters
    ----------
    n_maps : sequence of int, default=(30, 60, 90, 85)
        Maps of the layers, as many as these are.
    lstm_units : int, default=320
        Units of the LSTM in each direction.
    kernel_size : int, default=13
        Rows and columns of the convolutions' kernels.
    context_frames : int, default=25
        Frames that are seen for each one, half of them before it; of an even number one more.
    time_stride : int, default=5
        Steps of the first convolution along time, whose kernel has five frames: with 5 they do not
        overlap, and answers to neighbouring frames share their work.
    dropout : float, default=0.3
        Share of the values dropped after each convolution.
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    See Also
    --------
    Conv3DRegressor : A dense layer joins the steps.
    Conv3DConvLSTMRegressor : A convolutional LSTM does, the paper's best.

    Notes
    -----
    Source: Shandiz and Tóth (2022), Table 1; see the module for what the paper leaves open.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.models import Conv3DBiLSTMRegressor
    >>> rng = np.random.default_rng(0)
    >>> videos = [rng.normal(size=(n, 16, 8)) for n in (20, 30)]  # frames, rows, columns
    >>> spectra = [video[:, :4, 0] for video in videos]
    >>> network = Conv3DBiLSTMRegressor(n_maps=(4, 4), max_epochs=1)
    >>> [answer.shape for answer in network.fit(videos, spectra).predict(videos)]
    [(20, 4), (30, 4)]
    """

    _parameter_constraints: dict = {
        **_CONSTRAINTS,
        "lstm_units": _POSITIVE,
    }

    def __init__(
        self,
        *,
        n_maps: Sequence[int] = _MAPS,
        lstm_units: int = 320,
        kernel_size: int = 13,
        context_frames: int = 25,
        time_stride: int = 5,
        dropout: float = 0.3,
        max_epochs: int = 100,
        lr: float = 1e-3,
        batch_size: int = 128,
        optimizer: Any = "adam",
        weight_decay: float = 0.0,
        validation: Any = "auto",
        validation_fraction: float = 0.1,
        patience: int | None = 3,
        lr_patience: int | None = 2,
        max_grad_norm: float | None = None,
        standardize: str | None = None,
        device: str = "auto",
        precision: str = "float32",
        callbacks: Any = None,
        warm_start: bool = False,
        checkpoint_dir: Any = None,
        verbose: int = 0,
        random_state: Any = None,
    ):
        self.n_maps = n_maps
        self.lstm_units = lstm_units
        self.kernel_size = kernel_size
        self.context_frames = context_frames
        self.time_stride = time_stride
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.validation = validation
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.lr_patience = lr_patience
        self.max_grad_norm = max_grad_norm
        self.standardize = standardize
        self.device = device
        self.precision = precision
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.checkpoint_dir = checkpoint_dir
        self.verbose = verbose
        self.random_state = random_state

    def _make_network(self, layout: tuple[int, ...], n_outputs: int) -> UltrasoundNetwork:
        layers, (n_maps, _, *places) = self._convolutions(layout)
        return UltrasoundNetwork(
            layers,
            LastOutputs(n_maps * prod(places), self.lstm_units),
            2 * self.lstm_units,
            n_outputs=n_outputs,
            context_frames=self.context_frames,
        )


@partial(document_training, frames=True)
class Conv3DConvLSTMRegressor(NetworkRegressor):
    """3D convolutions and ConvLSTMs over ultrasound video (Table 1, the paper's best; Table 3).

    Parameters
    ----------
    layers : sequence of {"conv3d", "convlstm"}, default=("conv3d", "conv3d", "conv3d", "convlstm")
        From the input on; any order of any length, those of Table 3 among them. A network that
        begins with a ConvLSTM reads every frame of a window for itself, and takes its time.
    n_maps : sequence of int or None, default=None
        Maps of each layer. None takes 30, 60, 90 and 85, the last for all that follow, and 64 for a
        ConvLSTM at the end: Table 1's, where it has the order.
    peepholes : bool, default=False
        Whether the gates of the ConvLSTMs see the cell, as in the paper's figures; Keras', with
        which it was made, do not.
    kernel_size : int, default=13
        Rows and columns of the convolutions' kernels.
    context_frames : int, default=25
        Frames that are seen for each one, half of them before it; of an even number one more.
    time_stride : int, default=5
        Steps of the first convolution along time, whose kernel has five frames: with 5 they do not
        overlap, and answers to neighbouring frames share their work.
    dropout : float, default=0.35
        Share of the values dropped after each convolution.
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    See Also
    --------
    Conv3DRegressor : A dense layer joins the steps.
    Conv3DBiLSTMRegressor : An LSTM in both directions joins them.

    Notes
    -----
    Source: Shandiz and Tóth (2022), Table 1; see the module for what the paper leaves open.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.models import Conv3DConvLSTMRegressor
    >>> rng = np.random.default_rng(0)
    >>> videos = [rng.normal(size=(n, 16, 8)) for n in (20, 30)]  # frames, rows, columns
    >>> spectra = [video[:, :4, 0] for video in videos]
    >>> layers = ("conv3d", "convlstm")
    >>> network = Conv3DConvLSTMRegressor(layers=layers, n_maps=(4, 4), max_epochs=1)
    >>> [answer.shape for answer in network.fit(videos, spectra).predict(videos)]
    [(20, 4), (30, 4)]
    """

    _parameter_constraints: dict = {
        **_CONSTRAINTS,
        "layers": ["array-like"],
        "n_maps": ["array-like", None],
        "peepholes": ["boolean"],
    }

    def __init__(
        self,
        *,
        layers: Sequence[Layer] = ("conv3d", "conv3d", "conv3d", "convlstm"),
        n_maps: Sequence[int] | None = None,
        peepholes: bool = False,
        kernel_size: int = 13,
        context_frames: int = 25,
        time_stride: int = 5,
        dropout: float = 0.35,
        max_epochs: int = 100,
        lr: float = 1e-3,
        batch_size: int = 128,
        optimizer: Any = "adam",
        weight_decay: float = 0.0,
        validation: Any = "auto",
        validation_fraction: float = 0.1,
        patience: int | None = 3,
        lr_patience: int | None = 2,
        max_grad_norm: float | None = None,
        standardize: str | None = None,
        device: str = "auto",
        precision: str = "float32",
        callbacks: Any = None,
        warm_start: bool = False,
        checkpoint_dir: Any = None,
        verbose: int = 0,
        random_state: Any = None,
    ):
        self.layers = layers
        self.n_maps = n_maps
        self.peepholes = peepholes
        self.kernel_size = kernel_size
        self.context_frames = context_frames
        self.time_stride = time_stride
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.validation = validation
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.lr_patience = lr_patience
        self.max_grad_norm = max_grad_norm
        self.standardize = standardize
        self.device = device
        self.precision = precision
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.checkpoint_dir = checkpoint_dir
        self.verbose = verbose
        self.random_state = random_state

    def _make_network(self, layout: tuple[int, ...], n_outputs: int) -> UltrasoundNetwork:
        n_layers = len(self.layers)
        layers, shape = make_layers(
            (self.context_frames, *layout),
            layers=self.layers,
            n_maps=self._maps(),
            strides=[(2, 2)] * n_layers,
            pools=[(2, 1) if i == 1 and n_layers > 2 else None for i in range(n_layers)],
            kernel_size=self.kernel_size,
            time_stride=self.time_stride,
            dropout=self.dropout,
            peepholes=self.peepholes,
        )
        return UltrasoundNetwork(
            layers,
            nn.Flatten(),
            prod(shape),
            n_outputs=n_outputs,
            context_frames=self.context_frames,
        )

    def _maps(self) -> Sequence[int]:
        """Return the maps of each layer, and refuse layers that there are not."""
        unknown = [kind for kind in self.layers if kind not in ("conv3d", "convlstm")]
        if unknown or not len(self.layers):
            raise ValueError(
                f'layers is {self.layers!r}: name one or more of "conv3d" and "convlstm".'
            )
        if self.n_maps is None:
            by_place = [_MAPS[min(i, len(_MAPS) - 1)] for i in range(len(self.layers))]
            last = [_LAST_LSTM_MAPS] if self.layers[-1] == "convlstm" else by_place[-1:]
            return [*by_place[:-1], *last]
        n_maps = sizes("n_maps", self.n_maps)
        if len(n_maps) != len(self.layers):
            raise ValueError(
                f"n_maps has {len(n_maps)} numbers for {len(self.layers)} layers. Give one "
                "for each, or None."
            )
        return n_maps

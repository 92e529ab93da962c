"""A reconstruction of the network of Meyer, Xu and Fingscheidt (2021) from its abstract.

P. Meyer, Z. Xu, T. Fingscheidt, "Improving Convolutional Recurrent Neural Networks for Speech
Emotion Recognition", IEEE Spoken Language Technology Workshop, 2021.

The abstract names a CNN on log-mel spectrograms, a BLSTM and fully connected layers, and four
changes to them: kernels of several widths, a function that summarises the output of the BLSTM, an
enhanced feature representation and a training method. We have read no more than that: **every size,
and what each of the four is, is our choice**. What comes out reproduces nothing of the paper.
"""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import torch
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skspeech.base import NetworkClassifier
from skspeech.layers import (
    MaskedBatchNorm2d,
    MaskedConv2d,
    MaskedMaxPool2d,
    MaskedRecurrent,
    MaskedSequential,
    MaskedSummary,
)
from skspeech.layers.masked import FramewiseLayer
from skspeech.layers.summary import KINDS, Kind
from skspeech.models._sizes import sizes
from skspeech.preprocessing import Deltas, LogMelSpectrogram
from skspeech.training.parameters import TRAINING_CONSTRAINTS, document_training
from skspeech.training.scheme import TrainingScheme

__all__ = ["MultiKernelBLSTM", "MultiKernelBLSTMClassifier", "MultiKernelConv2d"]

_N_KERNEL_BINS = 5
# The last pool leaves time alone: the BLSTM reads a step every four frames.
_POOLS = ((2, 2), (2, 2), (2, 1))


class MultiKernelConv2d(FramewiseLayer, nn.Module):
    """Convolutions of several widths side by side, their maps one after another.

    Parameters
    ----------
    in_channels : int
    n_maps : int
        Maps of each width.
    n_bins : int
        Bins of every kernel.
    widths : sequence of int
        Frames of each kernel.

    Notes
    -----
    Input (n_recordings, in_channels, n_bins, n_frames), output
    (n_recordings, len(widths) * n_maps, n_bins, n_frames).

    Examples
    --------
    >>> import torch
    >>> from skspeech.models.multi_kernel_blstm import MultiKernelConv2d
    >>> conv = MultiKernelConv2d(3, 32, 5, (3, 7, 11, 15))
    >>> conv(torch.zeros(2, 3, 40, 9), torch.tensor([6, 9]))[0].shape
    torch.Size([2, 128, 40, 9])
    """

    def __init__(self, in_channels: int, n_maps: int, n_bins: int, widths: Sequence[int]):
        super().__init__()
        self.widths = nn.ModuleList(
            MaskedConv2d(in_channels, n_maps, (n_bins, width)) for width in widths
        )

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Convolve; see the class for the shapes."""
        return torch.cat([conv(x, lengths)[0] for conv in self.widths], 1), lengths


class MultiKernelBLSTM(nn.Module):
    """Convolutions of several widths, two more, a BLSTM, its summary and two dense layers.

    Parameters
    ----------
    layout : tuple of int
        ``(n_channels, n_bins)``.
    n_classes : int
    kernel_widths : sequence of int
        Frames of the kernels of the first layer.
    n_maps : sequence of int
        Maps of each width of the first layer, then of the second and the third.
    lstm_units : int
        In each direction.
    summary : {"last", "mean", "max", "statistics", "attention"}
        As in :class:`~skspeech.layers.MaskedSummary`.
    dense_units : int
    dropout : float

    Notes
    -----
    Input (n_recordings, n_channels, n_bins, n_frames), lengths (n_recordings,); output
    (n_recordings, n_classes), the logits. Each pool stands before its ReLU, which gives the same
    numbers as behind it.

    Examples
    --------
    >>> from skspeech.models.multi_kernel_blstm import MultiKernelBLSTM
    >>> network = MultiKernelBLSTM((3, 40), 4, kernel_widths=(3, 7, 11, 15), n_maps=(32, 64, 128),
    ...                            lstm_units=128, summary="statistics", dense_units=64,
    ...                            dropout=0.5)
    >>> network.summary.output_size, network.embedding_size
    (1024, 64)
    """

    def __init__(
        self,
        layout: tuple[int, ...],
        n_classes: int,
        *,
        kernel_widths: Sequence[int],
        n_maps: Sequence[int],
        lstm_units: int,
        summary: Kind,
        dense_units: int,
        dropout: float,
    ):
        super().__init__()
        n_channels, n_bins = layout
        first, second, third = n_maps
        joined = first * len(kernel_widths)
        convolutions: list[tuple[nn.Module, int]] = [
            (MultiKernelConv2d(n_channels, first, _N_KERNEL_BINS, kernel_widths), joined),
            (MaskedConv2d(joined, second, 3), second),
            (MaskedConv2d(second, third, 3), third),
        ]
        layers: list[nn.Module] = []
        for (convolution, n_out), pool in zip(convolutions, _POOLS, strict=True):
            layers += [convolution, MaskedBatchNorm2d(n_out), MaskedMaxPool2d(pool), nn.ReLU()]
        self.blocks = MaskedSequential(*layers)
        self.blstm = MaskedRecurrent(
            third * self.blocks.output_bins(n_bins), lstm_units, bidirectional=True
        )
        self.summary = MaskedSummary(2 * lstm_units, summary)
        self.embedding_size = dense_units
        self.dense = nn.Sequential(nn.Linear(self.summary.output_size, dense_units), nn.ReLU())
        self.dropout = nn.Dropout(dropout)
        self.classes = nn.Linear(dense_units, n_classes)

    def min_input_length(self) -> int:
        """Return the least number of frames that leaves the BLSTM one step."""
        return self.blocks.min_input_length()

    def embed(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the output of the dense layer, (n_recordings, dense_units)."""
        x, lengths = self.blocks(x, lengths)
        return self.dense(self.summary(*self.blstm(x.flatten(1, -2), lengths)))

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the logits, (n_recordings, n_classes)."""
        return self.classes(self.dropout(self.embed(x, lengths)))


@document_training
class MultiKernelBLSTMClassifier(NetworkClassifier):
    """A CNN of several kernel widths and a summarised BLSTM, after Meyer et al. (2021).

    **A reconstruction from the abstract**, which is all of the paper that we could read: the four
    parts are the paper's, what is in each of them is our choice, and results are not comparable.

    1. *Multi-kernel-width CNN*: the first layer has kernels of 5 bins and 3, 7, 11 and 15 frames
       side by side; layers of 3 x 3 follow. Off: ``kernel_widths=(9,), n_maps=(128, 64, 128)``, one
       width and as many weights.
    2. *Summary of the BLSTM's output*: mean, deviation, maximum and last outputs over the valid
       frames. Off: ``summary="last"``.
    3. *Enhanced features*: log-mel, delta and delta-delta as channels, made by :meth:`pipeline`.
       Off: the same pipeline without :class:`~skspeech.preprocessing.Deltas`.
    4. *Training method*: every class as often as the largest, crops of 3 s drawn anew in each
       epoch, and a learning rate that is halved on a plateau. Off: ``oversample=False,
       crop_frames=None, lr_patience=None``.

    With 3 channels of 40 bins and 4 classes it has 1,020,036 parameters.

    Parameters
    ----------
    kernel_widths : sequence of int, default=(3, 7, 11, 15)
        Frames of the kernels of the first layer.
    n_maps : sequence of 3 int, default=(32, 64, 128)
        Maps of each width of the first layer, and of the second and third layer. Pools of 2 x 2,
        2 x 2 and 2 x 1 (bins x frames) follow them; a recording of fewer than 4 frames is padded,
        once standardised, with zeros to 4.
    lstm_units : int, default=128
        Units of the BLSTM in each direction.
    summary : {"last", "mean", "max", "statistics", "attention"}, default="statistics"
        What is read of the BLSTM's output over time (:class:`~skspeech.layers.MaskedSummary`).
    dense_units : int, default=64
        Units of the dense layer: the size of the embedding.
    dropout : float, default=0.5
        Share of the embedding that training leaves out, in [0, 1).
    oversample : bool, default=True
        Whether an epoch reads recordings of rarer classes several times, so that every class has
        as many as the largest; the best epoch is then that of the highest unweighted accuracy,
        and ``class_weight="balanced"`` changes nothing more. Copies of a recording are of one
        length and so may meet in a batch.
    crop_frames : int or None, default=300
        Longer recordings are trained on as a run of so many frames, drawn anew in each epoch; they
        are answered whole. None trains on whole recordings, too.
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    Notes
    -----
    Reads spectrograms (n_channels, n_bins, n_frames) or (n_bins, n_frames) of any length, or bags
    of them. ``transform`` gives (n_recordings, dense_units).

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skspeech.datasets import load_japanese_vowels
    >>> from skspeech.models import MultiKernelBLSTMClassifier
    >>> from skspeech.preprocessing import Deltas
    >>> vowels = load_japanese_vowels()
    >>> network = MultiKernelBLSTMClassifier(n_maps=(2, 4, 4), lstm_units=4, max_epochs=1)
    >>> system = make_pipeline(Deltas(), network)
    >>> system.fit(vowels.data[::9], vowels.target[::9]).transform(vowels.data[:2]).shape
    (2, 64)
    """

    _input_kind = "spectrogram"
    _parameter_constraints: dict = {
        **TRAINING_CONSTRAINTS,
        "kernel_widths": ["array-like"],
        "n_maps": ["array-like"],
        "lstm_units": [Interval(Integral, 1, None, closed="left")],
        "summary": [StrOptions(set(KINDS))],
        "dense_units": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "oversample": ["boolean"],
        "crop_frames": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        *,
        kernel_widths: Sequence[int] = (3, 7, 11, 15),
        n_maps: Sequence[int] = (32, 64, 128),
        lstm_units: int = 128,
        summary: Kind = "statistics",
        dense_units: int = 64,
        dropout: float = 0.5,
        oversample: bool = True,
        crop_frames: int | None = 300,
        max_epochs: int = 100,
        lr: float = 1e-3,
        batch_size: int = 32,
        batch_frames: int | None = None,
        optimizer: Any = "adam",
        weight_decay: float = 0.0,
        class_weight: Any = None,
        validation: Any = "auto",
        validation_fraction: float = 0.1,
        patience: int | None = 10,
        lr_patience: int | None = 5,
        max_grad_norm: float | None = None,
        standardize: str | None = "bin",
        device: str = "auto",
        precision: str = "float32",
        callbacks: Any = None,
        warm_start: bool = False,
        checkpoint_dir: Any = None,
        verbose: int = 0,
        random_state: Any = None,
    ):
        self.kernel_widths = kernel_widths
        self.n_maps = n_maps
        self.lstm_units = lstm_units
        self.summary = summary
        self.dense_units = dense_units
        self.dropout = dropout
        self.oversample = oversample
        self.crop_frames = crop_frames
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.batch_frames = batch_frames
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.class_weight = class_weight
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

    def _make_network(self, layout: tuple[int, ...], n_classes: int) -> MultiKernelBLSTM:
        n_maps = sizes("n_maps", self.n_maps)
        if len(n_maps) != len(_POOLS):
            raise ValueError(
                f"n_maps is {self.n_maps!r}; expected {len(_POOLS)} integers, one a layer."
            )
        return MultiKernelBLSTM(
            layout,
            n_classes,
            kernel_widths=sizes("kernel_widths", self.kernel_widths),
            n_maps=n_maps,
            lstm_units=self.lstm_units,
            summary=self.summary,
            dense_units=self.dense_units,
            dropout=self.dropout,
        )

    def _training_scheme(self) -> TrainingScheme:
        return TrainingScheme(crop_frames=self.crop_frames, oversample=self.oversample)

    @classmethod
    def pipeline(cls, *, sample_rate: float = 16000) -> Pipeline:
        """Return the whole system: 40 log-mel bands with both deltas, and the network.

        Parameters
        ----------
        sample_rate : float, default=16000
            Samples per second of the waveforms, Hz.

        Returns
        -------
        Pipeline
        """
        spectrogram = LogMelSpectrogram(
            sample_rate=sample_rate,
            n_fft=round(0.025 * sample_rate),
            hop_length=round(0.01 * sample_rate),
            n_mels=40,
        )
        return make_pipeline(spectrogram, Deltas(), cls())

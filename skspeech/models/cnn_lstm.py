"""The 1D and 2D CNN LSTM networks of Zhao, Mao and Chen (2019).

J. Zhao, X. Mao, L. Chen, "Speech emotion recognition using deep 1D & 2D CNN LSTM networks",
Biomedical Signal Processing and Control 47, 312-323, 2019.

Both stack four local feature learning blocks (convolution, batch normalisation, ELU, max
pooling), one LSTM layer whose last output stands for the recording, and one layer for the
classes: Table 1 on waveforms, Table 2 on log-mel spectrograms.

What the paper leaves open is our choice: the optimiser (it was searched for and not
published), the learning rate, the batch size and the strength of the penalty on the kernels.
Its penalty on activities is left out.
"""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Literal

import torch
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skspeech.base import NetworkClassifier
from skspeech.layers import (
    MaskedBatchNorm1d,
    MaskedBatchNorm2d,
    MaskedConv1d,
    MaskedConv2d,
    MaskedMaxPool1d,
    MaskedMaxPool2d,
    MaskedRecurrent,
    MaskedSequential,
)
from skspeech.models._sizes import sizes
from skspeech.preprocessing import FixedDuration, LogMelSpectrogram
from skspeech.training.parameters import TRAINING_CONSTRAINTS, document_training

__all__ = ["CNNLSTM", "CNNLSTM1DClassifier", "CNNLSTM2DClassifier"]

Padding = Literal["valid", "same"]


class CNNLSTM(nn.Module):
    """Four local feature learning blocks, an LSTM and a layer for the classes.

    Parameters
    ----------
    layout : tuple of int
        ``(n_channels,)`` builds the 1D network, ``(n_channels, n_bins)`` the 2D one.
    n_classes : int
    n_maps : sequence of int
        Maps of each block's convolution.
    pool_sizes : sequence of int
        Size and stride of each block's pool; a pool wider than the frequency axis shrinks
        to it.
    lstm_units : int
    pool_padding : {"valid", "same"}
        Whether an incomplete pool at the end is dropped or kept.

    Notes
    -----
    Input (n_recordings, *layout, n_frames), lengths (n_recordings,); output
    (n_recordings, n_classes), the logits.

    Examples
    --------
    >>> from skspeech.models.cnn_lstm import CNNLSTM
    >>> network = CNNLSTM((1, 128), 7, n_maps=(64, 64, 128, 128), pool_sizes=(2, 4, 4, 4),
    ...                   lstm_units=256, pool_padding="valid")
    >>> sum(p.numel() for p in network.parameters()) - 1024  # torch's second LSTM bias
    655815
    """

    def __init__(
        self,
        layout: tuple[int, ...],
        n_classes: int,
        *,
        n_maps: Sequence[int],
        pool_sizes: Sequence[int],
        lstm_units: int,
        pool_padding: Padding,
    ):
        super().__init__()
        block = _block_1d if len(layout) == 1 else _block_2d
        channels = (layout[0], *n_maps[:-1])
        layers: list[nn.Module] = []
        for n_in, n_out, size in zip(channels, n_maps, pool_sizes, strict=True):
            layers += block(n_in, n_out, size, pool_padding)
        self.blocks = MaskedSequential(*layers)
        self.embedding_size = lstm_units
        n_bins = self.blocks.output_bins(layout[1]) if len(layout) == 2 else 1
        self.lstm = MaskedRecurrent(n_maps[-1] * n_bins, lstm_units, return_sequences=False)
        self.classes = nn.Linear(lstm_units, n_classes)

    def min_input_length(self) -> int:
        """Return the least number of frames or samples that leaves the LSTM one step."""
        return self.blocks.min_input_length()

    def embed(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the LSTM's last output, (n_recordings, lstm_units)."""
        x, lengths = self.blocks(x, lengths)
        return self.lstm(x.flatten(1, -2), lengths)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the logits, (n_recordings, n_classes)."""
        return self.classes(self.embed(x, lengths))


def _block_1d(n_in: int, n_out: int, pool_size: int, padding: Padding) -> list[nn.Module]:
    return [
        MaskedConv1d(n_in, n_out, 3),
        MaskedBatchNorm1d(n_out),
        nn.ELU(),
        MaskedMaxPool1d(pool_size, padding=padding),
    ]


def _block_2d(n_in: int, n_out: int, pool_size: int, padding: Padding) -> list[nn.Module]:
    return [
        MaskedConv2d(n_in, n_out, 3),
        MaskedBatchNorm2d(n_out),
        nn.ELU(),
        MaskedMaxPool2d(pool_size, padding=padding),
    ]


class _CNNLSTMClassifier(NetworkClassifier):
    """What both estimators share: the parameters of their network."""

    _parameter_constraints: dict = {
        **TRAINING_CONSTRAINTS,
        "n_maps": ["array-like"],
        "pool_sizes": ["array-like"],
        "lstm_units": [Interval(Integral, 1, None, closed="left")],
        "pool_padding": [StrOptions({"valid", "same"})],
    }

    n_maps: Sequence[int]
    pool_sizes: Sequence[int]
    lstm_units: int
    pool_padding: Padding

    def _make_network(self, layout: tuple[int, ...], n_classes: int) -> CNNLSTM:
        n_maps = sizes("n_maps", self.n_maps)
        pool_sizes = sizes("pool_sizes", self.pool_sizes)
        if len(n_maps) != len(pool_sizes):
            raise ValueError(
                f"n_maps and pool_sizes name one number a block, got {len(n_maps)} and "
                f"{len(pool_sizes)}. Make them equally long."
            )
        return CNNLSTM(
            layout,
            n_classes,
            n_maps=n_maps,
            pool_sizes=pool_sizes,
            lstm_units=self.lstm_units,
            pool_padding=self.pool_padding,
        )


@document_training
class CNNLSTM1DClassifier(_CNNLSTMClassifier):
    """The 1D CNN LSTM network of Zhao, Mao and Chen (2019), on waveforms.

    Table 1 of the paper: blocks of 64, 64, 128 and 128 maps of 3 samples, each pooled by 4, an
    LSTM of 256 units. 8 s at 16 kHz become 500 steps. With 7 classes it has 483,399
    trainable parameters, and 1,024 more in torch's second LSTM bias.

    Parameters
    ----------
    n_maps : sequence of int, default=(64, 64, 128, 128)
        Maps of each block.
    pool_sizes : sequence of int, default=(4, 4, 4, 4)
        Samples that each block's pool makes one; a waveform shorter than their product
        (256) is padded with zeros to it.
    lstm_units : int, default=256
        Units of the LSTM: the size of the embedding.
    pool_padding : {"valid", "same"}, default="valid"
        Whether an incomplete pool at the end is dropped or kept.
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    Notes
    -----
    Reads waveforms (n_samples,) of any length, or bags of them; the paper's are 8 s long
    (:class:`~skspeech.preprocessing.FixedDuration`). ``transform`` gives
    (n_recordings, lstm_units).

    Examples
    --------
    >>> from skspeech.datasets import load_voice_prompts
    >>> from skspeech.models import CNNLSTM1DClassifier
    >>> voices = load_voice_prompts()
    >>> network = CNNLSTM1DClassifier(n_maps=(4, 4, 4, 4), lstm_units=8, max_epochs=1)
    >>> network.fit(voices.data[::12], voices.target[::12]).predict_proba(voices.data[:2]).shape
    (2, 6)
    """

    _input_kind = "waveform"

    def __init__(
        self,
        *,
        n_maps: Sequence[int] = (64, 64, 128, 128),
        pool_sizes: Sequence[int] = (4, 4, 4, 4),
        lstm_units: int = 256,
        pool_padding: Padding = "valid",
        max_epochs: int = 100,
        lr: float = 1e-4,  # our choice, as is Adam
        batch_size: int = 32,
        batch_frames: int | None = None,
        optimizer: Any = "adam",
        weight_decay: float = 1e-4,
        class_weight: Any = None,
        validation: Any = "auto",
        validation_fraction: float = 0.1,
        patience: int | None = 8,
        lr_patience: int | None = None,
        max_grad_norm: float | None = None,
        standardize: str | None = "global",
        device: str = "auto",
        precision: str = "float32",
        callbacks: Any = None,
        warm_start: bool = False,
        checkpoint_dir: Any = None,
        verbose: int = 0,
        random_state: Any = None,
    ):
        self.n_maps = n_maps
        self.pool_sizes = pool_sizes
        self.lstm_units = lstm_units
        self.pool_padding = pool_padding
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

    @classmethod
    def pipeline(cls, *, sample_rate: float = 16000) -> Pipeline:
        """Return the paper's whole system: 8 s of each waveform, and the network.

        Parameters
        ----------
        sample_rate : float, default=16000
            Samples per second of the waveforms, Hz.

        Returns
        -------
        Pipeline
        """
        return make_pipeline(FixedDuration(duration=8.0, sample_rate=sample_rate), cls())


@document_training
class CNNLSTM2DClassifier(_CNNLSTMClassifier):
    """The 2D CNN LSTM network of Zhao, Mao and Chen (2019), on log-mel spectrograms.

    Table 2 of the paper: blocks of 64, 64, 128 and 128 maps of 3 x 3, pooled by 2, 4, 4 and
    4 along both axes, an LSTM of 256 units. With 7 classes and 128 bins it has 655,815
    trainable parameters, and 1,024 more in torch's second LSTM bias. Pools drop what is
    incomplete, as in Keras by default, so of 128 x 251 the LSTM sees a single step;
    ``pool_padding="same"`` leaves it two.

    Parameters
    ----------
    n_maps : sequence of int, default=(64, 64, 128, 128)
        Maps of each block.
    pool_sizes : sequence of int, default=(2, 4, 4, 4)
        Bins and frames that each block's pool makes one. A pool wider than the bins shrinks
        to them; a recording of fewer frames than the product (128) is padded, once
        standardised, with zeros to it.
    lstm_units : int, default=256
        Units of the LSTM: the size of the embedding.
    pool_padding : {"valid", "same"}, default="valid"
        Whether an incomplete pool at the end is dropped or kept.
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    Notes
    -----
    Reads spectrograms (n_bins, n_frames) or (n_channels, n_bins, n_frames) of any length, or
    bags of them; the paper's are 128 x 251. ``transform`` gives (n_recordings, lstm_units).

    Examples
    --------
    >>> from skspeech.datasets import load_japanese_vowels
    >>> from skspeech.models import CNNLSTM2DClassifier
    >>> vowels = load_japanese_vowels()
    >>> network = CNNLSTM2DClassifier(n_maps=(4, 4), pool_sizes=(2, 2), lstm_units=8, max_epochs=1)
    >>> network.fit(vowels.data[::9], vowels.target[::9]).transform(vowels.data[:2]).shape
    (2, 8)
    """

    _input_kind = "spectrogram"

    def __init__(
        self,
        *,
        n_maps: Sequence[int] = (64, 64, 128, 128),
        pool_sizes: Sequence[int] = (2, 4, 4, 4),
        lstm_units: int = 256,
        pool_padding: Padding = "valid",
        max_epochs: int = 100,
        lr: float = 1e-3,  # our choice, as is Adam
        batch_size: int = 32,
        batch_frames: int | None = None,
        optimizer: Any = "adam",
        weight_decay: float = 1e-4,
        class_weight: Any = None,
        validation: Any = "auto",
        validation_fraction: float = 0.1,
        patience: int | None = 8,
        lr_patience: int | None = None,
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
        self.n_maps = n_maps
        self.pool_sizes = pool_sizes
        self.lstm_units = lstm_units
        self.pool_padding = pool_padding
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

    @classmethod
    def pipeline(cls, *, sample_rate: float = 16000) -> Pipeline:
        """Return the paper's whole system: 8 s of each waveform, log-mel, and the network.

        Parameters
        ----------
        sample_rate : float, default=16000
            Samples per second of the waveforms, Hz.

        Returns
        -------
        Pipeline
        """
        return make_pipeline(
            FixedDuration(duration=8.0, sample_rate=sample_rate),
            LogMelSpectrogram(sample_rate=sample_rate),
            cls(),
        )

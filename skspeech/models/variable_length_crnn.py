"""The convolutional recurrent networks of Ma et al. (2018) and of Satt et al. (2017).

X. Ma, Z. Wu, J. Jia, M. Xu, H. Meng, L. Cai, "Emotion Recognition from Variable-Length Speech
Segments Using Deep Learning on Spectrograms", Interspeech, 2018, reads utterances as long as they
are: convolution and pooling leave padding out (section 4.2), and of a bidirectional recurrence the
last valid output of each direction stands for the utterance.

A. Satt, S. Rozenberg, R. Hoory, "Efficient Emotion Recognition from Speech Using Deep Learning on
Spectrograms", Interspeech, 2017, cuts utterances into pieces of 3 s and averages their posteriors.
It is what Ma et al. compare theirs with, also on their own network.

The layers of Ma et al. are drawn in a figure that their text does not hold. Ours are those of Satt
et al. (maps and kernels; our source is a public reimplementation, named in docs/ma2018.md), which
Ma et al. call similar to theirs, with a bidirectional recurrence. That, and all sizes from there
on, the optimiser, the schedule, dropout and clipping are our choice.
"""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal

import torch
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skspeech.base import NetworkClassifier
from skspeech.layers import MaskedConv2d, MaskedMaxPool2d, MaskedRecurrent, MaskedSequential
from skspeech.models._sizes import pairs_of_sizes, sizes
from skspeech.preprocessing import FixedDuration, LogPowerSpectrogram
from skspeech.training.parameters import TRAINING_CONSTRAINTS, document_training
from skspeech.training.scheme import TrainingScheme

__all__ = ["CRNN", "FixedLengthCRNNClassifier", "VariableLengthCRNNClassifier"]

Cell = Literal["gru", "lstm"]
Sizes = Sequence[int | tuple[int, int]]


class CRNN(nn.Module):
    """Convolutions and pools, a bidirectional recurrence and a layer for the classes.

    Parameters
    ----------
    layout : tuple of int
        ``(n_channels, n_bins)``.
    n_classes : int
    n_maps : sequence of int
        Maps of each convolution.
    kernel_sizes, pool_sizes : sequence of int or (int, int)
        Along (bins, frames), or one for both; a pool wider than the bins shrinks to them.
    cell : {"gru", "lstm"}
    recurrent_units : int
        In each direction.
    dropout : float
        Share of the embedding that training leaves out.

    Notes
    -----
    Input (n_recordings, n_channels, n_bins, n_frames), lengths (n_recordings,); output
    (n_recordings, n_classes), the logits. Each pool stands before its ReLU, which gives the same
    numbers as behind it and keeps a quarter of them.

    Examples
    --------
    >>> from skspeech.models.variable_length_crnn import CRNN
    >>> network = CRNN((1, 400), 4, n_maps=(16, 24, 32), kernel_sizes=((12, 16), (8, 12), (5, 7)),
    ...                pool_sizes=(2, 2, 2), cell="gru", recurrent_units=128, dropout=0.5)
    >>> [sum(p.numel() for p in part.parameters()) for part in (network.blocks, network.recurrent)]
    [66888, 1328640]
    """

    def __init__(
        self,
        layout: tuple[int, ...],
        n_classes: int,
        *,
        n_maps: Sequence[int],
        kernel_sizes: Sizes,
        pool_sizes: Sizes,
        cell: Cell,
        recurrent_units: int,
        dropout: float,
    ):
        super().__init__()
        n_channels, n_bins = layout
        layers: list[nn.Module] = []
        channels = (n_channels, *n_maps[:-1])
        for n_in, n_out, kernel, pool in zip(
            channels, n_maps, kernel_sizes, pool_sizes, strict=True
        ):
            layers += [MaskedConv2d(n_in, n_out, kernel), MaskedMaxPool2d(pool), nn.ReLU()]
        self.blocks = MaskedSequential(*layers)
        self.recurrent = MaskedRecurrent(
            n_maps[-1] * self.blocks.output_bins(n_bins),
            recurrent_units,
            cell=cell,
            bidirectional=True,
            return_sequences=False,
        )
        self.embedding_size = 2 * recurrent_units
        self.dropout = nn.Dropout(dropout)
        self.classes = nn.Linear(self.embedding_size, n_classes)

    def min_input_length(self) -> int:
        """Return the least number of frames that leaves the recurrence one step."""
        return self.blocks.min_input_length()

    def embed(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the last output of each direction, (n_recordings, 2 * recurrent_units)."""
        x, lengths = self.blocks(x, lengths)
        return self.recurrent(x.flatten(1, -2), lengths)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the logits, (n_recordings, n_classes)."""
        return self.classes(self.dropout(self.embed(x, lengths)))


class _CRNNClassifier(NetworkClassifier):
    """What both estimators share: their network and its parameters."""

    _input_kind = "spectrogram"
    _parameter_constraints: dict = {
        **TRAINING_CONSTRAINTS,
        "n_maps": ["array-like"],
        "kernel_sizes": ["array-like"],
        "pool_sizes": ["array-like"],
        "cell": [StrOptions({"gru", "lstm"})],
        "recurrent_units": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
    }

    n_maps: Sequence[int]
    kernel_sizes: Sizes
    pool_sizes: Sizes
    cell: Cell
    recurrent_units: int
    dropout: float

    def _make_network(self, layout: tuple[int, ...], n_classes: int) -> CRNN:
        n_maps = sizes("n_maps", self.n_maps)
        kernel_sizes = pairs_of_sizes("kernel_sizes", self.kernel_sizes)
        pool_sizes = pairs_of_sizes("pool_sizes", self.pool_sizes)
        numbers = [len(part) for part in (n_maps, kernel_sizes, pool_sizes)]
        if len(set(numbers)) > 1:
            raise ValueError(
                "n_maps, kernel_sizes and pool_sizes name one item a convolution, got "
                f"{', '.join(map(str, numbers))}. Make them equally long."
            )
        return CRNN(
            layout,
            n_classes,
            n_maps=n_maps,
            kernel_sizes=kernel_sizes,
            pool_sizes=pool_sizes,
            cell=self.cell,
            recurrent_units=self.recurrent_units,
            dropout=self.dropout,
        )


@document_training
class VariableLengthCRNNClassifier(_CRNNClassifier):
    """The network of Ma et al. (2018) for utterances as long as they are.

    The paper draws its layers in a figure that its text does not hold. The sizes here are our
    choice, after Satt et al. (2017); docs/ma2018.md says which and why. Convolutions of 16 maps of
    12 x 16 (bins x frames), 24 of 8 x 12 and 32 of 5 x 7, each pooled by 2 x 2, and a bidirectional
    recurrence of 128 units a direction, of which the last valid output of each direction stands
    for the utterance. With 400 bins, GRU cells and 4 classes it has 1,396,556 parameters. The loss
    of an utterance is weighted by the inverse of its length and of the size of its class.

    Parameters
    ----------
    n_maps : sequence of int, default=(16, 24, 32)
        Maps of each convolution.
    kernel_sizes : sequence of int or (int, int), default=((12, 16), (8, 12), (5, 7))
        Bins and frames of each kernel, or one for both. Of an even number the smaller half lies
        before the centre.
    pool_sizes : sequence of int or (int, int), default=(2, 2, 2)
        Bins and frames that each pool makes one. What is incomplete at the end is dropped; a pool
        wider than the bins shrinks to them; an utterance of fewer frames than their product (8) is
        padded, once standardised, with zeros to it.
    cell : {"gru", "lstm"}, default="gru"
        Kind of recurrence; the paper says "recurrent neural network".
    recurrent_units : int, default=128
        Units in each direction: half the size of the embedding.
    dropout : float, default=0.5
        Share of the embedding that training leaves out, in [0, 1).
    length_weighted : bool, default=True
        Whether the loss of an utterance is weighted by the inverse of its length (section 4.2).
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    See Also
    --------
    FixedLengthCRNNClassifier : The same network on pieces of 3 s.

    Notes
    -----
    Reads spectrograms (n_bins, n_frames) or (n_channels, n_bins, n_frames) of any length, or bags
    of them; the paper's have 400 bins (:class:`~skspeech.preprocessing.LogPowerSpectrogram`).
    ``transform`` gives (n_recordings, 2 * recurrent_units).

    Of a bag, the lengths of its segments weigh, not their sum.

    The paper pads nothing when it predicts. Here utterances of like lengths are answered together,
    and the answers are those without padding: within 1e-5 in float32.

    Examples
    --------
    >>> from skspeech.datasets import load_voice_prompts
    >>> from skspeech.models import VariableLengthCRNNClassifier
    >>> from skspeech.preprocessing import LogPowerSpectrogram
    >>> voices = load_voice_prompts()
    >>> data = LogPowerSpectrogram(sample_rate=8000).fit_transform(voices.data[::12])
    >>> network = VariableLengthCRNNClassifier(n_maps=(2, 2, 2), recurrent_units=4, max_epochs=1)
    >>> network.fit(data, voices.target[::12]).transform(data[:2]).shape
    (2, 8)
    """

    _parameter_constraints: dict = {
        **_CRNNClassifier._parameter_constraints,
        "length_weighted": ["boolean"],
    }

    def __init__(
        self,
        *,
        n_maps: Sequence[int] = (16, 24, 32),
        kernel_sizes: Sizes = ((12, 16), (8, 12), (5, 7)),
        pool_sizes: Sizes = (2, 2, 2),
        cell: Cell = "gru",
        recurrent_units: int = 128,
        dropout: float = 0.5,
        length_weighted: bool = True,
        max_epochs: int = 100,
        lr: float = 1e-3,
        batch_size: int = 32,
        batch_frames: int | None = 9600,  # 31 utterances of 3 s
        optimizer: Any = "adam",
        weight_decay: float = 0.0,
        class_weight: Any = "balanced",
        validation: Any = "auto",
        validation_fraction: float = 0.1,
        patience: int | None = 10,
        lr_patience: int | None = 5,
        max_grad_norm: float | None = 5.0,
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
        self.kernel_sizes = kernel_sizes
        self.pool_sizes = pool_sizes
        self.cell = cell
        self.recurrent_units = recurrent_units
        self.dropout = dropout
        self.length_weighted = length_weighted
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

    def _training_scheme(self) -> TrainingScheme:
        return TrainingScheme(length_weighted=self.length_weighted)

    @classmethod
    def pipeline(cls, *, sample_rate: float = 16000) -> Pipeline:
        """Return the paper's whole system: the log-power spectrogram below 4 kHz, and the network.

        Parameters
        ----------
        sample_rate : float, default=16000
            Samples per second of the waveforms, Hz. Below 8,000 the bins end at half of it.

        Returns
        -------
        Pipeline
        """
        return make_pipeline(_spectrogram(sample_rate), cls())


@document_training
class FixedLengthCRNNClassifier(_CRNNClassifier):
    """The network of Ma et al. (2018) on pieces of 3 s, as Satt et al. (2017) cut them.

    An utterance is a bag of the fewest equally long pieces of at most 3 s, filled up to 3 s; each
    has its label and counts as one sample in training, and the posterior of the utterance is the
    mean over its pieces. The network and its training are those of
    :class:`VariableLengthCRNNClassifier`, so that the two differ in what they read and in how it is
    weighted. It stands for the row "Fixed-Length" of Ma et al., Table 1.

    Parameters
    ----------
    n_maps : sequence of int, default=(16, 24, 32)
        Maps of each convolution.
    kernel_sizes : sequence of int or (int, int), default=((12, 16), (8, 12), (5, 7))
        Bins and frames of each kernel, or one for both. Of an even number the smaller half lies
        before the centre.
    pool_sizes : sequence of int or (int, int), default=(2, 2, 2)
        Bins and frames that each pool makes one. What is incomplete at the end is dropped; a pool
        wider than the bins shrinks to them; a piece of fewer frames than their product (8) is
        padded, once standardised, with zeros to it.
    cell : {"gru", "lstm"}, default="gru"
        Kind of recurrence; Satt et al. have LSTM cells.
    recurrent_units : int, default=128
        Units in each direction: half the size of the embedding.
    dropout : float, default=0.5
        Share of the embedding that training leaves out, in [0, 1).
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    See Also
    --------
    VariableLengthCRNNClassifier : The same network on whole utterances.

    Notes
    -----
    Reads bags of spectrograms (n_bins, n_frames) or (n_channels, n_bins, n_frames), or
    spectrograms, of any length; :meth:`pipeline` makes pieces of 3 s. ``transform`` gives
    (n_recordings, 2 * recurrent_units), the mean over the pieces.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skspeech.datasets import load_voice_prompts
    >>> from skspeech.models import FixedLengthCRNNClassifier
    >>> from skspeech.preprocessing import FixedDuration, LogPowerSpectrogram
    >>> voices = load_voice_prompts()
    >>> system = make_pipeline(
    ...     FixedDuration(duration=1.0, sample_rate=8000, long="split"),
    ...     LogPowerSpectrogram(sample_rate=8000),
    ...     FixedLengthCRNNClassifier(n_maps=(2, 2, 2), recurrent_units=4, max_epochs=1),
    ... )
    >>> system.fit(voices.data[::12], voices.target[::12]).predict_proba(voices.data[:2]).shape
    (2, 6)
    """

    def __init__(
        self,
        *,
        n_maps: Sequence[int] = (16, 24, 32),
        kernel_sizes: Sizes = ((12, 16), (8, 12), (5, 7)),
        pool_sizes: Sizes = (2, 2, 2),
        cell: Cell = "gru",
        recurrent_units: int = 128,
        dropout: float = 0.5,
        max_epochs: int = 100,
        lr: float = 1e-3,
        batch_size: int = 32,
        batch_frames: int | None = 9600,
        optimizer: Any = "adam",
        weight_decay: float = 0.0,
        class_weight: Any = "balanced",
        validation: Any = "auto",
        validation_fraction: float = 0.1,
        patience: int | None = 10,
        lr_patience: int | None = 5,
        max_grad_norm: float | None = 5.0,
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
        self.kernel_sizes = kernel_sizes
        self.pool_sizes = pool_sizes
        self.cell = cell
        self.recurrent_units = recurrent_units
        self.dropout = dropout
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

    def _training_scheme(self) -> TrainingScheme:
        return TrainingScheme(unit="segment")

    @classmethod
    def pipeline(cls, *, sample_rate: float = 16000) -> Pipeline:
        """Return the whole system: pieces of 3 s, their log-power spectrograms, and the network.

        Parameters
        ----------
        sample_rate : float, default=16000
            Samples per second of the waveforms, Hz. Below 8,000 the bins end at half of it.

        Returns
        -------
        Pipeline
        """
        return make_pipeline(
            FixedDuration(duration=3.0, sample_rate=sample_rate, long="split"),
            _spectrogram(sample_rate),
            cls(),
        )


def _spectrogram(sample_rate: float) -> LogPowerSpectrogram:
    """Return the paper's front end: 40 ms every 10 ms, bins of 10 Hz (section 4.1)."""
    return LogPowerSpectrogram(
        sample_rate=sample_rate,
        win_length=round(0.04 * sample_rate),
        hop_length=round(0.01 * sample_rate),
        n_fft=round(0.1 * sample_rate),
        f_max=min(4000.0, sample_rate / 2),
    )

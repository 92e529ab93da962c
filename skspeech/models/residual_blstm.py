"""The Residual-BLSTM of Arronte Alvarez and Gómez-Martín (2020), their own network.

A. Arronte Alvarez, F. Gómez-Martín, "Singer Identification Using Convolutional Acoustic Motif
Embeddings", arXiv:2008.00198, 2020, section 3.2 and Figure 2. Sizes that the text leaves open are
those of the authors' code (aitor-mir/deep-flamenco), but for the units of the BLSTM: it has 1,000 a
direction, and here 512 are the default.

Where the code departs from the text, the text is followed, but for two things: the convolution with
steps of 2 stands before the residual blocks, as in the code, where the text has it in the first of
them; and of the two directions' outputs the last ones make the embedding, where the text can be
read as all of them, which the code lays side by side. The kernels of its residual blocks are
1 x 1, for a stride stands where the kernel size belongs; the text's are 3 x 3. Its BLSTM goes along
the maps, the text's along the frames.
"""

from typing import Any

import torch
from torch import nn

from skspeech.layers import (
    MaskedBatchNorm2d,
    MaskedConv2d,
    MaskedRecurrent,
    MaskedResidual,
    MaskedSequential,
)
from skspeech.models._motifs import POSITIVE, MotifClassifier, MotifNetwork, make_head
from skspeech.training.parameters import document_training

__all__ = ["ResidualBLSTM", "ResidualBLSTMClassifier"]


class ResidualBLSTM(MotifNetwork):
    """A convolution, residual blocks, a BLSTM along the frames and two dense layers.

    Parameters
    ----------
    layout : tuple of int
        ``(n_channels, n_bins)``.
    n_classes : int
    n_maps : int
        Maps of every convolution.
    n_blocks : int
        Residual blocks.
    average_bins : bool
        Whether the BLSTM reads the mean of each map over its bins, not all of them.
    lstm_units : int
        In each direction.
    dense_units : int
    min_frames : int or None

    Notes
    -----
    Input (n_recordings, n_channels, n_bins, n_frames), lengths (n_recordings,); output
    (n_recordings, n_classes), the logits.

    Examples
    --------
    >>> from skspeech.models.residual_blstm import ResidualBLSTM
    >>> network = ResidualBLSTM((1, 128), 5, n_maps=128, n_blocks=2, average_bins=False,
    ...                         lstm_units=512, dense_units=1024, min_frames=None)
    >>> [sum(p.numel() for p in layer.parameters()) for layer in network.blocks]
    [1280, 256, 0, 295680, 295680]
    """

    def __init__(
        self,
        layout: tuple[int, ...],
        n_classes: int,
        *,
        n_maps: int,
        n_blocks: int,
        average_bins: bool,
        lstm_units: int,
        dense_units: int,
        min_frames: int | None,
    ):
        super().__init__()
        n_channels, n_bins = layout
        self.blocks = MaskedSequential(
            MaskedConv2d(n_channels, n_maps, 3, stride=2),
            MaskedBatchNorm2d(n_maps),
            nn.ReLU(),
            *(_residual(n_maps) for _ in range(n_blocks)),
        )
        self.average_bins = average_bins
        n_read = 1 if average_bins else self.blocks.output_bins(n_bins)
        self.blstm = MaskedRecurrent(
            n_maps * n_read, lstm_units, bidirectional=True, return_sequences=False
        )
        self.embedding_size = 2 * lstm_units
        self.head = make_head(self.embedding_size, dense_units, n_classes)
        self.min_frames = min_frames

    def embed(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the last output of each direction, (n_recordings, 2 * lstm_units)."""
        x, lengths = self.blocks(x, lengths)
        return self.blstm(x.mean(2) if self.average_bins else x.flatten(1, -2), lengths)


def _residual(n_maps: int) -> MaskedResidual:
    """Return a basic residual block, which leaves maps, bins and frames as many as they are."""
    return MaskedResidual(
        MaskedSequential(
            MaskedConv2d(n_maps, n_maps, 3),
            MaskedBatchNorm2d(n_maps),
            nn.ReLU(),
            MaskedConv2d(n_maps, n_maps, 3),
            MaskedBatchNorm2d(n_maps),
        )
    )


@document_training
class ResidualBLSTMClassifier(MotifClassifier):
    """The Residual-BLSTM of Arronte Alvarez and Gómez-Martín (2020), for motifs of the voice.

    A convolution of 128 maps of 3 x 3 by steps of 2, two residual blocks of two convolutions of
    3 x 3, a BLSTM along the frames, whose last forward and last backward output, side by side, are
    the acoustic motif embedding, a layer of 1,024, and the classes. With 128 bins and 5 classes it
    has 37,307,397 parameters, 35.7 million of them in the BLSTM.

    Parameters
    ----------
    n_maps : int, default=128
        Maps of every convolution.
    n_blocks : int, default=2
        Residual blocks.
    average_bins : bool, default=False
        Whether the BLSTM reads the mean of each map over its bins, `n_maps` numbers a frame, and
        not all of them (8,192 of 128 bins), which most of the weights are for.
    lstm_units : int, default=512
        Units of the BLSTM in each direction: half the size of the embedding. The paper does not
        say how many (our choice); the authors' code has 1,000.
    dense_units : int, default=1024
        Units of the layer between the embedding and the classes.
    min_frames : int or None, default=None
        A shorter segment is padded, once standardised, with zeros to so many frames and counts as
        that long; `batch_frames` does not count them. The paper's are all padded, to 426. None
        leaves segments as they are.
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    See Also
    --------
    CRNNClassifier, Residual50Classifier : The paper's other two networks.

    Notes
    -----
    Reads spectrograms (n_bins, n_frames) or (n_channels, n_bins, n_frames) of any length and any
    number of bins, or bags of them, such as :class:`~skspeech.preprocessing.MotifExtractor` gives.
    ``transform`` gives (n_recordings, 2 * lstm_units).

    Examples
    --------
    >>> from skspeech.datasets import load_japanese_vowels
    >>> from skspeech.models import ResidualBLSTMClassifier
    >>> vowels = load_japanese_vowels()
    >>> network = ResidualBLSTMClassifier(n_maps=4, lstm_units=8, max_epochs=1)
    >>> network.fit(vowels.data[::9], vowels.target[::9]).transform(vowels.data[:2]).shape
    (2, 16)
    """

    _parameter_constraints: dict = {
        **MotifClassifier._parameter_constraints,
        "n_maps": POSITIVE,
        "n_blocks": POSITIVE,
        "average_bins": ["boolean"],
        "lstm_units": POSITIVE,
    }

    def __init__(
        self,
        *,
        n_maps: int = 128,
        n_blocks: int = 2,
        average_bins: bool = False,
        lstm_units: int = 512,
        dense_units: int = 1024,
        min_frames: int | None = None,
        max_epochs: int = 20,
        lr: float = 1e-3,
        batch_size: int = 64,
        batch_frames: int | None = None,
        optimizer: Any = "adam",
        weight_decay: float = 0.0,
        class_weight: Any = None,
        validation: Any = "auto",
        validation_fraction: float = 0.1,
        patience: int | None = 2,
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
        self.n_blocks = n_blocks
        self.average_bins = average_bins
        self.lstm_units = lstm_units
        self.dense_units = dense_units
        self.min_frames = min_frames
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

    def _make_network(self, layout: tuple[int, ...], n_classes: int) -> ResidualBLSTM:
        return ResidualBLSTM(
            layout,
            n_classes,
            n_maps=self.n_maps,
            n_blocks=self.n_blocks,
            average_bins=self.average_bins,
            lstm_units=self.lstm_units,
            dense_units=self.dense_units,
            min_frames=self.min_frames,
        )

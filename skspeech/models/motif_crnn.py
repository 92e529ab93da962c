"""The convolutional recurrent network of Arronte Alvarez and Gómez-Martín (2020).

A. Arronte Alvarez, F. Gómez-Martín, "Singer Identification Using Convolutional Acoustic Motif
Embeddings", arXiv:2008.00198, 2020, take it for a baseline: an architecture for tagging music by
K. Choi, G. Fazekas, M. Sandler, K. Cho, "Convolutional recurrent neural networks for music
classification", ICASSP, 2017, with layers of their own. Sizes that the text leaves open are those
of the authors' code (aitor-mir/deep-flamenco).

Three things differ. Kernels see zeros beyond the edges: without, 40 MFCCs would not last through
the four blocks. Of the recurrence the last output stands for the segment, where the code lays all
of them side by side, which only segments of one length allow. And it has the 1,024 units before the
classes that the text gives all networks and the code does not have.
"""

from collections.abc import Sequence
from numbers import Real
from typing import Any, Literal

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skspeech.layers import (
    MaskedBatchNorm2d,
    MaskedConv2d,
    MaskedMaxPool2d,
    MaskedRecurrent,
    MaskedSequential,
)
from skspeech.models._motifs import POSITIVE, MotifClassifier, MotifNetwork, make_head
from skspeech.models._sizes import sizes
from skspeech.training.parameters import document_training

__all__ = ["CRNNClassifier", "MotifCRNN"]

Padding = Literal["valid", "same"]


class MotifCRNN(MotifNetwork):
    """Blocks of convolution, normalisation, ELU, pool and dropout; a GRU; two dense layers.

    Parameters
    ----------
    layout : tuple of int
        ``(n_channels, n_bins)``.
    n_classes : int
    n_maps : sequence of int
        Maps of each block. Convolution and pool go by steps of 2 in the first block, of 1 in the
        others; kernels and pools are 3 x 3.
    pool_padding : {"valid", "same"}
        Whether an incomplete pool at the end is dropped or kept.
    dropout : float
        Share that each block leaves out in training.
    gru_units, gru_layers, dense_units : int
    min_frames : int or None

    Notes
    -----
    Input (n_recordings, n_channels, n_bins, n_frames), lengths (n_recordings,); output
    (n_recordings, n_classes), the logits.

    Examples
    --------
    >>> from skspeech.models.motif_crnn import MotifCRNN
    >>> network = MotifCRNN((1, 128), 5, n_maps=(128, 128, 128, 128), pool_padding="valid",
    ...                     dropout=0.1, gru_units=256, gru_layers=2, dense_units=1024,
    ...                     min_frames=None)
    >>> network.blocks.output_bins(128), network.blocks.output_lengths(426)
    (25, 100)
    """

    def __init__(
        self,
        layout: tuple[int, ...],
        n_classes: int,
        *,
        n_maps: Sequence[int],
        pool_padding: Padding,
        dropout: float,
        gru_units: int,
        gru_layers: int,
        dense_units: int,
        min_frames: int | None,
    ):
        super().__init__()
        n_channels, n_bins = layout
        layers: list[nn.Module] = []
        for i, (n_in, n_out) in enumerate(zip((n_channels, *n_maps[:-1]), n_maps, strict=True)):
            stride = 1 if i else 2
            layers += [
                MaskedConv2d(n_in, n_out, 3, stride=stride),
                MaskedBatchNorm2d(n_out),
                nn.ELU(),
                MaskedMaxPool2d(3, stride, padding=pool_padding),
                nn.Dropout(dropout),
            ]
        self.blocks = MaskedSequential(*layers)
        self.gru = MaskedRecurrent(
            n_maps[-1] * self.blocks.output_bins(n_bins),
            gru_units,
            cell="gru",
            num_layers=gru_layers,
            return_sequences=False,
        )
        self.embedding_size = gru_units
        self.head = make_head(gru_units, dense_units, n_classes)
        self.min_frames = min_frames

    def embed(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the upper GRU layer's last valid output, (n_recordings, gru_units)."""
        x, lengths = self.blocks(x, lengths)
        return self.gru(x.flatten(1, -2), lengths)


@document_training
class CRNNClassifier(MotifClassifier):
    """The CRNN of Arronte Alvarez and Gómez-Martín (2020), after Choi et al. (2017).

    Four blocks of 128 maps, each a convolution of 3 x 3, batch normalisation, ELU, a pool of 3 x 3
    and dropout of 0.1; the first goes by steps of 2 in convolution and pool, so that it leaves a
    fourth of bins and frames. Two GRU layers of 256 units, a layer of 1,024, and the classes. With
    128 bins and 5 classes it has 3,763,845 parameters; 128 x 426 become 100 steps of 128 x 25.

    Parameters
    ----------
    n_maps : sequence of int, default=(128, 128, 128, 128)
        Maps of each block.
    pool_padding : {"valid", "same"}, default="valid"
        Whether an incomplete pool at the end is dropped, as in the authors' code, or kept. Four
        blocks that drop leave 29 frames one step and need as many; with "same" any number will do,
        and 24 frames, the median of the authors' motifs, become 6 steps.
    dropout : float, default=0.1
        Share of each block's output that training leaves out, in [0, 1).
    gru_units : int, default=256
        Units of each GRU layer: the size of the embedding.
    gru_layers : int, default=2
        GRU layers on top of each other.
    dense_units : int, default=1024
        Units of the layer between the embedding and the classes.
    min_frames : int or None, default=None
        A shorter segment is padded, once standardised, with zeros to so many frames and counts as
        that long; `batch_frames` does not count them. The paper's are all padded, to 426. None
        pads to what the pools need, 29 by default.
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    See Also
    --------
    Residual50Classifier, ResidualBLSTMClassifier : The paper's other two networks.

    Notes
    -----
    Reads spectrograms (n_bins, n_frames) or (n_channels, n_bins, n_frames) of any length and any
    number of bins, or bags of them, such as :class:`~skspeech.preprocessing.MotifExtractor` gives;
    a pool wider than the bins shrinks to them. ``transform`` gives (n_recordings, gru_units), the
    last valid output of the upper GRU layer.

    Examples
    --------
    >>> from skspeech.datasets import load_japanese_vowels
    >>> from skspeech.models import CRNNClassifier
    >>> vowels = load_japanese_vowels()
    >>> network = CRNNClassifier(n_maps=(4, 4), gru_units=8, max_epochs=1)
    >>> network.fit(vowels.data[::9], vowels.target[::9]).transform(vowels.data[:2]).shape
    (2, 8)
    """

    _parameter_constraints: dict = {
        **MotifClassifier._parameter_constraints,
        "n_maps": ["array-like"],
        "pool_padding": [StrOptions({"valid", "same"})],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "gru_units": POSITIVE,
        "gru_layers": POSITIVE,
    }

    def __init__(
        self,
        *,
        n_maps: Sequence[int] = (128, 128, 128, 128),
        pool_padding: Padding = "valid",
        dropout: float = 0.1,
        gru_units: int = 256,
        gru_layers: int = 2,
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
        self.pool_padding = pool_padding
        self.dropout = dropout
        self.gru_units = gru_units
        self.gru_layers = gru_layers
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

    def _make_network(self, layout: tuple[int, ...], n_classes: int) -> MotifCRNN:
        return MotifCRNN(
            layout,
            n_classes,
            n_maps=sizes("n_maps", self.n_maps),
            pool_padding=self.pool_padding,
            dropout=self.dropout,
            gru_units=self.gru_units,
            gru_layers=self.gru_layers,
            dense_units=self.dense_units,
            min_frames=self.min_frames,
        )

"""ResNet-50 on spectrograms, as Arronte Alvarez and Gómez-Martín (2020) change it.

A. Arronte Alvarez, F. Gómez-Martín, "Singer Identification Using Convolutional Acoustic Motif
Embeddings", arXiv:2008.00198, 2020, take the network of K. He, X. Zhang, S. Ren, J. Sun, "Deep
residual learning for image recognition", CVPR, 2016, Table 1, and make its first convolution one of
3 x 3 without a stride.

The authors' code (aitor-mir/deep-flamenco) begins with the weights of ImageNet and puts a
convolution of 128 maps before the network. Here weights are drawn at random, as He et al. draw
them, and there is nothing before the network, as in the text.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from skspeech.layers import (
    MaskedBatchNorm2d,
    MaskedConv2d,
    MaskedMaxPool2d,
    MaskedResidual,
    MaskedSequential,
    MaskedSummary,
)
from skspeech.models._motifs import POSITIVE, MotifClassifier, MotifNetwork, make_head
from skspeech.models._sizes import sizes
from skspeech.training.parameters import document_training

__all__ = ["Residual50", "Residual50Classifier"]

_EXPANSION = 4  # maps that a bottleneck gives for each that its 3 x 3 convolution has


class Residual50(MotifNetwork):
    """A convolution, a pool, stages of bottleneck blocks, the global mean and two dense layers.

    Parameters
    ----------
    layout : tuple of int
        ``(n_channels, n_bins)``.
    n_classes : int
    n_maps : int
        Maps of the first convolution and of the 3 x 3 convolutions of the first stage; each further
        stage has twice as many.
    n_blocks : sequence of int
        Blocks of each stage. The first block of each stage but the first goes by steps of 2.
    dense_units : int
    min_frames : int or None

    Notes
    -----
    Input (n_recordings, n_channels, n_bins, n_frames), lengths (n_recordings,); output
    (n_recordings, n_classes), the logits. As in torchvision, the 3 x 3 convolution of a block has
    its stride. The pool's windows begin at the first bin and frame, torchvision's one before.

    Examples
    --------
    >>> from skspeech.models.residual50 import Residual50
    >>> network = Residual50((1, 128), 5, n_maps=64, n_blocks=(3, 4, 6, 3), dense_units=1024,
    ...                      min_frames=None)
    >>> sum(p.numel() for p in network.blocks.parameters())  # ResNet-50: 23508032, 7 x 7 x 3 first
    23499200
    """

    def __init__(
        self,
        layout: tuple[int, ...],
        n_classes: int,
        *,
        n_maps: int,
        n_blocks: Sequence[int],
        dense_units: int,
        min_frames: int | None,
    ):
        super().__init__()
        layers: list[nn.Module] = [
            *_conv_norm(layout[0], n_maps, 3),
            nn.ReLU(),
            MaskedMaxPool2d(3, 2, padding="same"),
        ]
        n_in = n_maps
        for stage, n in enumerate(n_blocks):
            n_inner = n_maps * 2**stage
            for i in range(n):
                layers.append(_bottleneck(n_in, n_inner, 2 if stage and not i else 1))
                n_in = _EXPANSION * n_inner
        self.blocks = MaskedSequential(*layers)
        for layer in self.blocks.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        self.mean = MaskedSummary(n_in, "mean")
        self.embedding_size = n_in
        self.head = make_head(n_in, dense_units, n_classes)
        self.min_frames = min_frames

    def embed(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the mean over bins and valid frames, (n_recordings, embedding_size)."""
        x, lengths = self.blocks(x, lengths)
        return self.mean(x.mean(2), lengths)


def _bottleneck(n_in: int, n_inner: int, stride: int) -> MaskedResidual:
    """Return convolutions of 1 x 1, 3 x 3 and 1 x 1 beside a shortcut."""
    n_out = _EXPANSION * n_inner
    body = MaskedSequential(
        *_conv_norm(n_in, n_inner, 1),
        nn.ReLU(),
        *_conv_norm(n_inner, n_inner, 3, stride),
        nn.ReLU(),
        *_conv_norm(n_inner, n_out, 1),
    )
    if stride == 1 and n_in == n_out:
        return MaskedResidual(body)
    return MaskedResidual(body, MaskedSequential(*_conv_norm(n_in, n_out, 1, stride)))


def _conv_norm(n_in: int, n_out: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """Return a convolution and the normalisation that makes its bias needless."""
    return [
        MaskedConv2d(n_in, n_out, kernel, stride=stride, bias=False),
        MaskedBatchNorm2d(n_out),
    ]


@document_training
class Residual50Classifier(MotifClassifier):
    """The Residual50 of Arronte Alvarez and Gómez-Martín (2020): ResNet-50 for spectrograms.

    A convolution of 64 maps of 3 x 3 without a stride, a pool of 3 x 3 by steps of 2, bottleneck
    blocks (3, 4, 6 and 3 in four stages), the mean over bins and valid frames, a layer of 1,024,
    and the classes. With one channel and 5 classes it has 25,602,501 parameters, drawn at random;
    the authors' code begins with those of ImageNet.

    Parameters
    ----------
    n_maps : int, default=64
        Maps of the first convolution and of the 3 x 3 convolutions of the first stage; each further
        stage has twice as many.
    n_blocks : sequence of int, default=(3, 4, 6, 3)
        Bottleneck blocks of each stage.
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
    CRNNClassifier, ResidualBLSTMClassifier : The paper's other two networks.

    Notes
    -----
    Reads spectrograms (n_bins, n_frames) or (n_channels, n_bins, n_frames) of any length and any
    number of bins, or bags of them, such as :class:`~skspeech.preprocessing.MotifExtractor` gives.
    ``transform`` gives the mean over bins and frames, (n_recordings, 2048) with the default sizes.

    Examples
    --------
    >>> from skspeech.datasets import load_japanese_vowels
    >>> from skspeech.models import Residual50Classifier
    >>> vowels = load_japanese_vowels()
    >>> network = Residual50Classifier(n_maps=2, n_blocks=(1, 1), dense_units=8, max_epochs=1)
    >>> network.fit(vowels.data[::9], vowels.target[::9]).transform(vowels.data[:2]).shape
    (2, 16)
    """

    _parameter_constraints: dict = {
        **MotifClassifier._parameter_constraints,
        "n_maps": POSITIVE,
        "n_blocks": ["array-like"],
    }

    def __init__(
        self,
        *,
        n_maps: int = 64,
        n_blocks: Sequence[int] = (3, 4, 6, 3),
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

    def _make_network(self, layout: tuple[int, ...], n_classes: int) -> Residual50:
        return Residual50(
            layout,
            n_classes,
            n_maps=self.n_maps,
            n_blocks=sizes("n_blocks", self.n_blocks),
            dense_units=self.dense_units,
            min_frames=self.min_frames,
        )

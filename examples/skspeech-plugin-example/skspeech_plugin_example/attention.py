"""A small attention network for emotion, on log-mel spectrograms."""

import math
from numbers import Integral

from sklearn.pipeline import make_pipeline
from sklearn.utils._param_validation import Interval
from torch import nn

from skspeech.base import NetworkClassifier
from skspeech.layers import MaskedBatchNorm1d, MaskedConv1d, MaskedSequential, MaskedSummary
from skspeech.preprocessing import LogMelSpectrogram
from skspeech.training.parameters import TRAINING_CONSTRAINTS


class AttentionNetwork(nn.Module):
    """Two convolutions along time, the mean over the frames by attention, and the classes."""

    def __init__(self, n_inputs, n_classes, n_maps):
        super().__init__()
        first = MaskedConv1d(n_inputs, n_maps, 5), MaskedBatchNorm1d(n_maps), nn.ELU()
        second = MaskedConv1d(n_maps, n_maps, 5), MaskedBatchNorm1d(n_maps), nn.ELU()
        self.frames = MaskedSequential(*first, *second)
        self.summary = MaskedSummary(n_maps, "attention")
        self.embedding_size = n_maps
        self.classes = nn.Linear(n_maps, n_classes)

    def min_input_length(self):
        """Return the fewest frames it reads."""
        return self.frames.min_input_length()

    def embed(self, x, lengths):
        """Return (n_recordings, n_maps) from spectrograms (n_recordings, 1, n_bins, n_frames)."""
        return self.summary(*self.frames(x.flatten(1, -2), lengths))

    def forward(self, x, lengths):
        """Return the logits, (n_recordings, n_classes)."""
        return self.classes(self.embed(x, lengths))


class ExampleClassifier(NetworkClassifier):
    """`n_maps`: maps of each convolution. The other parameters are those of every network."""

    _input_kind = "spectrogram"
    _parameter_constraints = TRAINING_CONSTRAINTS | {
        "n_maps": [Interval(Integral, 1, None, closed="left")]
    }

    # fmt: off
    def __init__(
        self, *, n_maps=64, max_epochs=100, lr=1e-3, batch_size=16, optimizer="adam",
        weight_decay=1e-4, class_weight=None, validation="auto", validation_fraction=0.1,
        patience=10, standardize="bin", device="auto", precision="float32", callbacks=None,
        warm_start=False, verbose=0, random_state=None,
    ):
        self.n_maps = n_maps
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.class_weight = class_weight
        self.validation = validation
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.standardize = standardize
        self.device = device
        self.precision = precision
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state
    # fmt: on

    def _make_network(self, layout, n_classes):
        return AttentionNetwork(math.prod(layout), n_classes, self.n_maps)

    @classmethod
    def pipeline(cls, *, sample_rate=16000):
        """Return the way from waveforms to emotions: `skspeech evaluate` takes it."""
        return make_pipeline(LogMelSpectrogram(sample_rate=sample_rate, n_mels=64), cls())

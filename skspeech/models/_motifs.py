"""What the three networks of Arronte Alvarez and Gómez-Martín (2020) have in common."""

from numbers import Integral

import torch
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils._param_validation import Interval
from torch import nn

from skspeech.base import NetworkClassifier
from skspeech.layers import MaskedSequential
from skspeech.preprocessing import LogMelSpectrogram
from skspeech.training.parameters import TRAINING_CONSTRAINTS

__all__ = ["POSITIVE", "MotifClassifier", "MotifNetwork", "make_head"]

POSITIVE = [Interval(Integral, 1, None, closed="left")]


def make_head(embedding_size: int, dense_units: int, n_classes: int) -> nn.Sequential:
    """Return the fully connected layer of all three networks and the layer for the classes.

    Of what lies between the two the paper says nothing; the ReLU is our choice.
    """
    return nn.Sequential(
        nn.Linear(embedding_size, dense_units), nn.ReLU(), nn.Linear(dense_units, n_classes)
    )


class MotifNetwork(nn.Module):
    """Convolutions, something that makes one vector of them, and the head.

    A subclass sets the attributes and defines ``embed``.

    Attributes
    ----------
    blocks : MaskedSequential
        The convolutions.
    head : nn.Module
        From the embedding to the logits.
    embedding_size : int
    min_frames : int or None
        Frames that a segment has at least, whatever the blocks need.
    """

    blocks: MaskedSequential
    head: nn.Sequential
    embedding_size: int
    min_frames: int | None

    def extra_repr(self) -> str:
        """Say what no layer says: a saved network is compared by it with its parameters."""
        return f"min_frames={self.min_frames}"

    def min_input_length(self) -> int:
        """Return the least number of frames: what the blocks need, and `min_frames`."""
        return max(self.blocks.min_input_length(), self.min_frames or 1)

    def embed(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the embedding, (n_recordings, embedding_size)."""
        raise TypeError(f"{type(self).__name__} must define embed.")

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the logits, (n_recordings, n_classes)."""
        return self.head(self.embed(x, lengths))


class MotifClassifier(NetworkClassifier):
    """Base of the three estimators: what they read, and the front end of log-mel."""

    _input_kind = "spectrogram"
    _parameter_constraints: dict = {
        **TRAINING_CONSTRAINTS,
        "dense_units": POSITIVE,
        "min_frames": [*POSITIVE, None],
    }

    @classmethod
    def pipeline(cls, *, sample_rate: float = 16000) -> Pipeline:
        """Return a system for whole waveforms: the paper's log-mel spectrogram, and the network.

        The paper's whole system cuts songs at their motifs before, and that is
        ``make_pipeline(MotifExtractor(), network)``. It needs songs, in which a voice repeats
        itself; this one reads any recordings.

        Parameters
        ----------
        sample_rate : float, default=16000
            Samples per second of the waveforms, Hz. Windows are 25 ms long, a step is half of it;
            below 16,000 windows keep their 400 samples, without which some of the 128 bands would
            hear nothing.

        Returns
        -------
        Pipeline
        """
        spectrogram = LogMelSpectrogram(
            sample_rate=sample_rate,
            n_fft=max(400, round(0.025 * sample_rate)),
            hop_length=round(0.0125 * sample_rate),
        )
        return make_pipeline(spectrogram, cls())

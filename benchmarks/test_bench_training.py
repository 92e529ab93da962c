"""What an estimator's training costs over a bare torch loop on the same batches: at most 1.10.

Both train the same module with the same optimiser, on the same batches in the same order,
collated from the same list of arrays in memory; ours adds skorch, its callbacks and the history.
Runs alternate on one thread and CPU time is counted, because others may be at work; the median
of the ratios is `over_bare_loop` in the report.
"""

import copy
import statistics
import time

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from skspeech.layers.standardized import Standardized
from skspeech.models import CNNLSTM2DClassifier
from skspeech.training.batches import Segments, collate, survey
from skspeech.training.buckets import LengthBucketSampler
from skspeech.training.net import make_optimizer
from skspeech.training.population import EpochSample

pytestmark = pytest.mark.usefixtures("one_thread")


def spectrograms(n_recordings, n_bins, n_frames):
    """Return ragged log-mel-like noise and labels."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(int(0.8 * n_frames), int(1.2 * n_frames), n_recordings)
    return [rng.normal(size=(1, n_bins, n)).astype(np.float32) for n in lengths], (
        np.arange(n_recordings) % 4
    )


def ours(estimator, X, y):
    """Return a function that trains through the net of the estimator, and says how long."""
    segments = Segments(
        X,
        survey(X),
        chosen=np.ones(len(X), dtype=bool),
        targets=y,
        weights=np.ones(len(X)),
    )

    def train():
        net = copy.deepcopy(estimator.net_)
        start = time.process_time()
        net.train(segments, None, max_epochs=estimator.max_epochs, seed=0, callbacks=[])
        return time.process_time() - start, net.module_

    return train


def settle(module, batches):
    """Measure the statistics of batch normalisation as ours does."""
    module.eval()
    norms = [layer for layer in module.modules() if hasattr(layer, "running_mean")]
    n_frames = 0
    with torch.no_grad():
        for batch in batches:
            n_frames += int(batch["lengths"].sum())
            for norm in norms:
                norm.train()
                norm.momentum = int(batch["lengths"].sum()) / n_frames
            module(batch["inputs"], batch["lengths"])
    module.eval()


def bare(estimator, X, y):
    """Return a function that trains the same module in a plain loop, and says how long."""
    lengths = np.array([x.shape[-1] for x in X])
    targets = torch.from_numpy(y)

    def train():
        module: Standardized = copy.deepcopy(estimator.net_.module_)
        groups = [{"params": list(module.parameters())}]
        optimizer = make_optimizer(
            groups, lr=estimator.lr, optimizer="adam", weight_decay=estimator.weight_decay
        )
        batches = LengthBucketSampler(lengths, estimator.batch_size, seed=0)
        start = time.process_time()
        module.train()
        for _ in range(estimator.max_epochs):
            loss_sum, sample = 0.0, EpochSample(len(batches), estimator.batch_size)
            for rows in batches:
                batch = collate([X[i] for i in rows])
                sample.offer(batch)
                optimizer.zero_grad()
                loss = cross_entropy(module(batch["inputs"], batch["lengths"]), targets[rows])
                loss.backward()
                optimizer.step()
                loss_sum += loss.item() * len(rows)
        settle(module, sample.batches)
        return time.process_time() - start, module

    return train


CASES = {
    "paper": (
        {"max_epochs": 2, "batch_size": 16},
        (64, 128, 120),
        5,
    ),
    "small": (
        {"n_maps": (8, 8), "pool_sizes": (4, 4), "lstm_units": 8, "max_epochs": 20},
        (64, 20, 60),
        15,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_training(benchmark, capsys, case):
    parameters, shape, rounds = CASES[case]
    X, y = spectrograms(*shape)
    estimator = CNNLSTM2DClassifier(
        **{**parameters, "validation": None, "random_state": 0, "device": "cpu", "max_epochs": 1}
    ).fit(X, y)
    estimator.set_params(max_epochs=parameters["max_epochs"])
    estimator.net_.optimizer_.state.clear()  # both start with an optimiser that knows nothing
    contenders = ours(estimator, X, y), bare(estimator, X, y)
    ratios = []

    def both():
        (our_time, our_module), (bare_time, bare_module) = (train() for train in contenders)
        ratios.append(our_time / bare_time)
        for found, wanted in zip(our_module.parameters(), bare_module.parameters(), strict=True):
            assert torch.allclose(found, wanted, atol=1e-5), "both train alike"

    benchmark.pedantic(both, rounds=rounds, warmup_rounds=1)
    ratio = statistics.median(ratios[1:])
    benchmark.extra_info["over_bare_loop"] = round(ratio, 3)
    with capsys.disabled():
        print(f"\n{case} network: {ratio:.3f} times the bare loop")

"""What segments as long as motifs are save against zero-padding them all to 128 x 426.

The networks are those of Arronte Alvarez and Gómez-Martín (2020) with fewer maps and units, since
at full size the padded ones would take hours; batches of 64, Adam and the rate are the paper's. The
segments are made: lengths as of the motifs that the authors released, and singers whose voices
differ in the bins that are loud.
"""

import time

import numpy as np
import pytest

from skspeech.models import CRNNClassifier, Residual50Classifier, ResidualBLSTMClassifier

pytestmark = pytest.mark.usefixtures("one_thread")

N_BINS, N_FRAMES, N_SINGERS = 128, 426, 5
N_TRAINING, N_TEST = 512, 256
#: Sizes and epochs. One epoch of the third is too short for it to learn anything: it is timed.
NETWORKS = {
    ResidualBLSTMClassifier: {"n_maps": 8, "lstm_units": 64, "max_epochs": 6},
    CRNNClassifier: {"n_maps": (8, 8, 8, 8), "gru_units": 64, "max_epochs": 6},
    Residual50Classifier: {"n_maps": 4, "max_epochs": 1},
}


def motif_lengths(n, rng):
    """Return frames of 12.5 ms: median 24 (0.30 s), 95 percent below 63 (0.79 s), 3 to 158.

    So are the released motifs, whose durations are 0.04 to 1.97 s.
    """
    spread = np.log(63 / 24) / 1.645
    return np.clip(24 * np.exp(spread * rng.standard_normal(n)), 3, 158).round().astype(int)


@pytest.fixture(scope="module")
def segments():
    """Return segments in dB and singers, whose ripples along the bins have a width of their own."""
    rng = np.random.default_rng(0)
    lengths = motif_lengths(N_TRAINING + N_TEST, rng)
    singers = rng.permutation(np.arange(len(lengths)) % N_SINGERS)
    phases = 2 * np.pi * np.arange(N_BINS) / np.array([[5], [8], [12], [18], [27]])
    X = [
        (10 * rng.standard_normal((N_BINS, n)) + ripple[:, None] - 40).astype(np.float32)
        for n, ripple in zip(
            lengths,
            8 * np.sin(phases[singers] + rng.uniform(0, 2 * np.pi, (len(singers), 1))),
            strict=True,
        )
    ]
    return X, singers


@pytest.mark.parametrize("cls", NETWORKS)
def test_real_lengths_against_padded(benchmark, capsys, segments, cls):
    """Training on real lengths is 8 times as fast (``over_padded``), and no less accurate.

    ``min_frames=426`` pads as the paper does, with zeros behind what is standardised; of the padded
    array that makes, every number goes through the network. CPU time of ``fit`` is counted.
    """
    X, y = segments
    sizes = NETWORKS[cls]
    cls(**{**sizes, "max_epochs": 1}, validation=None, device="cpu").fit(
        X[:64], y[:64]
    )  # torch warms up
    times, scores = {}, {}

    def both():
        for name, min_frames in (("real", None), ("padded", N_FRAMES)):
            network = cls(
                **sizes, min_frames=min_frames, validation=None, random_state=0, device="cpu"
            )
            start = time.process_time()
            network.fit(X[:N_TRAINING], y[:N_TRAINING])
            times[name] = time.process_time() - start
            scores[name] = network.score(X[N_TRAINING:], y[N_TRAINING:])

    benchmark.pedantic(both, rounds=1)
    ratio = times["padded"] / times["real"]
    benchmark.extra_info["over_padded"] = round(ratio, 2)
    benchmark.extra_info["accuracy"] = {name: round(score, 3) for name, score in scores.items()}
    assert ratio >= 8
    assert scores["real"] >= scores["padded"] - 0.02
    with capsys.disabled():
        print(
            f"\n{cls.__name__}, epochs: {sizes['max_epochs']}. {ratio:.1f} times as fast as padded "
            f"to {N_FRAMES} frames ({times['real']:.1f} s, {times['padded']:.1f} s); accuracy on "
            f"segments not trained on {scores['real']:.3f}, {scores['padded']:.3f}"
        )

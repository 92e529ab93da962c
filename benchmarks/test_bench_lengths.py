"""What buckets of like lengths save on recordings as unlike as EmoDB's: time, padding, memory.

The network is that of ``VariableLengthCRNNClassifier`` at half of its maps and with all of its 400
bins; at its full size a round would take minutes. The lengths are EmoDB's, the values are noise.
"""

import copy
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from skspeech.models import VariableLengthCRNNClassifier
from skspeech.training.batches import Segments, collate, survey
from skspeech.training.buckets import LengthBucketSampler
from skspeech.training.net import WeightedCrossEntropy, make_optimizer

pytestmark = pytest.mark.usefixtures("one_thread")

DATA = Path(os.environ.get("SKSPEECH_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))

#: Frames of 10 ms: 64 of the lengths of Berlin EmoDB's utterances, at even steps from the shortest
#: to the longest of the 278 by speakers 03 and 08 to 12 (skspeech.datasets.fetch_emodb).
EMODB = """
123 149 153 154 158 161 162 166 169 174 177 180 184 187 190 194 198 202 205 209 209 214 218 222 224
232 236 241 244 247 249 255 263 266 270 277 280 286 289 293 299 306 310 315 319 322 330 332 335 341
349 359 366 376 382 385 392 403 409 449 513 537 591 898
"""

N_BINS = 400
N_CLASSES = 7
BATCH_SIZE = 32
PARAMETERS = {"n_maps": (8, 12, 16), "validation": None, "random_state": 0, "device": "cpu"}
BATCH_FRAMES = VariableLengthCRNNClassifier().batch_frames
ROUNDS = 3


@pytest.fixture(scope="module")
def all_lengths():
    """Return the sorted lengths of the EmoDB that is here, else those above."""
    folder = DATA / "emodb" / "wav"
    paths = [*folder.glob("*.flac"), *folder.glob("*.wav")]
    if not paths:
        return np.array(EMODB.split(), dtype=int)
    return np.sort([1 + soundfile.info(path).frames // 160 for path in paths])


@pytest.fixture(scope="module")
def lengths(all_lengths):
    """Return 64 of them, at even steps: what is longest and the mean are the corpus's."""
    return all_lengths[np.linspace(0, len(all_lengths) - 1, 64).round().astype(int)]


def spectrograms(lengths):
    """Return noise of these lengths, and labels."""
    rng = np.random.default_rng(0)
    X = [rng.standard_normal((1, N_BINS, n), dtype=np.float32) for n in lengths]
    return X, np.arange(len(lengths)) % N_CLASSES


def in_buckets(estimator, X, y, seed):
    """Return the CPU time of an epoch through the net of the estimator."""
    chosen, weights = np.ones(len(X), dtype=bool), np.ones(len(X))
    segments = Segments(X, survey(X), chosen=chosen, targets=y, weights=weights)
    net = copy.deepcopy(estimator.net_)
    start = time.process_time()
    net.train(segments, None, max_epochs=1, seed=seed, callbacks=[])
    return time.process_time() - start


def at_random(estimator, X, y, seed, *, to_longest):
    """Return the CPU time of an epoch in a plain loop over random batches of 32.

    All are padded once, before the clock starts, to the longest of the corpus; `to_longest`
    cuts each batch to its own longest. As the network is the same, padding is masked here, too; a
    network that takes padding for sound needs as long (3.8 to 4.3 s against 4.0 s for 16 of them).
    """
    padded, targets = collate(X), torch.from_numpy(y)
    module, criterion = copy.deepcopy(estimator.net_.module_), WeightedCrossEntropy()
    optimizer = make_optimizer(
        [{"params": list(module.parameters())}],
        lr=estimator.lr,
        optimizer=estimator.optimizer,
        weight_decay=estimator.weight_decay,
    )
    rng = np.random.default_rng(seed)
    start = time.process_time()
    module.train()
    for rows in np.split(rng.permutation(len(X)), range(BATCH_SIZE, len(X), BATCH_SIZE)):
        inputs, lengths = padded["inputs"][rows], padded["lengths"][rows]
        if to_longest:
            inputs = inputs[..., : lengths.max()]
        optimizer.zero_grad()
        loss = criterion(module(inputs, lengths), (targets[rows], torch.ones(len(rows))))
        loss.backward()
        optimizer.step()
        assert np.isfinite(loss.item())
    return time.process_time() - start


def test_throughput(benchmark, capsys, all_lengths, lengths):
    """At least 2.5 times the utterances a second of batches padded to the longest of all.

    The rivals alternate on one thread and CPU time is counted, because others may be at work; the
    medians of the ratios are `over_all` and `over_batch` in the report. The third rival, which
    pads each random batch to its own longest, draws its utterances from the whole corpus: of 64
    every other batch would hold the longest, of the corpus one in nine does.
    """
    X, y = spectrograms(lengths)
    estimator = VariableLengthCRNNClassifier(**PARAMETERS, max_epochs=1).fit(X[:14], y[:14])
    estimator.net_.optimizer_.state.clear()  # all start with an optimiser that knows nothing
    rounds = []

    def side_by_side():
        seed = len(rounds)
        some = np.random.default_rng(seed).permutation(all_lengths)[: len(lengths)]
        rounds.append(
            (
                in_buckets(estimator, X, y, seed),
                at_random(estimator, X, y, seed, to_longest=False),
                at_random(estimator, *spectrograms(some), seed, to_longest=True),
            )
        )

    benchmark.pedantic(side_by_side, rounds=ROUNDS)
    over_all, over_batch = (
        statistics.median(row[i] / row[0] for row in rounds) for i in range(1, 3)
    )
    speeds = [len(X) / statistics.median(times) for times in zip(*rounds, strict=True)]
    benchmark.extra_info["over_all"] = round(over_all, 3)
    benchmark.extra_info["over_batch"] = round(over_batch, 3)
    with capsys.disabled():
        print(
            f"\n{over_all:.2f} times the utterances a second of batches padded to the longest of "
            f"all, {over_batch:.2f} times those of batches padded to their longest "
            f"({', '.join(f'{speed:.1f}' for speed in speeds)} utterances a second)"
        )
        print(f"{lengths.max() / lengths.mean():.2f} is the longest over the mean length; ", end="")
        print(f"{all_lengths.max() / all_lengths.mean():.2f} in the whole corpus")


def padding(batches, lengths):
    """Return the largest share of padding in a batch, and that in all of them."""
    n_valid = np.array([lengths[batch].sum() for batch in batches])
    n_frames = np.array([len(batch) * lengths[batch].max() for batch in batches])
    return max(1 - n_valid / n_frames), 1 - n_valid.sum() / n_frames.sum()


def test_padding(capsys, all_lengths):
    """Less than 8 percent of every batch, in any epoch."""
    n_recordings, rng = len(all_lengths), np.random.default_rng(0)
    borders = range(BATCH_SIZE, n_recordings, BATCH_SIZE)
    sampler = LengthBucketSampler(all_lengths, BATCH_SIZE, batch_frames=BATCH_FRAMES, seed=0)
    epochs = [padding(list(sampler), all_lengths) for _ in range(10)]
    largest, overall = np.max(epochs, axis=0)
    kinds = {
        f"at most {BATCH_FRAMES} frames": (largest, overall),
        "32, sorted by length": padding(
            list(LengthBucketSampler(all_lengths, BATCH_SIZE, seed=0)), all_lengths
        ),
        "32 at random": np.mean(
            [
                padding(np.split(rng.permutation(n_recordings), borders), all_lengths)
                for _ in range(10)
            ],
            axis=0,
        ),
        "all as long as the longest": (
            1 - all_lengths.min() / all_lengths.max(),
            1 - all_lengths.mean() / all_lengths.max(),
        ),
    }
    with capsys.disabled():
        print(f"\nPadding of {n_recordings} utterances, largest share of a batch and of all:")
        for name, (of_batch, of_all) in kinds.items():
            print(f"  {name}: {of_batch:.2%}, {of_all:.2%}")
    assert largest < 0.08


PROCESS = """
import json, re, sys
from pathlib import Path
import numpy as np
import torch
from skspeech.models import VariableLengthCRNNClassifier

def peak():  # not getrusage's: that remembers the process which started this one
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) * 1024 / 1e6

torch.set_num_threads(1)
lengths, n_bins, n_classes, parameters = json.loads(sys.argv[1])
rng = np.random.default_rng(0)
X = [rng.standard_normal((n_bins, n), dtype=np.float32) for n in lengths]
network = VariableLengthCRNNClassifier(**parameters, max_epochs=1)
network.fit(X, np.arange(len(X)) % n_classes)
print(json.dumps({"peak": peak()}))
"""


def peak_of_training(lengths, **batches):
    task = json.dumps([lengths, N_BINS, N_CLASSES, {**PARAMETERS, **batches}])
    command = [sys.executable, "-c", PROCESS, task]
    # what glibc gives back, and when, is what it does for everybody
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    result = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(result.stdout)["peak"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_memory(benchmark, capsys, lengths):
    """The peak of an epoch stays where it is if one utterance of 20 s joins the others.

    Each number comes from a fresh process. In the report ``by_frames_beyond_mb`` is what the
    utterance takes more at the peak, its own spectrogram aside. Equal runs differ by 50 of
    900 MB, so "stays" means within a fifth (our choice). Batches counted in utterances are shown
    beside it.
    """
    usual, len_joined = lengths.tolist(), 2000
    own = 4 * N_BINS * len_joined / 1e6
    ways = {
        "by_frames": {"batch_frames": BATCH_FRAMES},
        "by_size": {"batch_frames": None, "batch_size": BATCH_SIZE},
    }

    def measured():
        return {
            name: [peak_of_training(n, **way) for n in (usual, [*usual, len_joined])]
            for name, way in ways.items()
        }

    peaks = benchmark.pedantic(measured, rounds=1)
    for name, (without, beside) in peaks.items():
        benchmark.extra_info[f"{name}_mb"] = round(without)
        benchmark.extra_info[f"{name}_beyond_mb"] = round(beside - without - own, 1)
    with capsys.disabled():
        print("\nPeak of an epoch, MB, without and with one utterance of 20 s:")
        for name, (without, beside) in peaks.items():
            print(f"  {ways[name]}: {without:.0f}, {beside:.0f}")
        print(f"  the spectrogram of that utterance alone: {own:.1f}")
    without, beside = peaks["by_frames"]
    assert beside < 1.2 * without

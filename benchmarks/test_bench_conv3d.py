"""Ultrasound to spectra at full size: answering, an epoch, and the memory that an hour takes.

Answering: a sentence of 330 frames, whose windows share the first layers' work, against the same
network window by window; at least 4 times faster. Training: a window of 3D-CNN + ConvLSTM
costs no more than one of 3D-CNN (the paper has its epoch slightly faster). Runs alternate on one
thread and CPU time is counted, because others may be at work.

Memory: a fresh process trains for 200 steps on an hour at 81.67 frames a second, sentences of 3.6
seconds, 2.4 GB of 8 bits. Read on access, the hour is never in memory; held in memory, it is there
once. Batches have 8 windows, for the paper's 128 would take 22 minutes.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from skspeech.models import Conv3DBiLSTMRegressor, Conv3DConvLSTMRegressor, Conv3DRegressor
from skspeech.training.windows import make_window_parts

pytestmark = pytest.mark.usefixtures("one_thread")

NETWORKS = [Conv3DRegressor, Conv3DBiLSTMRegressor, Conv3DConvLSTMRegressor]
N_FRAMES, N_OUTPUTS = 330, 80


def video(n_frames):
    return np.random.default_rng(n_frames).integers(0, 256, (n_frames, 128, 64), np.uint8)


def fitted(network):
    """Return the full network after one step; what it has learned does not matter."""
    estimator = network(max_epochs=1, batch_size=4, validation=None, device="cpu", random_state=0)
    return estimator.fit([video(4)], [np.random.default_rng(0).normal(size=(4, N_OUTPUTS))])


def timed(function, *arguments):
    start = time.process_time()
    result = function(*arguments)
    return time.process_time() - start, result


@pytest.mark.parametrize("network", NETWORKS)
def test_answers_that_share_work(benchmark, capsys, network):
    estimator, sentence = fitted(network), [video(N_FRAMES)]
    estimator.net_.batch_size = network().batch_size
    inner, ratios = estimator.module_.network, []
    offsets = inner.step_offsets

    def both():
        shared, found = timed(estimator.predict, sentence)
        inner.step_offsets = None
        alone, wanted = timed(estimator.predict, sentence)
        inner.step_offsets = offsets
        np.testing.assert_allclose(found[0], wanted[0], atol=1e-5)
        ratios.append(alone / shared)

    benchmark.pedantic(both, rounds=2)
    ratio = statistics.mean(ratios)
    benchmark.extra_info["window by window over shared"] = round(ratio, 2)
    with capsys.disabled():
        print(f"\n{network.__name__}: {ratio:.2f} times faster than window by window")
    assert ratio >= 4


def test_training_a_window(benchmark, capsys):
    """Two steps of 16 windows, of each network in turn."""
    n_windows, videos = 32, [video(32)]
    targets = [np.random.default_rng(1).normal(size=(n_windows, N_OUTPUTS)).astype(np.float32)]
    parts = make_window_parts(videos, targets, np.array([], dtype=int), context_frames=25)
    nets = [fitted(network).net_ for network in (Conv3DRegressor, Conv3DConvLSTMRegressor)]
    ratios, windows = [], []

    def both():
        seconds = []
        for net in nets:
            net.batch_size = 16
            taken, _ = timed(
                lambda net=net: net.train(parts.training, None, max_epochs=1, seed=0, callbacks=[])
            )
            seconds.append(taken)
        ratios.append(seconds[1] / seconds[0])
        windows.append([1000 * taken / n_windows for taken in seconds])

    benchmark.pedantic(both, rounds=5, warmup_rounds=1)
    ratio = statistics.median(ratios[1:])
    cnn, lstm = (statistics.median(column) for column in zip(*windows[1:], strict=True))
    benchmark.extra_info |= {"ConvLSTM over 3D-CNN": round(ratio, 3)}
    with capsys.disabled():
        print(f"\na window: 3D-CNN {cnn:.1f} ms, ConvLSTM {lstm:.1f} ms, ratio {ratio:.3f}")
    assert ratio <= 1


STATUS = Path("/proc/self/status")

PROCESS = """
import json, re, sys
from pathlib import Path
import numpy as np
from skorch.callbacks import Callback
from skspeech.models import Conv3DConvLSTMRegressor
from skspeech.recordings import RecordingSequence

N_SENTENCES, N_FRAMES = 1000, 294  # 3.6 s at 81.67 frames a second

def peak():  # not getrusage's: that remembers the process which started this one
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) * 1024

def sentence(seed):
    return np.random.default_rng(seed).integers(0, 256, (N_FRAMES, 128, 64), np.uint8)

class Enough(Exception):
    pass

class Stop(Callback):
    n_steps, seconds = 0, []
    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        Stop.n_steps += 1
        if Stop.n_steps == 200:
            raise Enough

kind = sys.argv[1]
network = Conv3DConvLSTMRegressor(
    batch_size=8, device="cpu", random_state=0, callbacks=[Stop()]
)
n_read = 0
def read(seed):
    global n_read
    n_read += 1
    return sentence(seed)
X = RecordingSequence(range(N_SENTENCES), read)
if kind == "in memory":
    X = list(X)
y = [np.random.default_rng(i).normal(size=(N_FRAMES, 80)).astype("float32") for i in range(1000)]
before = peak()
n_read = 0
try:
    network.fit(X, y)
except Enough:
    pass
assert Stop.n_steps == 200
data = N_SENTENCES * N_FRAMES * 128 * 64
targets = sum(target.nbytes for target in y)
print(json.dumps(
    {"peak": peak(), "before fit": before, "data": data, "targets": targets, "n_read": n_read}
))
"""


@pytest.mark.skipif(not STATUS.exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize("kind", ["on access", "in memory"])
def test_memory_of_an_hour(benchmark, capsys, kind):
    def run():
        command = [sys.executable, "-c", PROCESS, kind]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
        return json.loads(result.stdout)

    found = benchmark.pedantic(run, rounds=1)
    benchmark.extra_info |= found
    megabytes = {name: round(n / 1e6) for name, n in found.items() if name != "n_read"}
    with capsys.disabled():
        print(f"\n{kind}: {megabytes} MB, {found['n_read']} read")
    assert found["peak"] - found["before fit"] < found["data"] / 2

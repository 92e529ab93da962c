"""Speech from raw ultrasound frame by frame, on one thread: a frame has 12.2 ms until the next.

The chain at full size: 64 x 842 pixels scaled to 128 x 64, windows of 25 frames, the paper's best
network, and the usual vocoder. What the network has learned does not matter. Besides the time by
the clock, which is what counts for a listener, the report has CPU time, because others may be at
work; the bound is on the median of it.
"""

import time

import numpy as np
import pytest

from skspeech.models import Conv3DBiLSTMRegressor, Conv3DConvLSTMRegressor, Conv3DRegressor
from skspeech.vocoders import UltrasoundToSpeech

pytestmark = pytest.mark.usefixtures("one_thread")

NETWORKS = [Conv3DConvLSTMRegressor, Conv3DRegressor, Conv3DBiLSTMRegressor]
N_FRAMES = 246  # three seconds


def raw(n_frames):
    return np.random.default_rng(n_frames).integers(0, 256, (n_frames, 64, 842), np.uint8)


def fitted(network):
    """Return the chain after one step of the network."""
    regressor = network(max_epochs=1, batch_size=4, validation=None, device="cpu", random_state=0)
    sound = 0.1 * np.random.default_rng(0).standard_normal(4 * 270)
    return UltrasoundToSpeech(regressor=regressor).fit([raw(4)], [sound])


def in_milliseconds(seconds):
    found = [np.median(seconds), np.percentile(seconds, 95), np.max(seconds)]
    return [round(1000 * float(value), 2) for value in found]


def cpu_seconds(stream, frames):
    seconds = []
    for frame in frames:
        start = time.process_time()
        stream.push(frame[None])
        seconds.append(time.process_time() - start)
    return seconds


@pytest.mark.parametrize("network", NETWORKS)
def test_a_frame_of_speech(benchmark, capsys, network):
    chain, video = fitted(network), raw(N_FRAMES)
    report = benchmark.pedantic(chain.latency, (video,), rounds=1)
    stream = chain.stream()
    cpu = in_milliseconds(cpu_seconds(stream, video))
    clock = in_milliseconds(report.seconds)
    benchmark.extra_info |= {
        "median, 95th percentile, maximum (ms)": clock,
        "the same of CPU time": cpu,
        "allowed": round(1000 * report.allowed, 2),
        "look-ahead (frames)": stream.lookahead,
    }
    with capsys.disabled():
        print(
            f"\n{network.__name__}: a frame takes {clock[0]} ms (95%: {clock[1]}, at most "
            f"{clock[2]}; of CPU {cpu[0]}, {cpu[1]}, {cpu[2]}) of {1000 * report.allowed:.1f}; "
            f"the sound comes {stream.lookahead} frames later, {stream.delay:.3f} s"
        )
    assert cpu[0] <= 1000 * report.allowed


def test_a_whole_recording(benchmark, capsys):
    """Frame by frame beside the regressor's own predict, which takes many frames at once."""
    chain, video = fitted(Conv3DConvLSTMRegressor), raw(N_FRAMES)
    scaled, ratios = chain.scaler_.transform([video]), []

    def both():
        start = time.process_time()
        chain.spectra([video])
        middle = time.process_time()
        chain.regressor_.predict(scaled)
        ratios.append((middle - start) / (time.process_time() - middle))

    benchmark.pedantic(both, rounds=2)
    with capsys.disabled():
        print(f"\nframe by frame over many at once: {np.mean(ratios):.2f}")

"""Ultrasound made ready: frames scaled a second, and the memory that an hour of blocks takes.

A fresh process holds the scaled frames of an hour at 82 frames a second, as sentences of five
seconds, frames them and goes through all blocks. Its peak is to be within 1.2 times the scaled
frames, imports included. The hour as one recording is only reported: a view needs the edges
repeated in memory, so that a recording is copied once while its blocks are in use. Where less
than 16 GB are free a quarter of an hour stands for the hour.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from skspeech.preprocessing import UltrasoundScaler

STATUS, MEMORY = Path("/proc/self/status"), Path("/proc/meminfo")
BOUND = 1.2

PROCESS = """
import json, re, sys
from pathlib import Path
import numpy as np
from skspeech.preprocessing import UltrasoundFramer

def peak():  # not getrusage's: that remembers the process which started this one
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) * 1024

n_recordings, n_frames, dtype = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
scaled = [np.ones((n_frames, 128, 64), dtype) for _ in range(n_recordings)]
total = 0.0
for framed in UltrasoundFramer().fit_transform(scaled):
    assert framed.shape == (n_frames, 25, 128, 64)
    total += sum(float(block[:, ::16, ::16].sum()) for block in framed[::5])
assert total == n_recordings * n_frames // 5 * 25 * 8 * 4
print(json.dumps({"peak": peak(), "scaled": sum(x.nbytes for x in scaled)}))
"""


def minutes():
    free = int(re.search(r"MemAvailable:\s+(\d+) kB", MEMORY.read_text())[1]) * 1024
    return 60 if free > 16e9 else 15


@pytest.mark.skipif(not STATUS.exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("kind", ["sentences", "one recording"])
def test_memory_of_an_hour_of_blocks(benchmark, capsys, kind, dtype):
    n_minutes = minutes() if kind == "sentences" else 15
    n_recordings, seconds = (12 * n_minutes, 5) if kind == "sentences" else (1, 60 * n_minutes)

    def run():
        command = [sys.executable, "-c", PROCESS, str(n_recordings), str(82 * seconds), dtype]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
        return json.loads(result.stdout)

    found = benchmark.pedantic(run, rounds=1)
    ratio = found["peak"] / found["scaled"]
    benchmark.extra_info |= {"minutes": n_minutes, "ratio": round(ratio, 3), **found}
    with capsys.disabled():
        print(f"\n{n_minutes} min, {kind}, {dtype}: {benchmark.extra_info}")
    if kind == "sentences":
        assert ratio <= BOUND


@pytest.fixture(scope="module")
def frames():
    """A second as the Micro system gives it."""
    return np.random.default_rng(0).integers(0, 256, (82, 64, 842), np.uint8)


def test_scaling_a_second(benchmark, frames):
    scaler = UltrasoundScaler()
    assert benchmark(scaler.fit_transform, [frames])[0].shape == (82, 128, 64)


def test_scaling_a_second_by_scikit_image(benchmark, frames):
    """What the group's code does."""
    transform = pytest.importorskip("skimage.transform", reason="the peer is not installed")

    def scaled():
        return [
            (transform.resize(x, (64, 128), preserve_range=True) / 255 - 0.5) * 2 for x in frames
        ]

    assert benchmark(scaled)[0].shape == (64, 128)

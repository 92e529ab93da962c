"""Log-mel spectrograms of 100 x 5 s at 16 kHz, beside librosa's own functions in a loop.

The report's ``times_librosa`` says how many times faster LogMelSpectrogram is; both are timed in
turn in one run, so that whatever else keeps the machine busy hits both.
"""

import statistics
import time

import librosa
import numpy as np
import pytest

from skspeech.preprocessing import LogMelSpectrogram
from skspeech.recordings import RecordingSequence

ROUNDS = 7


@pytest.fixture(scope="module")
def voices():
    rng = np.random.default_rng(0)
    return [(0.1 * rng.standard_normal(80000)).astype(np.float32) for _ in range(100)]


def with_librosa(voices):
    return [
        librosa.power_to_db(
            librosa.feature.melspectrogram(y=voice, sr=16000, pad_mode="constant"), top_db=None
        )
        for voice in voices
    ]


def in_memory(voices):
    return LogMelSpectrogram().transform(voices)


def read_one_by_one(voices):
    return list(LogMelSpectrogram().transform(RecordingSequence(voices)))


def seconds(function, *args):
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


@pytest.mark.parametrize("function", [in_memory, read_one_by_one])
def test_log_mel(benchmark, capsys, voices, function):
    for found, wanted in zip(function(voices[:3]), with_librosa(voices[:3]), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-3)  # and both are warm now
    rounds = [(seconds(with_librosa, voices), seconds(function, voices)) for _ in range(ROUNDS)]
    theirs, ours = (statistics.median(times) for times in zip(*rounds, strict=True))
    benchmark.extra_info["times_librosa"] = round(theirs / ours, 1)
    benchmark.pedantic(function, args=(voices,), rounds=3)
    with capsys.disabled():
        print(
            f"\n{function.__name__}: {1000 * ours:.0f} ms, librosa {1000 * theirs:.0f} ms, "
            f"{theirs / ours:.1f} times as fast"
        )

"""Spectrograms of 100 x 5 s at 16 kHz, beside librosa's own functions in a loop.

The report's ``times_librosa`` says how many times faster ours are; both are timed in turn in one
run, so that whatever else keeps the machine busy hits both. The linear algebra has one thread:
with two, librosa's loop took up to ten times as long where the second core was busy. The bound is
2.5 with recordings in memory and two idle cores.
"""

import statistics
import time

import librosa
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from skspeech.preprocessing import MFCC, LogMelSpectrogram, LogPowerSpectrogram
from skspeech.recordings import RecordingSequence

ROUNDS = 7


@pytest.fixture(scope="module")
def voices():
    rng = np.random.default_rng(0)
    return [(0.1 * rng.standard_normal(80000)).astype(np.float32) for _ in range(100)]


def decibels(power):
    return librosa.power_to_db(power, top_db=None)


def log_mel(voice):
    return decibels(librosa.feature.melspectrogram(y=voice, sr=16000, pad_mode="constant"))


def log_power(voice):
    spectrum = librosa.stft(
        voice, n_fft=1600, win_length=640, hop_length=160, window="hamming", pad_mode="constant"
    )
    return decibels(np.abs(spectrum[:400]) ** 2)


def mfcc(voice):
    power = librosa.feature.melspectrogram(
        y=voice, sr=16000, n_fft=400, hop_length=200, n_mels=80, pad_mode="constant"
    )
    return librosa.feature.mfcc(S=decibels(power), n_mfcc=40)


def in_memory(front, voices):
    return front.transform(voices)


def read_one_by_one(front, voices):
    return list(front.transform(RecordingSequence(voices)))


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


@pytest.mark.parametrize("how", [in_memory, read_one_by_one])
@pytest.mark.parametrize(
    ("front", "peer"),
    [(LogMelSpectrogram(), log_mel), (LogPowerSpectrogram(), log_power), (MFCC(), mfcc)],
    ids=["log_mel", "log_power", "mfcc"],
)
def test_features(benchmark, capsys, voices, front, peer, how):
    for found, voice in zip(how(front, voices[:3]), voices[:3], strict=True):
        np.testing.assert_allclose(found, peer(voice), atol=1e-3)  # and both are warm now
    with threadpool_limits(1, user_api="blas"):
        rounds = [
            (seconds(lambda: [peer(v) for v in voices]), seconds(lambda: how(front, voices)))
            for _ in range(ROUNDS)
        ]
    theirs, ours = (statistics.median(times) for times in zip(*rounds, strict=True))
    benchmark.extra_info["times_librosa"] = round(theirs / ours, 1)
    benchmark.pedantic(how, args=(front, voices), rounds=3)
    with capsys.disabled():
        print(
            f"\n{type(front).__name__}, {how.__name__}: {1000 * ours:.0f} ms, librosa "
            f"{1000 * theirs:.0f} ms, {theirs / ours:.1f} times as fast"
        )

"""Pitch of an unaccompanied song: accuracy, and times real time on one core, beside others.

The song is vocadito's first, 33 s at 44.1 kHz, and all answer every 256 samples; Essentia's
Melodia also every 128, its default. Where Essentia or Praat are not installed (their licences
are AGPL and GPL; nothing here needs them) their rows are left out. Rounds are interleaved, so
that whatever else keeps the machine busy hits all. The bounds are 50 times real time, twice the
speed of Essentia, a raw pitch accuracy of 0.98 and an overall accuracy of 0.95. Start it with
OMP_NUM_THREADS=1.
"""

import os
import statistics
import time
from pathlib import Path

import mir_eval
import numpy as np
import pytest
import soundfile

from skspeech.preprocessing import PyinPitch, SaliencePitch

DATA = Path(os.environ.get("SKSPEECH_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
SONG = DATA / "singing" / "vocadito" / "vocadito_1.flac"
HOP = 256
ROUNDS = 7


@pytest.fixture(scope="module")
def song():
    if not SONG.exists():
        pytest.skip(reason=f"{SONG.name} is not in {DATA.name}")
    waveform, sample_rate = soundfile.read(SONG, dtype="float32")
    return waveform, sample_rate, np.loadtxt(f"{SONG.with_suffix('')}_f0.csv", delimiter=",")


def ours(estimator):
    def pitch(waveform, sample_rate):
        (found,) = estimator.transform([waveform])
        return np.arange(len(found)) * HOP / sample_rate, found.astype(float)

    return pitch


def melodia(hop_length):
    essentia = pytest.importorskip("essentia.standard")

    def pitch(waveform, sample_rate):
        algorithm = essentia.PredominantPitchMelodia(hopSize=hop_length, sampleRate=sample_rate)
        found, _ = algorithm(waveform)
        return np.arange(len(found)) * hop_length / sample_rate, found.astype(float)

    return pitch


def praat():
    parselmouth = pytest.importorskip("parselmouth")

    def pitch(waveform, sample_rate):
        sound = parselmouth.Sound(waveform.astype(float), sample_rate)
        found = sound.to_pitch_ac(time_step=HOP / sample_rate, pitch_floor=55, pitch_ceiling=1760)
        return found.xs(), found.selected_array["frequency"]

    return pitch


def seconds(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


PEERS = {
    "Essentia's Melodia, hop 256": lambda: melodia(256),
    "Essentia's Melodia, hop 128": lambda: melodia(128),
    "Praat's autocorrelation": praat,
}


def report(capsys, name, pitch, song, taken):
    waveform, sample_rate, truth = song
    scores = mir_eval.melody.evaluate(*truth.T, *pitch(waveform, sample_rate))
    with capsys.disabled():
        print(
            f"\n{name}: raw pitch {scores['Raw Pitch Accuracy']:.3f}, overall "
            f"{scores['Overall Accuracy']:.3f}, voicing recall {scores['Voicing Recall']:.3f}, "
            f"false alarm {scores['Voicing False Alarm']:.3f}, "
            f"{len(waveform) / sample_rate / taken:.1f} times real time",
            end="",
        )


@pytest.mark.parametrize("peer", PEERS)
def test_salience_beside(benchmark, capsys, song, peer):
    find, other = ours(SaliencePitch()), PEERS[peer]()
    find(*song[:2])  # compiles
    rounds = [(seconds(find, *song[:2]), seconds(other, *song[:2])) for _ in range(ROUNDS)]
    taken, theirs = (statistics.median(times) for times in zip(*rounds, strict=True))
    ratio = statistics.median(b / a for a, b in rounds)
    benchmark.extra_info["times_real_time"] = round(len(song[0]) / song[1] / taken, 1)
    benchmark.extra_info["times_peer"] = round(ratio, 2)
    benchmark.pedantic(find, args=song[:2], rounds=3)
    report(capsys, "SaliencePitch", find, song, taken)
    report(capsys, peer, other, song, theirs)
    with capsys.disabled():
        print(f"\nSaliencePitch is {ratio:.1f} times as fast")


def test_pyin(benchmark, capsys, song):
    waveform, sample_rate, truth = song
    excerpt = waveform[: 10 * sample_rate], sample_rate, truth[truth[:, 0] < 10]
    find = ours(PyinPitch())
    find(waveform[:sample_rate], sample_rate)  # librosa compiles, too
    benchmark.pedantic(find, args=excerpt[:2], rounds=1)
    report(capsys, "PyinPitch, first 10 s", find, excerpt, benchmark.stats["median"])


def test_first_call(capsys):
    """What compiling takes, in a process of its own and without a cache."""
    import subprocess
    import sys

    code = (
        "import time, numpy as np\n"
        "from skspeech.preprocessing import SaliencePitch\n"
        "start = time.perf_counter()\n"
        "SaliencePitch().fit_transform(np.ones((1, 9000), np.float32))\n"
        "print(time.perf_counter() - start)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    answer = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    with capsys.disabled():
        print(f"\nfirst call, numba's import and compiling included: {float(answer.stdout):.1f} s")

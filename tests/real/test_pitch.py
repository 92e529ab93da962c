"""Pitch of recorded voices, against pitches that people have checked."""

import mir_eval
import numpy as np
import pytest
import soundfile
import soxr
from numpy.testing import assert_allclose

from skspeech.preprocessing import SaliencePitch

SINGERS = ["S1", "A2", "T2", "B2"]


def read(audio):
    """Return waveform, sample rate and the annotation: time in s and Hz, 0 where unvoiced."""
    if not audio.exists():
        pytest.skip(reason=f"{audio.name} is not in {audio.parents[1].name}/{audio.parent.name}")
    waveform, sample_rate = soundfile.read(audio, dtype="float32")
    return waveform, sample_rate, np.loadtxt(f"{audio.with_suffix('')}_f0.csv", delimiter=",")


@pytest.fixture(scope="module")
def song(data_home):
    """Return an unaccompanied song of 33 s (vocadito), its rate and its pitch."""
    return read(data_home / "singing" / "vocadito" / "vocadito_1.flac")


def scores(pitch, seconds_per_frame, truth):
    found = mir_eval.melody.evaluate(
        *truth.T, np.arange(len(pitch)) * seconds_per_frame, pitch.astype(float)
    )
    return found["Raw Pitch Accuracy"], found["Overall Accuracy"]


def test_a_song(song):
    waveform, sample_rate, truth = song
    (pitch,) = SaliencePitch(sample_rate=sample_rate).transform([waveform])
    raw_pitch, overall = scores(pitch, 256 / sample_rate, truth)
    assert raw_pitch >= 0.98
    assert overall >= 0.95


@pytest.mark.parametrize(
    ("rate", "hop_length"), [(2000, 16), (8000, 64), (16000, 160), (48000, 256)]
)
def test_the_song_at_other_rates(song, rate, hop_length):
    waveform, sample_rate, truth = song
    resampled = soxr.resample(waveform, sample_rate, rate)
    (pitch,) = SaliencePitch(sample_rate=rate, hop_length=hop_length).transform([resampled])
    raw_pitch, overall = scores(pitch, hop_length / rate, truth)
    assert raw_pitch >= 0.97
    assert overall >= 0.94


def test_the_song_stays_itself_in_a_lossy_world(song):
    waveform, sample_rate, truth = song
    excerpt = waveform[: 10 * sample_rate]
    rng = np.random.default_rng(0)
    noise = np.float32(0.1 * excerpt.std()) * rng.standard_normal(len(excerpt), dtype=np.float32)
    clipped = np.clip(excerpt, *np.quantile(excerpt, [0.02, 0.98]))
    until = truth[truth[:, 0] < 10]
    for spoilt in (excerpt + noise, clipped):
        (pitch,) = SaliencePitch(sample_rate=sample_rate).transform([spoilt])
        raw_pitch, overall = scores(pitch, 256 / sample_rate, until)
        assert raw_pitch >= 0.95
        assert overall >= 0.9


@pytest.mark.parametrize("singer", SINGERS)
def test_larynx_microphones_of_a_choir(data_home, singer):
    take = f"DCS_LI_QuartetB_Take04_{singer}_LRX.flac"
    waveform, sample_rate, truth = read(data_home / "singing" / "dagstuhl_choirset" / take)
    (pitch,) = SaliencePitch(sample_rate=sample_rate, hop_length=128).transform([waveform])
    found = pitch[np.round(truth[:, 0] * sample_rate / 128).astype(int)]
    assert_allclose(1200 * np.log2(found / truth[:, 1]), 0, atol=50)

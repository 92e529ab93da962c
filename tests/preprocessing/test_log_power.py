import warnings

import librosa
import numpy as np
import pytest
from numpy.testing import assert_allclose

from skspeech.exceptions import RecordingError
from skspeech.preprocessing import LogPowerSpectrogram, _power
from skspeech.recordings import RecordingSequence

# None: the bins of librosa's own spectrogram
OPTIONS = {
    "default": {},
    "whole window": {"n_fft": 512, "win_length": 512, "hop_length": 128, "f_max": None},
    "hann": {"n_fft": 400, "win_length": 320, "hop_length": 100, "window": "hann"},
    "8 kHz": {"sample_rate": 8000, "n_fft": 800, "win_length": 320, "hop_length": 80},
    "odd frame, even window": {"n_fft": 401, "win_length": 100, "hop_length": 57},
    "even frame, odd window": {"n_fft": 256, "win_length": 101, "hop_length": 64},
    "odd both": {"n_fft": 255, "win_length": 101, "hop_length": 64, "f_max": None},
    "hop beyond the window": {"n_fft": 64, "win_length": 20, "hop_length": 100},
    "a window of one sample": {"n_fft": 16, "win_length": 1, "hop_length": 3},
    "44.1 kHz": {"sample_rate": 44100, "n_fft": 1024, "win_length": 882, "f_max": 10000.0},
}
EVERY_OPTION = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())


def voices(*lengths):
    """Return noise under a slow envelope, with a tone, about as loud as speech."""
    rng = np.random.default_rng(0)
    return [
        (0.2 * np.sin(0.3 * np.arange(n)) + 0.05 * rng.standard_normal(n) * np.linspace(1, 0.1, n))
        .astype(np.float32)
        for n in lengths
    ]  # fmt: skip


def librosa_power(waveform, *, sample_rate=16000, f_max=4000.0, n_fft=1600, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # told of a waveform shorter than a window
        spectrum = librosa.stft(
            waveform,
            n_fft=n_fft,
            pad_mode="constant",
            **{"win_length": 640, "hop_length": 160, "window": "hamming", **options},
        )
    frequencies = librosa.fft_frequencies(sr=sample_rate, n_fft=n_fft)
    kept = slice(None) if f_max is None else frequencies < f_max
    return np.abs(spectrum[kept]) ** 2


@EVERY_OPTION
@pytest.mark.parametrize("length", [1, 2, 63, 400, 1599, 1600, 16000])
def test_powers_are_librosas(options, length):
    (waveform,) = voices(length)
    wanted = librosa_power(waveform, **options)
    (found,) = LogPowerSpectrogram(scale="power", **options).transform([waveform])
    assert found.shape == wanted.shape
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert_allclose(found, wanted, rtol=0, atol=1e-4 * wanted.max())


@EVERY_OPTION
@pytest.mark.parametrize("length", [1, 400, 16001])
def test_decibels_are_librosas(options, length):
    (waveform,) = voices(length)
    wanted = librosa.power_to_db(librosa_power(waveform, **options), ref=1.0, top_db=None)
    (found,) = LogPowerSpectrogram(**options).transform([waveform])
    heard = wanted > wanted.max() - 80
    assert heard.any()
    assert_allclose(found[heard], wanted[heard], rtol=0, atol=1e-3)
    assert (found[~heard] < wanted.max() - 79).all()


def test_ln_is_the_natural_logarithm_of_the_power():
    power = LogPowerSpectrogram(scale="power").transform(voices(9000))[0]
    ln = LogPowerSpectrogram(scale="ln").transform(voices(9000))[0]
    assert_allclose(ln, np.log(np.maximum(power, 1e-10)), atol=1e-4)


@pytest.mark.parametrize(("scale", "floor"), [("db", -60.0), ("ln", np.log(1e-6)), ("power", 0)])
def test_silence_is_the_floor(scale, floor):
    silence = LogPowerSpectrogram(scale=scale, amin=1e-6).transform([np.zeros(5000)])[0]
    assert_allclose(silence, floor, atol=1e-4)


def test_the_published_grid():
    """A tone of 1,230 Hz stands in bin 123 of 400, that is from 0 to 3,990 Hz."""
    tone = np.sin(2 * np.pi * 1230 / 16000 * np.arange(16000))
    (spectrogram,) = LogPowerSpectrogram().transform([tone])
    assert spectrogram.shape == (400, 101)
    assert (spectrogram[:, 3:-3].argmax(axis=0) == 123).all()


@pytest.mark.parametrize(
    ("f_max", "n_bins"), [(4000, 400), (4001, 401), (0.5, 1), (8000, 800), (None, 801), (10, 1)]
)
def test_bins_below_f_max_are_kept(f_max, n_bins):
    assert LogPowerSpectrogram(f_max=f_max).transform(voices(9))[0].shape == (n_bins, 1)


def test_frames_are_centred():
    click = np.zeros(16000, np.float32)
    click[20 * 160] = 1
    (power,) = LogPowerSpectrogram(scale="power").transform([click])
    assert power.sum(axis=0).argmax() == 20
    assert_allclose(power[:, 19], power[:, 21], rtol=1e-4)


@pytest.mark.parametrize("n_samples", [1, 256, 1000, 5000])
def test_blocks_of_any_size_answer_alike(monkeypatch, n_samples):
    X = voices(100, 9000, 2500, 511)
    log_power = LogPowerSpectrogram(n_fft=256, win_length=100)
    wanted = log_power.transform(X)
    monkeypatch.setattr(_power, "_BLOCK_DOUBLES", n_samples)
    for found, other in zip(log_power.transform(X), wanted, strict=True):
        assert_allclose(found, other, atol=1e-5)


@EVERY_OPTION
def test_a_ragged_batch_answers_as_each_alone(options):
    X = voices(1, 159, 160, 161, 640, 1600, 3000)
    log_power = LogPowerSpectrogram(**options)
    together, lazy = log_power.transform(X), log_power.transform(RecordingSequence(X))
    for i, (found, later) in enumerate(zip(together, lazy, strict=True)):
        (alone,) = log_power.transform([X[i]])
        assert_allclose(found, alone, atol=1e-5)
        assert_allclose(later, alone, atol=1e-5)


def test_a_spectrogram_keeps_no_other_alive():
    for row in LogPowerSpectrogram().transform(voices(80000, 70000)):
        assert row.base is None or row.base.nbytes == row.nbytes
        assert row.flags.writeable


def test_array_in_array_out():
    cube = LogPowerSpectrogram().fit_transform(np.stack(voices(1600, 1600)))
    assert cube.shape == (2, 400, 11)
    assert cube.dtype == np.float32


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sample_rate", 0),
        ("win_length", 0),
        ("hop_length", 1.0),
        ("n_fft", 1),
        ("f_max", 0),
        ("window", "blackman"),
        ("scale", "bel"),
        ("amin", 1e-39),
    ],
)
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_wrong_parameters(name, value, method):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of LogPowerSpectrogram"):
        getattr(LogPowerSpectrogram(**{name: value}), method)(voices(9))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"win_length": 1601}, r"win_length is 1601 samples, .* 1600 points\. Lower win_length"),
        ({"f_max": 8001}, r"f_max is 8001 Hz, above half the sample rate, 8000 Hz"),
        ({"f_max": 8000.0001}, r"f_max is 8000.0001 Hz, above half the sample rate, 8000 Hz"),
        ({"sample_rate": 6000}, r"f_max is 4000 Hz, above half the sample rate, 3000 Hz"),
    ],
)
@pytest.mark.parametrize("form", [list, RecordingSequence])
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_parameters_that_do_not_fit_together(options, message, form, method):
    with pytest.raises(ValueError, match=message):
        getattr(LogPowerSpectrogram(**options), method)(form(voices(9)))


@pytest.mark.parametrize("scale", ["db", "ln", "power"])
@pytest.mark.parametrize("form", [list, RecordingSequence])
def test_a_power_beyond_float32_is_named(scale, form):
    X = form([np.ones(4000), np.full(4000, 1e30)])
    with pytest.raises(RecordingError, match=r"^X\[1\] is so loud .* before LogPowerSpectrogram"):
        list(LogPowerSpectrogram(scale=scale).transform(X))

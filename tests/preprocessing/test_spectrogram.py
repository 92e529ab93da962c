import subprocess
import sys
import warnings

import librosa
import numpy as np
import pytest
from numpy.testing import assert_allclose

from skspeech.exceptions import RecordingError
from skspeech.preprocessing import LogMelSpectrogram, _mel, _power
from skspeech.recordings import RecordingSequence
from skspeech.testing import small_instance

OPTIONS = {
    "default": {},
    "short hop": {"n_fft": 512, "hop_length": 160, "n_mels": 40},
    "8 kHz": {"sample_rate": 8000, "n_fft": 400, "hop_length": 100, "n_mels": 23},
    "44.1 kHz": {"sample_rate": 44100, "n_fft": 1024, "hop_length": 441, "n_mels": 64},
    "band": {"f_min": 80.0, "f_max": 4000.0, "n_mels": 32},
    "odd window": {"n_fft": 401, "hop_length": 100, "n_mels": 20},
    "hop beyond the window": {"n_fft": 64, "hop_length": 100, "n_mels": 8},
    "empty bands": {"n_fft": 64, "hop_length": 32, "n_mels": 64},
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


def transform(log_mel, X):
    """Return the spectrograms without a word on bands that hear nothing."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*mel bands hear nothing")
        return log_mel.transform(X)


def librosa_power(waveform, *, sample_rate=16000, f_min=0.0, f_max=None, **options):
    with warnings.catch_warnings():
        # told of a waveform shorter than a window, and of bands too narrow to hold a bin
        warnings.simplefilter("ignore")
        return librosa.feature.melspectrogram(
            y=waveform,
            sr=sample_rate,
            fmin=f_min,
            fmax=f_max,
            center=True,
            pad_mode="constant",
            **{"n_fft": 2048, "hop_length": 512, "n_mels": 128, **options},
        )


@EVERY_OPTION
@pytest.mark.parametrize("length", [1, 2, 63, 400, 1600, 16000])
def test_powers_are_librosas(options, length):
    (waveform,) = voices(length)
    wanted = librosa_power(waveform, **options)
    (found,) = transform(LogMelSpectrogram(scale="power", **options), [waveform])
    assert found.shape == wanted.shape
    assert found.dtype == np.float32
    assert_allclose(found, wanted, rtol=0, atol=1e-4 * wanted.max())


@EVERY_OPTION
@pytest.mark.parametrize("length", [1, 400, 16000])
def test_decibels_are_librosas(options, length):
    (waveform,) = voices(length)
    wanted = librosa.power_to_db(librosa_power(waveform, **options), ref=1.0, top_db=None)
    (found,) = transform(LogMelSpectrogram(**options), [waveform])
    heard = wanted > wanted.max() - 80
    assert heard.any()
    assert_allclose(found[heard], wanted[heard], rtol=0, atol=1e-3)
    assert (found[~heard] < wanted.max() - 79).all()


def test_ln_is_the_natural_logarithm_of_the_power():
    power = LogMelSpectrogram(scale="power").transform(voices(9000))[0]
    ln = LogMelSpectrogram(scale="ln").transform(voices(9000))[0]
    assert_allclose(ln, np.log(np.maximum(power, 1e-10)), atol=1e-4)


@pytest.mark.parametrize(("scale", "floor"), [("db", -60.0), ("ln", np.log(1e-6)), ("power", 0)])
def test_silence_is_the_floor(scale, floor):
    silence = LogMelSpectrogram(scale=scale, amin=1e-6).transform([np.zeros(5000)])[0]
    assert_allclose(silence, floor, atol=1e-4)


@EVERY_OPTION
def test_a_ragged_batch_answers_as_each_alone(options):
    window, hop = options.get("n_fft", 2048), options.get("hop_length", 512)
    X = voices(1, hop - 1, hop, hop + 1, 2 * hop, 7 * hop, window, 3 * window + 5, 3000)
    log_mel = LogMelSpectrogram(**options)
    together = transform(log_mel, X)
    for found, waveform in zip(together, X, strict=True):
        (alone,) = transform(log_mel, [waveform])
        assert found.shape == alone.shape == librosa_power(waveform, **options).shape
        assert_allclose(found, alone, atol=1e-5)


@pytest.mark.parametrize("n_samples", [1, 512, 1000, 5000])
def test_blocks_of_any_size_answer_alike(monkeypatch, n_samples):
    X = voices(100, 9000, 2500, 511)
    log_mel = LogMelSpectrogram(n_fft=512, n_mels=35, hop_length=100)
    wanted = log_mel.transform(X)
    monkeypatch.setattr(_power, "_BLOCK_SINGLES", n_samples)
    for found, other in zip(log_mel.transform(X), wanted, strict=True):
        assert_allclose(found, other, atol=1e-5)


def test_loudness_of_the_neighbours_does_not_matter():
    quiet, loud = voices(4000, 4000)
    log_mel = LogMelSpectrogram(n_fft=512, n_mels=32)
    alone = log_mel.transform([quiet])[0]
    assert_allclose(log_mel.transform([1e4 * loud, quiet])[1], alone, atol=1e-5)


def test_array_in_array_out():
    X = np.stack(voices(1600, 1600, 1600))
    cube = LogMelSpectrogram(n_fft=256, hop_length=80, n_mels=12).fit_transform(X)
    assert cube.shape == (3, 12, 21)
    assert cube.dtype == np.float32
    ragged = LogMelSpectrogram(n_fft=256, hop_length=80, n_mels=12).fit_transform(list(X))
    assert ragged.shape == (3,)
    assert_allclose(np.stack(list(ragged)), cube, atol=1e-5)


def test_sequence_in_sequence_out():
    X = voices(900, 1600)
    log_mel = LogMelSpectrogram(n_fft=256, n_mels=12)
    lazy = log_mel.fit_transform(RecordingSequence(X))
    assert isinstance(lazy, RecordingSequence)
    log_mel.set_params(n_mels=3)
    for found, wanted in zip(lazy, log_mel.set_params(n_mels=12).transform(X), strict=True):
        assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("lengths", [(80000,) * 20, (80000, 70000, 60000)])
def test_a_spectrogram_keeps_no_other_alive(lengths):
    for row in LogMelSpectrogram().transform(voices(*lengths)):
        assert row.base is None or row.base.nbytes == row.nbytes
        assert row.flags.writeable


def test_frames_are_centred():
    click = np.zeros(16000, np.float32)
    click[20 * 160] = 1
    (power,) = LogMelSpectrogram(n_fft=512, hop_length=160, n_mels=20, scale="power").transform(
        [click]
    )
    assert power.sum(axis=0).argmax() == 20


def test_the_published_size():
    assert LogMelSpectrogram().transform([np.ones(8 * 16000)])[0].shape == (128, 251)


def test_filters_are_built_once_for_many_recordings():
    _mel.mel_filters.cache_clear()
    list(LogMelSpectrogram(n_fft=64, n_mels=4).transform(RecordingSequence(voices(9, 9, 9))))
    assert _mel.mel_filters.cache_info().misses == 1


def test_torch_is_not_needed():
    code = (
        "import sys, numpy, skspeech.preprocessing as p\n"
        "p.LogMelSpectrogram().transform([numpy.ones(9)])\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sample_rate", 0),
        ("sample_rate", "16k"),
        ("n_fft", 1),
        ("n_fft", 512.0),
        ("hop_length", 0),
        ("n_mels", 0),
        ("f_min", -1),
        ("f_max", 0),
        ("scale", "bel"),
        ("amin", 0),
        ("amin", 1e-39),
        ("amin", 1e39),
    ],
)
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_wrong_parameters(name, value, method):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of LogMelSpectrogram"):
        getattr(LogMelSpectrogram(**{name: value}), method)(voices(9))


@pytest.mark.parametrize("options", [{"f_min": 8000}, {"f_min": 900.0, "f_max": 800}])
@pytest.mark.parametrize("form", [list, RecordingSequence])
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_a_band_turned_round(options, form, method):
    with pytest.raises(ValueError, match=r"f_min is \d+ Hz, not below f_max.* Lower f_min"):
        getattr(LogMelSpectrogram(**options), method)(form(voices(9)))


@pytest.mark.parametrize("options", [{"f_max": 8001}, {"f_max": 8000, "sample_rate": 8000}])
@pytest.mark.parametrize("form", [list, RecordingSequence])
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_a_band_beyond_half_the_sample_rate(options, form, method):
    with pytest.raises(ValueError, match=r"f_max is \d+ Hz, above half the sample rate, \d+ Hz"):
        getattr(LogMelSpectrogram(**options), method)(form(voices(9)))


def test_half_the_sample_rate_itself_is_heard():
    assert LogMelSpectrogram(f_max=8000).fit_transform(voices(9))[0].shape == (128, 1)


@pytest.mark.parametrize("form", [list, RecordingSequence])
@pytest.mark.parametrize("method", ["transform", "fit_transform"])
def test_bands_that_hear_nothing_are_told_once_a_call(form, method):
    with pytest.warns(UserWarning, match=r"^\d+ of 64 mel bands .* Lower n_mels .*n_fft") as told:
        found = getattr(LogMelSpectrogram(n_fft=64, n_mels=64, scale="power"), method)(
            form(voices(4000, 5000))
        )
    (n_deaf,) = {int((power.max(axis=1) == 0).sum()) for power in found}
    (warning,) = told
    assert str(warning.message).startswith(f"{n_deaf} of 64 ")


def test_the_small_instance_hears_with_every_band():
    small_instance("LogMelSpectrogram").fit_transform(voices(900))


@pytest.mark.parametrize("scale", ["db", "ln", "power"])
@pytest.mark.parametrize("value", [1e30, 1e19, 3e38])
@pytest.mark.parametrize("form", [list, np.stack, RecordingSequence, lambda X: [X[:1], X[1:]]])
def test_a_power_beyond_float32_is_named(scale, value, form):
    X = form([np.ones(4000), np.full(4000, value)])
    with pytest.raises(
        RecordingError, match=r"^X\[1\] is so loud that .* float32. Rescale .* LogMelSpectrogram\.$"
    ):
        list(LogMelSpectrogram(scale=scale).transform(X))

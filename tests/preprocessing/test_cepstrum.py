import warnings

import librosa
import numpy as np
import pytest
from numpy.testing import assert_allclose

from skspeech.exceptions import RecordingError
from skspeech.preprocessing import MFCC, LogMelSpectrogram
from skspeech.recordings import RecordingSequence
from skspeech.testing import small_instance

OPTIONS = {
    "default": {},
    "librosa's own": {"n_fft": 2048, "hop_length": 512, "n_mels": 128, "n_mfcc": 20},
    "8 kHz": {"sample_rate": 8000, "n_fft": 200, "hop_length": 100},
    "44.1 kHz": {"sample_rate": 44100, "n_fft": 1102, "hop_length": 441, "n_mfcc": 13},
    "band": {"f_min": 80.0, "f_max": 4000.0, "n_mels": 26, "n_mfcc": 13},
    "odd window": {"n_fft": 401, "hop_length": 100, "n_mels": 20, "n_mfcc": 20},
    "hop beyond the window": {"n_fft": 64, "hop_length": 100, "n_mels": 8, "n_mfcc": 5},
    "floor": {"amin": 1e-4},
}


def voices(*lengths):
    """Return noise under a slow envelope, with a tone, about as loud as speech."""
    rng = np.random.default_rng(0)
    return [
        (0.2 * np.sin(0.3 * np.arange(n)) + 0.05 * rng.standard_normal(n) * np.linspace(1, 0.1, n))
        .astype(np.float32)
        for n in lengths
    ]  # fmt: skip


def librosa_mfcc(
    waveform, *, sample_rate=16000, n_mfcc=40, f_min=0.0, f_max=None, amin=1e-10, **options
):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # told of a waveform shorter than a window
        power = librosa.feature.melspectrogram(
            y=waveform,
            sr=sample_rate,
            fmin=f_min,
            fmax=f_max,
            pad_mode="constant",
            **{"n_fft": 400, "hop_length": 200, "n_mels": 80, **options},
        )
    return librosa.feature.mfcc(S=librosa.power_to_db(power, amin=amin, top_db=None), n_mfcc=n_mfcc)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
@pytest.mark.parametrize("length", [1, 2, 63, 399, 400, 1601, 16000])
def test_values_are_librosas(options, length):
    (waveform,) = voices(length)
    wanted = librosa_mfcc(waveform, **options)
    (found,) = MFCC(**options).transform([waveform])
    assert found.shape == wanted.shape
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert_allclose(found, wanted, rtol=0, atol=5e-4)


@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "hop_length"), [(16000, 400, 200), (8000, 200, 100)]
)
def test_the_default_bands_of_25_ms_all_hear(sample_rate, n_fft, hop_length):
    front = MFCC(sample_rate=sample_rate, n_fft=n_fft, hop_length=hop_length)
    assert front.fit_transform(voices(8000))[0].shape == (40, 8000 // hop_length + 1)


def test_bands_that_hear_nothing_are_told():
    with pytest.warns(UserWarning, match=r"of 80 mel bands hear nothing"):
        MFCC(n_fft=64).transform(voices(100))


def test_all_coefficients_keep_all_that_the_bands_say():
    from scipy.fft import idct

    (mfcc,) = MFCC(n_mfcc=32, n_mels=32).transform(voices(4000))
    (bands,) = LogMelSpectrogram(n_fft=400, hop_length=200, n_mels=32).transform(voices(4000))
    assert_allclose(idct(mfcc, axis=0, norm="ortho"), bands, atol=1e-4)


@pytest.mark.parametrize("form", [list, RecordingSequence])
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_more_coefficients_than_bands(form, method):
    with pytest.raises(ValueError, match=r"n_mfcc is 41, but 40 mel bands .* raise n_mels\.$"):
        getattr(MFCC(n_mfcc=41, n_mels=40), method)(form(voices(9)))


@pytest.mark.parametrize(("name", "value"), [("n_mfcc", 0), ("n_mfcc", 2.0), ("amin", 0)])
def test_wrong_parameters(name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of MFCC"):
        MFCC(**{name: value}).fit(voices(9))


@pytest.mark.parametrize("options", [{"f_min": 8000}, {"f_max": 8001}])
def test_a_wrong_band(options):
    with pytest.raises(ValueError, match=r"^f_(min|max) is \d+ Hz"):
        MFCC(**options).fit(voices(9))


def test_a_power_beyond_float32_is_named():
    with pytest.raises(RecordingError, match=r"^X\[1\] is so loud that .* before MFCC\.$"):
        MFCC().transform([np.ones(4000), np.full(4000, 1e30)])


def test_bags_and_sequences():
    X = voices(900, 1600)
    front = small_instance("MFCC")
    wanted = front.transform(X)
    (bag,) = front.transform([X])
    for found, lazy, row in zip(bag, front.transform(RecordingSequence(X)), wanted, strict=True):
        assert_allclose(found, row, atol=1e-5)
        assert_allclose(lazy, row, atol=1e-5)

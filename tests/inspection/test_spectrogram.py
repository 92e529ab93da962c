import librosa
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skspeech.inspection import SpectrogramDisplay, plot_spectrogram
from skspeech.models import CNNLSTM2DClassifier
from skspeech.preprocessing import FixedDuration, LogMelSpectrogram, LogPowerSpectrogram

RATE, HOP = 16000, 160


def tone(hertz, seconds=0.5, rate=RATE):
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def loudest(display):
    """Return the edges, in s and Hz, of the loudest cell."""
    values = display.mesh_.get_array()
    row, column = np.unravel_index(values.argmax(), values.shape)
    corners = display.mesh_.get_coordinates()
    return corners[row : row + 2, column : column + 2].reshape(-1, 2)


def from_estimator(estimator, waveform):
    return SpectrogramDisplay.from_estimator(estimator, waveform, ax=Figure().subplots())


@pytest.mark.parametrize("band", [9, 30, 50, 70])
@pytest.mark.parametrize("edges", [{}, {"f_min": 100, "f_max": 7000}])
def test_a_tone_is_drawn_in_its_mel_band(edges, band):
    front_end = LogMelSpectrogram(sample_rate=RATE, hop_length=HOP, n_mels=80, **edges)
    lowest, highest = edges.get("f_min", 0), edges.get("f_max", RATE / 2)
    hertz = librosa.mel_frequencies(n_mels=82, fmin=lowest, fmax=highest)[band]
    hertzes = loudest(from_estimator(front_end, tone(hertz)))[:, 1]
    assert hertzes.min() <= hertz <= hertzes.max()


@pytest.mark.parametrize("hertz", [300, 1000, 3500])
@pytest.mark.parametrize("f_max", [None, 4000])
def test_a_tone_is_drawn_in_its_even_bin(f_max, hertz):
    front_end = LogPowerSpectrogram(sample_rate=RATE, hop_length=HOP, f_max=f_max)
    hertzes = loudest(from_estimator(front_end, tone(hertz)))[:, 1]
    np.testing.assert_allclose([hertzes.min(), hertzes.max()], [hertz - 5, hertz + 5])


def test_a_click_is_drawn_at_its_time():
    click = np.zeros(RATE)
    click[6400] = 1.0
    front_end = LogMelSpectrogram(sample_rate=RATE, n_fft=512, hop_length=HOP, n_mels=20)
    seconds = loudest(from_estimator(front_end, click))[:, 0]
    np.testing.assert_allclose([seconds.min(), seconds.max()], [0.395, 0.405])


def test_axes_and_units():
    display = plot_spectrogram(
        np.zeros((40, 9)), sample_rate=RATE, hop_length=HOP, ax=Figure().subplots()
    )
    display.figure_.draw_without_rendering()
    assert display.ax_.get_xlabel() == "time (s)"
    assert display.ax_.get_ylabel() == "frequency (kHz)"
    assert display.ax_.get_ylim() == (0, RATE / 2)
    labels = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert labels == ["0.25", "0.5", "1", "2", "4", "8"]


@pytest.mark.parametrize(
    ("scale", "unit", "deepest"),
    [("db", "power (dB)", 80), ("ln", "power (ln)", 18.42), ("power", "power", 1000)],
)
def test_scale_labels_the_bar_and_bounds_the_range(scale, unit, deepest):
    values = np.array([[-1000.0, 0.0]])
    display = plot_spectrogram(
        values, sample_rate=8, hop_length=1, scale=scale, ax=Figure().subplots()
    )
    assert unit in {axes.get_ylabel() for axes in display.figure_.axes}
    low, high = display.mesh_.get_clim()
    assert high - low == pytest.approx(deepest, rel=1e-3)


def test_one_value():
    for bins in ("mel", "linear"):
        display = plot_spectrogram(
            [[1.0]], sample_rate=RATE, hop_length=HOP, bins=bins, ax=Figure().subplots()
        )
        display.figure_.draw_without_rendering()


def test_pipeline_is_applied_up_to_the_spectrogram():
    front_end = LogMelSpectrogram(sample_rate=RATE, hop_length=HOP, n_mels=20)
    pipeline = make_pipeline(
        FixedDuration(duration=2.0, sample_rate=RATE),
        "passthrough",
        front_end,
        CNNLSTM2DClassifier(),
    )
    assert from_estimator(pipeline, tone(440)).spectrogram.shape == (20, 201)


@pytest.mark.parametrize(
    "estimator", [FixedDuration(), make_pipeline(FixedDuration()), LogisticRegression()]
)
def test_no_spectrogram_to_draw(estimator):
    with pytest.raises(TypeError, match=r"No LogMelSpectrogram or LogPowerSpectrogram in"):
        from_estimator(estimator, tone(440))


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (np.zeros(3), {}, r"shape \(3,\), not \(n_bins, n_frames\)"),
        (np.zeros((2, 3, 4)), {}, r"Give one channel"),
        (np.zeros((2, 0)), {}, r"shape \(2, 0\)"),
        (np.zeros((2, 3)), {"scale": "bel"}, r"scale is 'bel'"),
        (np.zeros((2, 3)), {"bins": "bark"}, r"bins is 'bark'"),
        (np.zeros((2, 3)), {"f_min": 9000}, r"f_min is 9000 Hz and f_max 8000 Hz"),
    ],
)
def test_refused(values, options, message):
    with pytest.raises(ValueError, match=message):
        plot_spectrogram(
            values, sample_rate=RATE, hop_length=HOP, ax=Figure().subplots(), **options
        )


def test_given_axes_no_pyplot_figure():
    before = plt.get_fignums()
    ax = Figure().subplots()
    assert plot_spectrogram(np.eye(4), sample_rate=RATE, hop_length=HOP, ax=ax).ax_ is ax
    assert plt.get_fignums() == before

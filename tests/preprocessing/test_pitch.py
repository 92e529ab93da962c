import re
import warnings

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skspeech.exceptions import RecordingError
from skspeech.preprocessing import PyinPitch, SaliencePitch, _candidates
from skspeech.preprocessing._tracking import Voicing, best_path, voiced_frames
from skspeech.recordings import RecordingSequence
from skspeech.testing import small_instance

BOTH = pytest.mark.parametrize("name", ["SaliencePitch", "PyinPitch"])

# Amplitudes of the harmonics of voices that are easy to hear an octave off.
VOICES = {
    "sine": [1],
    "falling": 1 / np.arange(1, 20),
    "flat": np.ones(10),
    "weak fundamental": np.r_[0.1, np.ones(9)],
    "no fundamental": np.r_[0, 1 / np.arange(2, 15)],
    "odd": [1, 0, 0.5, 0, 0.3, 0, 0.2],
    "high formant": np.exp(-0.5 * ((np.arange(1, 20) - 5) / 1.2) ** 2),
}


def sing(hertz, sample_rate, amplitudes=VOICES["falling"]):
    """Return a tone whose pitch at each sample is given, in Hz; no harmonic is aliased."""
    hertz = np.asarray(hertz, float)
    phase = 2 * np.pi * np.cumsum(hertz) / sample_rate
    parts = [
        np.where(h * hertz < 0.48 * sample_rate, a, 0) * np.sin(h * phase + 0.7 * h**2)
        for h, a in enumerate(amplitudes, 1)
        if a
    ]
    return np.sum(parts, axis=0).astype(np.float32)


def track(waveform, **options):
    (pitch,) = SaliencePitch(**options).transform([waveform])
    return pitch


def cents_off(pitch, hertz, hop_length=256, edge=5):
    """Return how far each frame is from the truth at its middle; an unvoiced frame is far."""
    truth = np.asarray(hertz)[np.minimum(np.arange(len(pitch)) * hop_length, len(hertz) - 1)]
    return np.abs(1200 * np.log2(np.maximum(pitch, 1) / truth))[edge : -edge or None]


@pytest.mark.parametrize("amplitudes", VOICES.values(), ids=VOICES.keys())
@pytest.mark.parametrize("hertz", [65, 80.3, 110, 220.7, 441, 980, 1750])
def test_a_steady_tone_is_found_within_three_cents(hertz, amplitudes):
    hertz = np.full(8000, hertz)
    assert cents_off(track(sing(hertz, 16000, amplitudes), sample_rate=16000), hertz).max() < 3


def test_a_tone_between_two_bins_is_not_rounded_to_one():
    hertz = 220 * 2 ** (np.array([0.0, 2.5, 5.0, 7.5]) / 1200)
    found = [track(sing(np.full(8000, f), 16000), sample_rate=16000)[15] for f in hertz]
    assert_allclose(1200 * np.log2(found / hertz), 0, atol=0.5)


@pytest.mark.parametrize("voice", ["sine", "falling", "flat"])
def test_a_glide_over_the_whole_range_is_followed(voice):
    hertz = 60 * (1700 / 60) ** np.linspace(0, 1, 3 * 22050)
    off = cents_off(
        track(sing(hertz, 22050, VOICES[voice]), sample_rate=22050, hop_length=128), hertz, 128, 9
    )
    assert off.max() < 5


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize(("hertz", "extent"), [(90, 100), (200, 150), (500, 100), (1000, 30)])
def test_a_vibrato_is_followed_also_in_noise(hertz, extent, noise):
    hertz = hertz * 2 ** (extent / 1200 * np.sin(2 * np.pi * 6 * np.arange(22050) / 22050))
    voice = sing(hertz, 22050)
    voice += noise * voice.std() * np.random.default_rng(0).standard_normal(len(voice))
    off = cents_off(track(voice, sample_rate=22050, hop_length=128), hertz, 128, 9)
    assert off.max() < 15


@pytest.mark.parametrize(
    ("sample_rate", "hop_length"),
    [(2000, 16), (8000, 64), (11025, 100), (48000, 256), (192000, 1000)],
)
def test_any_rate_will_do(sample_rate, hop_length):
    hertz = np.full(sample_rate // 2, 200.0)
    pitch = track(sing(hertz, sample_rate), sample_rate=sample_rate, hop_length=hop_length)
    assert len(pitch) == 1 + len(hertz) // hop_length
    assert cents_off(pitch, hertz, hop_length, edge=8).max() < 3


def test_a_frame_is_centred_on_its_hop():
    hertz = np.repeat([200.0, 300.0], 8000)
    pitch = track(sing(hertz, 16000), sample_rate=16000, hop_length=100)
    assert_allclose(pitch[[10, 76]], 200, rtol=2e-3)
    assert_allclose(pitch[[84, 150]], 300, rtol=2e-3)


class TestVoicing:
    def test_gaps_are_unvoiced_and_notes_are_not(self):
        note = sing(np.full(8000, 330.0), 16000)
        rng = np.random.default_rng(0)
        waveform = np.concatenate(
            [np.zeros(4000), note, np.zeros(4000), 0.5 * note, np.zeros(4000)]
        )
        waveform += 0.003 * rng.standard_normal(len(waveform))
        pitch = track(waveform, sample_rate=16000, hop_length=160)
        edge = 4  # frames that hear some of the note
        for start, stop in ((0, 25), (75, 100), (150, 175)):
            assert not pitch[start + edge : stop - edge].any()
        for start, stop in ((25, 75), (100, 150)):
            assert_allclose(pitch[start + edge : stop - edge], 330, rtol=2e-3)

    @pytest.mark.parametrize("colour", [0, 0.5, 1], ids=["white", "pink", "brown"])
    @pytest.mark.parametrize("sample_rate", [8000, 44100])
    def test_noise_has_no_pitch(self, sample_rate, colour):
        spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(5 * sample_rate))
        spectrum[1:] /= np.arange(1, len(spectrum)) ** colour
        spectrum[0] = 0
        pitch = track(
            np.fft.irfft(spectrum), sample_rate=sample_rate, hop_length=sample_rate // 100
        )
        assert np.mean(pitch > 0) < 0.01

    def test_what_is_softer_than_the_range_is_unvoiced(self):
        note = sing(np.full(8000, 330.0), 16000)
        waveform = np.concatenate([note, np.zeros(2000), 0.03 * note])  # 30 dB below
        options = {"sample_rate": 16000, "hop_length": 160}
        assert track(waveform, **options)[90] > 0
        assert track(waveform, **options, dynamic_range=25.0)[90] == 0

    def test_harmonicity_decides_how_much_noise_may_be_about_a_voice(self):
        voice = sing(np.full(16000, 330.0), 16000)
        voice += voice.std() * np.random.default_rng(0).standard_normal(len(voice))
        shares = [
            np.mean(track(voice, sample_rate=16000, min_harmonicity=h) > 0) for h in (0.3, 0.99)
        ]
        assert shares == [1.0, 0.0]

    def test_a_contour_that_is_too_short_is_left_out(self):
        blip = np.concatenate([np.zeros(8000), sing(np.full(800, 330.0), 16000), np.zeros(8000)])
        options = {"sample_rate": 16000, "hop_length": 80}
        assert track(blip, **options).any()
        assert not track(blip, **options, min_duration=0.2).any()

    def test_tolerance_keeps_the_loud_contours(self):
        note = sing(np.full(8000, 330.0), 16000)
        waveform = np.concatenate([note, np.zeros(2000), 0.2 * note])
        options = {"sample_rate": 16000, "hop_length": 160}
        assert track(waveform, **options)[90] > 0
        assert track(waveform, **options, voicing_tolerance=0.2)[90] == 0
        assert track(waveform, **options, voicing_tolerance=0.2)[25] > 0

    def test_a_leap_ends_a_contour(self):
        found = np.ones((20, 3), np.float32)
        found[:, 0] = np.repeat([5000, 6000], [5, 15])
        rules = Voicing(0.6, 40.0, min_frames=6, largest_step=160.0, tolerance=None)
        assert_array_equal(voiced_frames(found, rules), np.repeat([False, True], [5, 15]))
        rules = rules._replace(largest_step=2000.0)
        assert voiced_frames(found, rules).all()


class TestPath:
    def candidates(self, *frames):
        """Return candidates from (cents, salience) pairs, 0 behind the last of each frame."""
        found = np.zeros((len(frames), 3, 3), np.float32)
        for row, frame in zip(found, frames, strict=True):
            row[: len(frame), :2] = np.reshape(frame, (-1, 2))
        return found

    def test_one_frame_an_octave_off_is_mended(self):
        steady, off = [(5000, 1.0), (6200, 0.7)], [(6200, 1.0), (5000, 0.9)]
        found = self.candidates(*[steady] * 5, off, *[steady] * 5)
        assert_array_equal(best_path(found, 160.0, 1.0), [0] * 5 + [1] + [0] * 5)
        assert_array_equal(best_path(found, 160.0, 0.0), 0)

    def test_a_lasting_leap_is_followed(self):
        low, high = [(5000, 1.0), (6200, 0.5)], [(6200, 1.0), (5000, 0.5)]
        found = self.candidates(*[low] * 5, *[high] * 5)
        assert_array_equal(best_path(found, 160.0, 1.0), 0)

    def test_silence_between_costs_nothing(self):
        found = self.candidates([(5000, 1.0)], [], [(6200, 1.0), (5000, 0.99)])
        assert_array_equal(best_path(found, 160.0, 10.0), 0)

    @settings(max_examples=30)
    @given(seed=st.integers(0, 2**32 - 1), n_frames=st.integers(1, 5))
    def test_no_path_is_cheaper(self, seed, n_frames):
        rng = np.random.default_rng(seed)
        found = np.zeros((n_frames, 3, 3), np.float32)
        found[..., 0] = rng.uniform(4000, 4400, (n_frames, 3))
        found[..., 1] = -np.sort(-rng.uniform(0.1, 1, (n_frames, 3)))

        def cost(path):
            cents, salience, _ = found[np.arange(n_frames), path].T.astype(float)
            steps = np.minimum(np.abs(np.diff(cents)) / 160, 1)
            return np.log(found[:, 0, 1] / salience).sum() + 0.7 * steps.sum()

        paths = np.stack(np.meshgrid(*[range(3)] * n_frames), -1).reshape(-1, n_frames)
        found_cost = cost(best_path(found, 160.0, 0.7))
        assert_allclose(found_cost, min(cost(path) for path in paths), atol=1e-5)


def phrase(sample_rate=8000):
    """Return two sung notes with a breath between them."""
    rng = np.random.default_rng(1)
    hertz = np.repeat([180.0, 240.0], sample_rate // 4)
    voice = sing(hertz, sample_rate)
    voice[sample_rate // 5 : sample_rate // 4] = 0
    return voice + 0.01 * rng.standard_normal(len(voice)).astype(np.float32)


@settings(max_examples=15, deadline=None)
@given(exponent=st.floats(-30, 30))
def test_loudness_does_not_matter(exponent):
    wanted = track(phrase(), sample_rate=8000, hop_length=64)
    assert (wanted > 0).mean() > 0.5
    louder = (phrase() * 10.0**exponent).astype(np.float32)
    found = track(louder, sample_rate=8000, hop_length=64)
    assert_array_equal(found > 0, wanted > 0)
    assert_allclose(found, wanted, rtol=1e-4)


@settings(max_examples=15, deadline=None)
@given(n_hops=st.integers(1, 50))
def test_a_shift_by_whole_hops_shifts_the_pitch(n_hops):
    voice = phrase() - phrase().mean()
    wanted = track(voice, sample_rate=8000, hop_length=64)
    later = track(np.pad(voice, (64 * n_hops, 0)), sample_rate=8000, hop_length=64)
    assert not later[: n_hops - 6 if n_hops > 6 else 0].any()
    assert_allclose(later[n_hops:], wanted, rtol=1e-3)


@settings(max_examples=25, deadline=None)
@given(
    n_samples=st.integers(1, 3000), hop_length=st.integers(1, 500), win_length=st.integers(4, 900)
)
def test_frames_are_counted_by_hops(n_samples, hop_length, win_length):
    voice = sing(np.full(n_samples, 300.0), 8000)
    pitch = track(voice, sample_rate=8000, hop_length=hop_length, win_length=win_length)
    assert pitch.shape == (1 + n_samples // hop_length,)
    assert pitch.dtype == np.float32
    assert np.isfinite(pitch).all()
    assert ((pitch == 0) | ((pitch >= 55) & (pitch <= 1760))).all()


HARD = {
    "silence": np.zeros(5000),
    "one sample": np.ones(1),
    "10 ms": sing(np.full(80, 300.0), 8000),
    "constant": np.full(5000, 3.0),
    "click": np.eye(1, 5000, 2500)[0],
    "clipped": np.clip(100 * phrase(), -1, 1),
    "tiny": np.float32(1e-44) * phrase(),
    "huge": np.float32(1e38) * phrase() / np.abs(phrase()).max(),
    "alternating": np.tile([1.0, -1.0], 2500),
}


@pytest.mark.parametrize("waveform", HARD.values(), ids=HARD.keys())
@pytest.mark.parametrize(
    "estimator",
    [SaliencePitch(sample_rate=8000, hop_length=64), PyinPitch(sample_rate=8000, hop_length=64)],
    ids=["SaliencePitch", "PyinPitch"],
)
def test_hard_recordings_have_an_answer(estimator, waveform):
    (pitch,) = estimator.transform([waveform.astype(np.float32)])
    assert pitch.shape == (1 + len(waveform) // 64,)
    assert pitch.dtype == np.float32
    assert np.isfinite(pitch).all()
    assert (pitch >= 0).all()


@pytest.mark.parametrize("waveform", ["silence", "one sample", "constant", "click"])
def test_what_is_no_voice_has_no_pitch(waveform):
    assert not track(HARD[waveform], sample_rate=8000, hop_length=64).any()


@pytest.mark.parametrize("spoilt", [np.sign, lambda y: np.clip(y, -0.2, 0.2), lambda y: y + 50])
def test_clipping_and_an_offset_leave_the_pitch(spoilt):
    hertz = np.full(16000, 200.0)
    pitch = track(spoilt(sing(hertz, 16000)), sample_rate=16000, hop_length=160)
    assert cents_off(pitch, hertz, 160).max() < 1


@pytest.mark.parametrize("n_samples", [1, 2000, 10000])
def test_blocks_of_any_size_answer_alike(monkeypatch, n_samples):
    estimator = SaliencePitch(sample_rate=8000, hop_length=64)
    wanted = estimator.transform([phrase()])[0]
    monkeypatch.setattr(_candidates, "_BLOCK", n_samples)
    assert_allclose(estimator.transform([phrase()])[0], wanted, rtol=1e-5)


@BOTH
def test_collections_bags_and_sequences(name):
    estimator = small_instance(name)
    X = [sing(np.full(n, 150.0), 800) for n in (400, 300)]
    wanted = [estimator.transform([x])[0] for x in X]
    (bag,) = estimator.transform([X])
    lazy = estimator.transform(RecordingSequence(X))
    assert isinstance(lazy, RecordingSequence)
    for found in (estimator.transform(X), bag, lazy):
        for one, other in zip(found, wanted, strict=True):
            assert_array_equal(one, other)
    table = estimator.transform(np.stack([X[1], X[1]]))
    assert table.shape == (2, 1 + 300 // 8)
    assert table.dtype == np.float32


@BOTH
def test_parameters_are_refused(name):
    estimator, X = small_instance(name), [np.ones(100)]
    with pytest.raises(ValueError, match=r"f_min is 500\.0 Hz, not below 400\.0 Hz"):
        estimator.set_params(f_min=500.0, f_max=1000.0).fit(X)
    with pytest.raises(ValueError, match=r"f_min is 120\.0 Hz, not below 110\.0 Hz"):
        estimator.set_params(f_min=120.0, f_max=110.0).fit(X)
    with pytest.raises(ValueError, match="hop_length"):
        small_instance(name).set_params(hop_length=0).fit(X)
    with pytest.raises(RecordingError, match="NaN"):
        small_instance(name).transform([np.full(100, np.nan)])


def test_a_range_that_is_empty_at_this_rate_is_refused_at_transform_too():
    estimator = SaliencePitch().fit([np.ones(100)]).set_params(sample_rate=100)
    with pytest.raises(ValueError, match=r"f_min is 55\.0 Hz, not below 50\.0 Hz"):
        estimator.transform([np.ones(100)])


class TestPyin:
    @pytest.mark.parametrize("frame_length", [372, 371])
    def test_the_answer_is_librosas(self, frame_length):
        voice = phrase()
        estimator = PyinPitch(sample_rate=8000, hop_length=100, frame_length=frame_length)
        wanted, _, _ = librosa.pyin(
            voice,
            fmin=55,
            fmax=1760,
            sr=8000,
            frame_length=frame_length,
            hop_length=100,
            fill_na=0,
        )
        found = estimator.transform([voice])[0]
        assert len(found) == 1 + len(voice) // 100
        assert_allclose(found[: len(wanted)], wanted, rtol=1e-5)

    def test_a_frame_that_is_too_short_is_refused(self):
        message = "A frame of 200 samples is no longer than two periods of f_min, 55.0 Hz. Raise"
        with pytest.raises(ValueError, match=re.escape(message)):
            PyinPitch(sample_rate=8000, frame_length=200).fit([np.ones(100)])

    @pytest.mark.parametrize("sample_rate", [2000, 2205, 11025, 48000])
    def test_the_default_frame_is_long_enough_at_any_rate(self, sample_rate):
        hertz = np.full(sample_rate // 4, 200.0)
        estimator = PyinPitch(sample_rate=sample_rate, hop_length=sample_rate // 50)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            (pitch,) = estimator.transform([sing(hertz, sample_rate)])
        assert_allclose(pitch[4:8], 200, rtol=0.01)


@BOTH
def test_a_constant_is_not_heard(name):
    pitch = {"SaliencePitch": SaliencePitch, "PyinPitch": PyinPitch}[name](sample_rate=8000)
    voice = sing(np.full(2000, 220.0), 8000).astype(np.float64)
    (wanted,), (found,) = (pitch.fit_transform([x]) for x in (voice, 1e-2 * voice + 1))
    assert (wanted[2:-2] > 0).all()
    assert_allclose(found[2:-2], wanted[2:-2], rtol=0.01)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skspeech.datasets import make_tongue_ultrasound
from skspeech.datasets._tongue_shapes import (
    PHONES,
    VOWELS,
    Anatomy,
    Posture,
    areas,
    formants,
    target_gap,
)

SMALL = {"duration": (0.8, 1.2), "n_vectors": 32, "n_pixels": 64, "sample_rate": 11025}
MAN = Anatomy(tract=1.0, palate=5.0, size=1.0, tilt=0.0)


@pytest.fixture(scope="module")
def tongues():
    return make_tongue_ultrasound(2, 3, **SMALL, random_state=0)


def mel(waveform, sample_rate, frame_rate):
    """Return log-mels at the frames, without librosa's fractional hop: by the nearest sample."""
    import librosa

    hop = sample_rate / frame_rate
    padded = np.pad(waveform, 256)
    n_frames = int(len(waveform) // hop) + 1
    windows = np.stack(
        [padded[c : c + 512] for c in np.round(np.arange(n_frames) * hop).astype(int)]
    )
    spectra = np.abs(np.fft.rfft(windows * np.hanning(512)))
    bank = librosa.filters.mel(sr=sample_rate, n_fft=512, n_mels=20)
    return np.log(np.maximum(spectra @ bank.T, 1e-5))


def test_bunch_is_aligned(tongues):
    assert tongues.data.shape == tongues.audio.shape == tongues.contours.shape == (6,)
    assert tongues.speakers.tolist() == ["speaker 1"] * 3 + ["speaker 2"] * 3
    assert tongues.sentences.tolist() == [0, 1, 2] * 2
    assert tongues.texts[0] == tongues.texts[3]
    assert (tongues.frame_rate, tongues.sample_rate) == (81.67, 11025)
    assert tongues.pixels_per_mm == pytest.approx(64 / 85)
    assert "synthesised" in tongues.DESCR.lower() or "synthetic" in tongues.DESCR.lower()


def test_frames_and_samples_cover_the_same_time(tongues):
    hop = tongues.sample_rate / tongues.frame_rate
    for video, waveform, contour in zip(tongues.data, tongues.audio, tongues.contours, strict=True):
        assert video.dtype == np.uint8
        assert waveform.dtype == contour.dtype == np.float32
        assert video.shape == (len(contour), 32, 64)
        assert contour.shape[1] == 32
        # whether or not the frame at the end counts: floor + 1 and ceil agree
        assert int(len(waveform) / hop) + 1 == int(np.ceil(len(waveform) / hop)) == len(video)


@settings(max_examples=8, deadline=None)
@given(
    frame_rate=st.floats(20, 200),
    n_vectors=st.integers(2, 70),
    n_pixels=st.integers(2, 100),
    sample_rate=st.sampled_from([8000, 16000, 22050]),
    speckle=st.floats(0, 1),
    snr=st.floats(0, 100),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_probe_gives_videos_and_waveforms(seed, sample_rate, n_vectors, n_pixels, **how):
    tongues = make_tongue_ultrasound(
        1,
        1,
        duration=(0.5, 0.7),
        n_vectors=n_vectors,
        n_pixels=n_pixels,
        sample_rate=sample_rate,
        random_state=seed,
        **how,
    )
    (video,), (waveform,), (contour,) = tongues.data, tongues.audio, tongues.contours
    assert video.shape == (*contour.shape, n_pixels)
    assert np.isfinite(waveform).all()
    assert 0.01 < np.abs(waveform).max() <= 1.0
    assert ((contour > 0) & (contour < n_pixels)).all()
    hop = sample_rate / tongues.frame_rate
    assert int(len(waveform) / hop) + 1 == len(video)


def test_contour_is_where_the_image_is_brightest():
    fine = {**SMALL, "n_pixels": 170}  # 2 pixels a mm
    for speckle, worst in ((0.0, 1.5), (1.0, 3.0)):
        tongues = make_tongue_ultrasound(2, 1, **fine, speckle=speckle, random_state=1)
        for video, contour in zip(tongues.data, tongues.contours, strict=True):
            middle = slice(8, 24)  # out of the shadows
            brightest = video[:, middle, 20:].argmax(axis=2) + 20.5
            away = np.abs(brightest - contour[:, middle])
            assert np.median(away) < worst


def test_shadows_hide_both_ends(tongues):
    for video, contour in zip(tongues.data, tongues.contours, strict=True):
        at = np.minimum(contour.astype(int), 63)[:, :, None]
        level = np.take_along_axis(video, at, axis=2)[:, :, 0].mean(axis=0)
        assert max(level[0], level[-1]) < 0.5 * level[12:20].mean()


def test_tissue_gets_darker_with_depth_and_air_is_dark(tongues):
    video, contour = tongues.data[0].astype(float), tongues.contours[0]
    depths = np.arange(64) + 0.5
    middle = (np.arange(32) > 8) & (np.arange(32) < 24)
    shallow = (depths > 8) & (depths < 16)
    deep = (depths > 22) & (depths < contour[:, middle].min() - 3)
    air = depths > contour.max() + 5
    means = [video[:, middle][:, :, part].mean() for part in (shallow, deep, air)]
    assert means[0] > means[1] > means[2] + 10


def test_speckle_is_grain_and_can_be_left_out():
    smooth, grainy = (
        make_tongue_ultrasound(1, 1, **SMALL, speckle=speckle, random_state=0)
        for speckle in (0.0, 1.0)
    )
    np.testing.assert_array_equal(smooth.contours[0], grainy.contours[0])
    np.testing.assert_array_equal(smooth.audio[0], grainy.audio[0])
    roughness = [
        np.abs(np.diff(v[:, 8:24, 8:20].astype(float), axis=1)).mean()
        for v in (smooth.data[0], grainy.data[0])
    ]
    assert roughness[0] < 1 < 10 < roughness[1]


def test_noise_has_the_level_asked_for():
    quiet, loud = (
        make_tongue_ultrasound(1, 1, **SMALL, snr=snr, random_state=0).audio[0]
        for snr in (np.inf, 20)
    )
    rest = slice(0, 600)  # the tongue has not begun to move
    assert np.abs(quiet[rest]).max() < 0.01 * np.abs(quiet).max()
    assert 17 < 20 * np.log10(np.std(loud) / np.std(loud[rest])) < 23


@pytest.mark.parametrize(
    ("vowel", "first", "second"),
    [("i", 270, 2290), ("ɛ", 530, 1840), ("ɑ", 730, 1090), ("ɔ", 570, 840), ("u", 300, 870)],  # noqa: RUF001
)
def test_vowels_have_the_formants_of_vowels(vowel, first, second):
    phone = VOWELS[vowel]
    posed = Posture(target_gap(phone)[None], np.array([phone.lips]), np.ones(1))
    found = formants(posed, MAN, 3)[0]
    assert found[0] == pytest.approx(first, rel=0.25)
    assert found[1] == pytest.approx(second, rel=0.25)


def test_uniform_tube_resonates_at_odd_quarters():
    # all of the tract as wide as the larynx' last section; the larynx itself is a little narrower
    gap = np.full((1, 40), 10 * (2.25 / 1.6) ** (1 / 1.5))
    found = formants(Posture(gap, np.array([2.25]), np.ones(1)), MAN, 4)[0]
    np.testing.assert_allclose(found, [500, 1500, 2500, 3500], rtol=0.06)


def test_short_tracts_resonate_higher():
    gap = target_gap(VOWELS["i"])[None]
    posed = Posture(gap, np.array([3.0]), np.ones(1))
    child = MAN._replace(tract=0.8)
    np.testing.assert_allclose(formants(posed, child, 5), formants(posed, MAN, 5) / 0.8)


def test_stops_close_the_tract_and_vowels_do_not():
    closed = {name for name, phone in PHONES.items() if areas(target_gap(phone)).min() < 0.01}
    assert closed == set("tdkg")


def test_a_closed_tract_is_silent():
    from skspeech.datasets.tongue import _sources

    gap = np.full((3, 40), 8.0)
    gap[0, 20] = -1.0
    posed = Posture(gap, np.array([2.0, 2.0, 0.001]), np.array([0.0, 1.0, 1.0]))
    voice, noise = _sources(posed)
    assert voice[0] == voice[2] == 0 < voice[1]
    assert noise.max() < 0.01


def test_speech_can_be_told_from_the_tongue():
    from sklearn.linear_model import Ridge
    from sklearn.metrics import r2_score

    tongues = make_tongue_ultrasound(1, 8, **SMALL, random_state=0)
    frames = [v.reshape(len(v), 8, 4, 16, 4).mean((2, 4)).reshape(len(v), -1) for v in tongues.data]
    mels = [mel(w, tongues.sample_rate, tongues.frame_rate) for w in tongues.audio]
    model = Ridge(1e4).fit(np.vstack(frames[:6]), np.vstack(mels[:6]))
    score = r2_score(np.vstack(mels[6:]), model.predict(np.vstack(frames[6:])))
    assert 0.2 < score < 0.9
    shuffled = r2_score(np.vstack(mels[6:])[::-1], model.predict(np.vstack(frames[6:])))
    assert shuffled < score - 0.2


def test_same_random_state_makes_the_same_recordings_however_many(tongues):
    np.random.seed(7)  # noqa: NPY002 - the global state must not matter
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    again = make_tongue_ultrasound(1, 2, **SMALL, random_state=0)
    for name in ("data", "audio", "contours"):
        for one, other in zip(tongues[name][:2], again[name], strict=True):
            np.testing.assert_array_equal(one, other, strict=True)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_probe_changes_no_sound(tongues):
    finer = make_tongue_ultrasound(
        1, 1, **{**SMALL, "n_vectors": 63, "n_pixels": 128}, random_state=0
    )
    np.testing.assert_array_equal(finer.audio[0], tongues.audio[0])
    # every second of the finer directions: the same contour in finer pixels
    np.testing.assert_allclose(
        finer.contours[0][:, [0, -1]] / 2, tongues.contours[0][:, [0, -1]], rtol=1e-5
    )


def test_no_random_state_makes_new_recordings():
    first, second = (make_tongue_ultrasound(1, 1, **SMALL).audio[0] for _ in range(2))
    assert not np.array_equal(first[:500], second[:500])


def test_random_state_instance_moves_on():
    rng = np.random.RandomState(0)
    first, second = (
        make_tongue_ultrasound(1, 1, **SMALL, random_state=rng).audio[0] for _ in range(2)
    )
    assert not np.array_equal(first[:500], second[:500])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_speakers": 0}, "n_speakers"),
        ({"n_sentences": 1.5}, "n_sentences"),
        ({"duration": (0.2, 1.0)}, "neither below 0.5"),
        ({"duration": (2.0, 1.0)}, "shorter one first"),
        ({"duration": (1.0,)}, "shortest and the longest"),
        ({"duration": ("a", "b")}, "shortest and the longest"),
        ({"duration": 2.0}, "duration"),
        ({"frame_rate": 0}, "frame_rate"),
        ({"n_vectors": 1}, "n_vectors"),
        ({"n_pixels": 1}, "n_pixels"),
        ({"sample_rate": 4000}, "sample_rate"),
        ({"speckle": 1.5}, "speckle"),
        ({"snr": -1}, "snr"),
        ({"random_state": -1}, "random_state"),
    ],
)
def test_unusable_parameters_are_named(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make_tongue_ultrasound(**arguments)


def test_mel_targets_are_as_many_as_frames(tongues):
    from skspeech.preprocessing import MelTargets

    spectra = MelTargets(sample_rate=11025, frame_rate=81.67, f_max=5000, n_fft=512)
    found = spectra.fit_transform(tongues.audio)
    assert [len(each) for each in found] == [len(video) for video in tongues.data]


def test_before_a_vowel_lips_close_over_its_tongue():
    from skspeech.datasets.tongue import _articulate

    _, closed, _, _ = _articulate(np.random.default_rng(0), "pi", 1.0).phones
    assert closed.place == pytest.approx(VOWELS["i"].place, abs=0.15)  # of p it is 0
    assert closed.height == pytest.approx(VOWELS["i"].height, abs=3)


def test_a_surface_is_dimmer_where_it_slants():
    from skspeech.datasets._tongue_images import View, _line_levels

    contour = np.full((1, 64), 50.0)
    contour[:, 32:] += np.arange(32)  # mm, a scan line apart
    view = View(gain=0.0, hyoid=-2.0, jaw=2.0)
    surface = _line_levels(np.random.default_rng(0), contour, view, 80.0)[0, 0]
    np.testing.assert_allclose(surface[:31], 0, atol=1e-9)
    assert surface[33:].max() < -2  # dB


def test_speckle_is_stretched_with_the_tongue():
    from skspeech.datasets._tongue_images import _speckle, _textures

    textures = _textures(np.random.default_rng(0), 4, 100)
    low, high = (
        _speckle(textures, np.full((1, 4), depth, np.float32), np.zeros(1, np.float32), 100)
        for depth in (40.0, 80.0)
    )
    assert np.mean(np.isclose(low[..., :50], high[..., ::2])) > 0.95


def test_the_probe_rings(tongues):
    for video in tongues.data:
        assert video[:, 8:24, 0].mean() > 1.5 * video[:, 8:24, 8].mean()

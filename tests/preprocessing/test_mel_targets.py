import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skspeech.datasets import load_voice_prompts
from skspeech.exceptions import RecordingError
from skspeech.preprocessing import MelTargets
from skspeech.recordings import RecordingSequence, object_array


def noise(*lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [(0.1 * rng.standard_normal(n)).astype(np.float32) for n in lengths]


def by_librosa(waveform, hop_length):
    """The published steps: magnitude, Slaney's bands, the logarithm of what is at least 1e-5."""
    magnitude = np.abs(
        librosa.stft(waveform.astype(float), n_fft=1024, hop_length=hop_length, pad_mode="reflect")
    )
    filters = librosa.filters.mel(sr=22050, n_fft=1024, n_mels=80, fmin=0, fmax=8000)
    return np.log(np.maximum(filters @ magnitude, 1e-5)).T


@pytest.mark.parametrize("hop_length", [270, 256])
def test_published_figures_where_the_hop_is_whole(hop_length):
    lengths = (22050, 270 * 40, 256 * 40 - 1, 9001)
    waveforms = noise(*lengths)
    waveforms[1][5000:] = 0  # silence
    targets = MelTargets(frame_rate=22050 / hop_length).fit_transform(waveforms)
    for waveform, found in zip(waveforms, targets, strict=True):
        wanted = by_librosa(waveform, hop_length)
        assert found.dtype == np.float32
        assert found.shape == wanted.shape
        assert found.flags.c_contiguous
        assert_allclose(found, wanted, atol=5e-4)
    assert_allclose(targets[1][-10:], np.log(1e-5), rtol=1e-6)


def test_the_default_is_a_hop_of_270():
    assert MelTargets().hop_length == 270
    assert MelTargets(frame_rate=100, sample_rate=16000).hop_length == 160


@settings(deadline=None, max_examples=30)
@given(
    st.floats(20, 400),
    st.sampled_from([8000, 16000, 22050, 44100]),
    st.integers(1, 5000),
)
def test_frame_i_is_centred_where_the_rates_say(frame_rate, sample_rate, n_samples):
    """Of a click, only frames whose window covers it know, as many on either side."""
    targets = MelTargets(
        frame_rate=frame_rate, sample_rate=sample_rate, n_fft=64, n_mels=4, f_max=None
    )
    click = np.zeros(n_samples, np.float32)
    place = n_samples // 2
    click[place] = 1
    found = targets.fit_transform([click])[0]
    hop = sample_rate / frame_rate
    assert len(found) in {int((n_samples - shift) / hop) + 1 for shift in (-1e-6, 0, 1e-6)}
    centres = np.rint(np.arange(len(found)) * hop)
    inner = (centres > 64) & (centres < n_samples - 64)
    distance = np.abs(place - centres)
    heard = found.max(axis=1) > np.log(1.01e-5)
    assert heard[inner & (distance < 30)].all()
    assert not heard[inner & (distance > 33)].any()


def test_frames_keep_pace_with_the_video_for_an_hour():
    """The frame after an hour is centred within half a sample of where the video's is."""
    from skspeech.preprocessing._mel_inversion import exact_hop, frame_centres

    for frame_rate in (81.67, 81.582, 121.618, 22050 / 270, 82 + 1e-7):
        hop = exact_hop(22050, frame_rate)
        centres = frame_centres(3600 * 22050, hop)
        i = np.arange(len(centres))
        assert np.abs(centres - i * 22050 / frame_rate).max() <= 0.51
        assert len(centres) - 1 == pytest.approx(3600 * frame_rate, abs=1)


def test_short_waveforms():
    targets = MelTargets().fit_transform(noise(1, 2, 269, 270, 271))
    assert [len(x) for x in targets] == [1, 1, 1, 2, 2]
    assert np.isfinite(np.concatenate(list(targets))).all()


def test_an_array_gives_an_array_and_a_sequence_a_sequence():
    waveforms = noise(900, 900)
    wanted = MelTargets().fit_transform(waveforms)
    together = MelTargets().fit_transform(np.stack(waveforms))
    assert together.shape == (2, 4, 80)
    lazy = MelTargets().fit_transform(RecordingSequence(waveforms))
    assert isinstance(lazy, RecordingSequence)
    for found in (together, lazy):
        for x, y in zip(found, wanted, strict=True):
            assert_array_equal(x, y)


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"frame_rate": 30000}, "frame_rate is 30000"),
        ({"frame_rate": 0}, "frame_rate"),
        ({"f_max": 12000.0}, "f_max is 12000 Hz"),
        ({"amin": 0.0}, "amin"),
    ],
)
def test_parameters_are_checked(parameters, match):
    with pytest.raises(ValueError, match=match):
        MelTargets(**parameters).fit(noise(300))


def test_bands_that_hear_nothing_are_said():
    with pytest.warns(UserWarning, match="mel bands hear nothing"):
        MelTargets(n_mels=200, n_fft=256).fit_transform(noise(300))


# inverse_transform


@pytest.fixture(scope="module")
def voice():
    prompts = load_voice_prompts()
    waveform = prompts.data[3][:8000]
    return librosa.resample(waveform, orig_sr=prompts.sample_rate, target_sr=22050)


@pytest.mark.parametrize(("frame_rate", "worst"), [(22050 / 270, 0.12), (60.0, 0.18)])
def test_sound_from_targets_has_those_targets(voice, frame_rate, worst):
    """To 1 dB, and 1.6 dB where spectra are interpolated; after one iteration it is 2.5 dB."""
    mel = MelTargets(frame_rate=frame_rate)
    (targets,) = mel.fit_transform([voice])
    (sound,) = mel.inverse_transform([targets])
    assert sound.dtype == np.float32
    again = mel.transform([sound])[0]
    assert again.shape == targets.shape
    loud = targets > targets.max() - np.log(100)  # 40 dB
    assert np.abs(again - targets)[loud].mean() < worst
    shuffled = np.random.default_rng(0).permutation(targets)
    assert np.abs(again - targets)[loud].mean() < 0.3 * np.abs(shuffled - targets)[loud].mean()


def test_between_the_frames_of_a_slow_video_there_is_sound(voice):
    """At 15 frames a second their windows do not touch: without more of them there are gaps."""
    mel = MelTargets(frame_rate=15)
    (sound,) = mel.inverse_transform(mel.fit_transform([voice]))
    n_samples = min(len(voice), len(sound))
    wanted, found = MelTargets().fit_transform([voice[:n_samples], sound[:n_samples]])
    loud = wanted > wanted.max() - np.log(100)
    assert np.abs(found - wanted)[loud].mean() < 1


@settings(deadline=None, max_examples=8)
@given(st.integers(1, 12), st.sampled_from([22050 / 270, 81.67, 60.0, 25.0, 122.34]))
def test_as_many_frames_come_back(n_frames, frame_rate):
    mel = MelTargets(frame_rate=frame_rate, n_mels=10)
    targets = np.full((n_frames, 10), -4.0)
    (sound,) = mel.inverse_transform([targets])
    assert np.isfinite(sound).all()
    assert len(mel.transform([sound])[0]) == n_frames


def test_the_same_targets_give_the_same_sound_in_every_container(voice):
    mel = MelTargets()
    targets = mel.fit_transform([voice[:3000], voice[:2000]])
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 - the global one is meant
    sounds = mel.inverse_transform(targets)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    lazy = mel.inverse_transform(RecordingSequence(targets))
    assert isinstance(lazy, RecordingSequence)
    together = mel.inverse_transform(np.stack([targets[0]] * 2))
    assert together.shape == (2, len(sounds[0]))
    bags = mel.inverse_transform(object_array([list(targets)]))
    for found in (lazy[0], together[1], bags[0][0]):
        assert_array_equal(found, sounds[0])


def test_silence_stays_silent():
    (sound,) = MelTargets().inverse_transform([np.full((20, 80), np.log(1e-5))])
    assert np.abs(sound).max() < 1e-3


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (np.full((4, 80), 50.0), r"X\[1\] holds 50"),
        (np.full((4, 79), -4.0), r"X\[1\] has 79 outputs a frame, not 80"),
        (np.full((4, 80), np.nan), r"X\[1\] holds NaN"),
        (np.zeros(80), r"X\[1\] has shape \(80,\)"),
    ],
)
def test_targets_that_are_no_spectra_are_named(bad, match):
    with pytest.raises(RecordingError, match=match):
        MelTargets().inverse_transform([np.full((4, 80), -4.0), bad])


def test_targets_read_on_access_are_named_too():
    lazy = RecordingSequence([np.full((4, 80), -4.0), np.full((4, 80), 50.0)])
    sounds = MelTargets().inverse_transform(lazy)
    assert len(sounds[0]) == 4 * 270 - 1
    with pytest.raises(RecordingError, match=r"X\[1\] holds 50"):
        sounds[1]


def test_a_later_set_params_changes_no_lazy_sound():
    mel = MelTargets()
    sounds = mel.inverse_transform(RecordingSequence([np.full((4, 80), -4.0)]))
    mel.set_params(frame_rate=100)
    assert len(sounds[0]) == 4 * 270 - 1

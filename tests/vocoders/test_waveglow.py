"""The vocoder that is trained: on real speech, from files, and piece by piece."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from scipy.signal import savgol_filter
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skspeech.datasets import load_voice_prompts
from skspeech.exceptions import RecordingError
from skspeech.persistence import load_model, save_model
from skspeech.preprocessing import MelTargets
from skspeech.recordings import RecordingSequence
from skspeech.vocoders import WaveGlowVocoder, waveglow

RATES = {"sample_rate": 8000, "frame_rate": 81.67}
TINY = {
    **RATES,
    "hop_length": 64,
    "n_flows": 3,
    "n_early_every": 2,
    "n_layers": 3,
    "n_channels": 12,
    "segment_length": 256,
    "batch_size": 9,
    "max_epochs": 75,
    "lr": 1e-2,
    "device": "cpu",
    "random_state": 0,
}


@pytest.fixture(scope="module")
def voices():
    """24 real prompts of one voice at 8 kHz, and their spectra."""
    prompts = load_voice_prompts()
    waveforms = prompts.data[prompts.target == prompts.target[0]]
    mel = MelTargets(**RATES, n_fft=512, n_mels=8, f_max=4000.0)
    return mel.fit_transform(waveforms), waveforms


@pytest.fixture(scope="module")
def trained(voices):
    spectra, waveforms = voices
    return WaveGlowVocoder(**TINY).fit(spectra[:18], waveforms[:18])


def untrained(voices, **changes):
    """Return a vocoder after one step so small that it changes next to nothing."""
    parameters = {**TINY, "max_epochs": 1, "lr": 1e-12, "batch_size": 99, **changes}
    return WaveGlowVocoder(**parameters).fit(voices[0][:6], voices[1][:6])


def test_training_makes_sound_never_heard_more_likely(voices, trained):
    spectra, waveforms = voices
    before = untrained(voices).score(spectra[18:], waveforms[18:])
    # white noise of variance 1, as it was: log(2 pi) / 2 and half the power of the sound
    assert before == pytest.approx(-0.92, abs=0.03)
    assert trained.score(spectra[18:], waveforms[18:]) > before + 2.5
    losses = [row["train_loss"] for row in trained.history_]
    assert trained.n_iter_ == len(losses) == TINY["max_epochs"]
    assert losses[-1] < losses[0] - 2


def test_the_spectra_help(voices, trained):
    """Sound is less likely by the spectra of another recording."""
    spectra, waveforms = voices[0][18:], voices[1][18:]
    n = min(map(len, spectra))
    sound = [waveform[: int((n - 1) * 8000 / 81.67)] for waveform in waveforms]
    own = trained.score([s[:n] for s in spectra], sound)
    others = trained.score([s[:n] for s in np.roll(spectra, 1)], sound)
    assert own > others + 0.15


def test_sound_is_as_loud_as_its_spectra(voices, trained):
    """Where they are loud and where they are silent; a tiny network has no timbre to show."""
    spectra, waveforms = voices[0][18:], voices[1][18:]
    found = []
    for made, wanted in zip(trained.transform(spectra), waveforms, strict=True):
        n = min(len(made), len(wanted)) // 400 * 400
        powers = [np.square(x[:n]).reshape(-1, 400).mean(1) for x in (made, wanted)]
        found.append(np.corrcoef(np.log(np.array(powers) + 1e-6))[0, 1])
    assert np.mean(found) > 0.4


def test_lengths_and_types(voices, trained):
    several = voices[0][::4]
    for spectra, made in zip(several, trained.transform(several), strict=True):
        assert made.shape == (int(np.ceil(len(spectra) * 8000 / 81.67)) - 1,)
        assert made.dtype == np.float32


def test_a_recording_sounds_the_same_each_time(voices):
    vocoder = untrained(voices, random_state=None)
    made = vocoder.transform(voices[0][:2])
    np.testing.assert_array_equal(vocoder.transform(voices[0][1:2])[0], made[1])
    lazy = vocoder.transform(RecordingSequence(list(voices[0])))
    np.testing.assert_array_equal(lazy[1], made[1])
    copied = pickle.loads(pickle.dumps(vocoder))
    np.testing.assert_array_equal(copied.transform(voices[0][1:2])[0], made[1])


def test_louder_noise_makes_other_sound(voices, trained):
    silent = clone(trained).set_params(sigma=0.0)
    silent.__dict__.update({k: v for k, v in vars(trained).items() if k.endswith("_")})
    quiet, loud = silent.transform(voices[0][:1])[0], trained.transform(voices[0][:1])[0]
    assert np.square(quiet).mean() < np.square(loud).mean()


@pytest.fixture(scope="module")
def small():
    """A network whose sound depends on every spectrum and noise within its reach."""
    rng = np.random.default_rng(0)
    vocoder = WaveGlowVocoder(
        sample_rate=800, frame_rate=80, hop_length=8, n_group=4, n_flows=2, n_early_every=1,
        n_layers=2, n_channels=4, max_epochs=1, device="cpu", random_state=0,
    )  # fmt: skip
    sound = 0.1 * rng.standard_normal(400)
    vocoder.fit([rng.normal(-3, 1, (40, 4))], [sound])
    for name, array in vocoder.weights_.items():  # at first nothing depends on the spectra
        if ".end." in name:
            array[:] = 0.1 * rng.standard_normal(array.shape)
    return vocoder


@settings(deadline=None, max_examples=40)
@given(
    n_frames=st.integers(1, 60),
    hop=st.fractions(2, 30, max_denominator=9),
    smooth=st.booleans(),
    denoise=st.sampled_from([0.0, 0.5]),
    cuts=st.lists(st.integers(1, 60), max_size=6),
)
def test_a_stream_gives_what_transform_gives(small, n_frames, hop, smooth, denoise, cuts):
    small.set_params(frame_rate=float(800 / hop), smooth=smooth, denoise=denoise)
    spectra = np.random.default_rng(n_frames).normal(-3, 1, (n_frames, 4))
    whole = small.transform([spectra])[0]
    assert len(whole) == max(1, -(-n_frames * hop // 1) - 1)
    stream = small.stream()
    pieces = []
    for begin, end in pairwise(sorted({0, *(cut for cut in cuts if cut < n_frames), n_frames})):
        pieces.append(stream.push(spectra[begin:end]))
        assert sum(map(len, pieces)) >= (end - 1 - stream.lookahead) * hop - 1
    np.testing.assert_allclose(np.concatenate([*pieces, stream.finish()]), whole, atol=1e-5)


def test_spectra_are_smoothed_by_savitzky_and_golay(small):
    spectra = np.random.default_rng(0).normal(-3, 1, (30, 4)).astype(np.float32)
    made = small.set_params(denoise=0.0, smooth=True).transform([spectra])[0]
    smoothed = savgol_filter(spectra, 5, 2, axis=0, mode="nearest")
    wanted = small.set_params(smooth=False).transform([smoothed])[0]
    np.testing.assert_allclose(made, wanted, atol=1e-6)
    assert not np.allclose(made, small.transform([spectra])[0])


def test_a_stream_of_nothing_is_silent(small):
    assert small.stream().finish().shape == (0,)


def test_every_frame_has_noise_of_its_own(voices):
    """Before it is trained a network lets noise through."""
    made = untrained(voices, sigma=1.0).transform(voices[0][:1])[0]
    frames = made[: len(made) // 64 * 64].reshape(-1, 64)
    alike = np.corrcoef(frames) - np.eye(len(frames))
    assert np.abs(alike).max() < 0.7
    assert made.std() == pytest.approx(1, abs=0.05)


def test_long_recordings_are_computed_in_blocks(voices, trained, monkeypatch):
    """What is computed in many blocks is what it is in one."""
    whole = trained.transform(voices[0][:1])[0]
    monkeypatch.setattr(waveglow, "_BLOCK", 16)
    np.testing.assert_allclose(trained.transform(voices[0][:1])[0], whole, atol=1e-5)


def test_the_denoiser_takes_off_the_hum(voices):
    vocoder = untrained(voices, denoise=1.0)
    assert vocoder.bias_.shape == (129,)
    for array in (vocoder.weights_[name] for name in vocoder.weights_ if name.endswith("end.bias")):
        array += 0.05  # a hum
    vocoder.bias_ = None  # is then measured anew
    vocoder.set_params(sigma=0.0)
    silence = [np.zeros((60, 8), np.float32)]
    clean = vocoder.transform(silence)[0]
    hum = vocoder.set_params(denoise=0.0).transform(silence)[0]
    assert np.square(clean[1000:-1000]).sum() < 0.05 * np.square(hum[1000:-1000]).sum()


def test_weights_from_a_file(tmp_path, voices, trained):
    path = tmp_path / "waveglow.safetensors"
    save_file(trained.weights_, path)
    vocoder = WaveGlowVocoder.from_checkpoint(path, **RATES, device="cpu", random_state=0)
    assert vocoder.n_iter_ == 0
    held_out = voices[0][18:], voices[1][18:]
    assert vocoder.score(*held_out) == pytest.approx(trained.score(*held_out))
    save_model(vocoder, tmp_path / "vocoder.skspeech")
    loaded = load_model(tmp_path / "vocoder.skspeech")
    assert loaded.score(*held_out) == vocoder.score(*held_out)
    again = clone(vocoder).fit(voices[0])
    np.testing.assert_array_equal(
        again.transform(voices[0][:1])[0], vocoder.transform(voices[0][:1])[0]
    )
    with_sound = clone(vocoder).fit(*voices)  # as a step of something larger fits it
    assert with_sound.history_ == []
    tuned = clone(vocoder).set_params(fine_tune=True, max_epochs=2, lr=1e-3)
    tuned.fit(voices[0][:6], voices[1][:6])
    assert tuned.n_iter_ == 2
    assert any((tuned.weights_[name] != array).any() for name, array in trained.weights_.items())
    assert path.exists()


def test_pickles_that_run_something_are_refused(tmp_path):
    class Harm:
        def __reduce__(self):
            return eval, (f"open({str(tmp_path / 'harm')!r}, 'w')",)

    torch.save({"model": Harm()}, tmp_path / "waveglow.pt")
    with pytest.raises(ValueError, match=r"names builtins\.eval, which holds no weights"):
        WaveGlowVocoder.from_checkpoint(tmp_path / "waveglow.pt")
    assert not (tmp_path / "harm").exists()


def test_it_is_saved_without_pickle(tmp_path, voices, trained):
    save_model(trained, tmp_path / "vocoder.skspeech")
    loaded = load_model(tmp_path / "vocoder.skspeech")
    np.testing.assert_array_equal(
        loaded.transform(voices[0][:1])[0], trained.transform(voices[0][:1])[0]
    )


def test_recordings_read_on_access_train_the_same(voices):
    one, other = (WaveGlowVocoder(**{**TINY, "max_epochs": 2}) for _ in range(2))
    one.fit(voices[0][:6], voices[1][:6])
    other.fit(RecordingSequence(list(voices[0][:6])), RecordingSequence(list(voices[1][:6])))
    assert one.history_ == other.history_


def test_progress_is_printed(voices, capsys):
    untrained(voices, verbose=1)
    assert capsys.readouterr().out.startswith("epoch 1: train_loss 0.")


def test_it_has_to_be_trained_first(voices):
    with pytest.raises(NotFittedError):
        WaveGlowVocoder().transform(voices[0])
    with pytest.raises(NotFittedError):
        WaveGlowVocoder().stream()
    with pytest.raises(ValueError, match="give fit the waveforms as y, or a checkpoint"):
        WaveGlowVocoder().fit(voices[0])


def test_sound_that_does_not_belong_to_its_spectra(voices, trained):
    spectra, waveforms = list(voices[0][:3]), list(voices[1][:3])
    vocoder = WaveGlowVocoder(**TINY)
    with pytest.raises(RecordingError, match=r"X\[1\] has \d+ frames, which are"):
        vocoder.fit(spectra, [waveforms[0], waveforms[1][:2000], waveforms[2]])
    with pytest.raises(ValueError, match="X holds 3 recordings and y 2"):
        vocoder.fit(spectra, waveforms[:2])
    with pytest.raises(ValueError, match="X holds 3 recordings and y 0"):
        trained.score(spectra, None)
    with pytest.raises(ValueError, match=r"y\[2\] holds NaN at sample 0"):
        vocoder.fit(spectra, [*waveforms[:2], np.full(len(waveforms[2]), np.nan)])
    with pytest.raises(RecordingError, match=r"X\[2\] has 5 outputs a frame .* reads 8"):
        vocoder.fit([*spectra[:2], spectra[2][:, :5]], waveforms)


def test_spectra_of_other_bands(voices, trained):
    with pytest.raises(RecordingError, match=r"X\[1\] has 5 outputs a frame, .* reads 8"):
        trained.transform([voices[0][0], voices[0][1][:, :5]])


def test_spectra_that_are_none_of_sound(voices, trained):
    with pytest.raises(RecordingError, match=r"X\[1\] drives the network to infinity"):
        trained.transform([voices[0][0], np.full((9, 8), 3e38)])


def test_weights_may_be_read_only(voices, trained):
    """As joblib hands them to worker processes; torch would warn of such memory."""
    wanted = trained.transform(voices[0][:1])[0]
    copied = pickle.loads(pickle.dumps(trained))
    for array in copied.weights_.values():
        array.setflags(write=False)
    np.testing.assert_array_equal(copied.transform(voices[0][:1])[0], wanted)


def test_a_training_that_diverges(voices):
    with pytest.raises(ValueError, match=r"diverged\. Decrease lr"):
        untrained(voices, lr=1e6, max_epochs=20)


def test_sizes_that_do_not_go_together(voices):
    with pytest.raises(ValueError, match="no even number of channels"):
        WaveGlowVocoder(**{**TINY, "n_flows": 12}).fit(*voices)

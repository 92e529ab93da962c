"""Ultrasound in, sound out: the whole recording and frame by frame, and what parts must share."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from skspeech.exceptions import RecordingError
from skspeech.metrics import mean_r2
from skspeech.models import Conv3DConvLSTMRegressor, Conv3DRegressor
from skspeech.persistence import load_model, save_model
from skspeech.preprocessing import (
    MelTargets,
    UltrasoundFramer,
    UltrasoundScaler,
    align_frames,
)
from skspeech.recordings import RecordingSequence, object_array
from skspeech.tags import get_speech_tags
from skspeech.vocoders import GriffinLimVocoder, UltrasoundToSpeech, WaveGlowVocoder

RATES = {"sample_rate": 800, "frame_rate": 81.67}
SPECTRA = {**RATES, "n_fft": 64, "f_max": None}
SCALER = UltrasoundScaler(height=8, width=6)
TARGETS = MelTargets(**SPECTRA, n_mels=5)
VOCODER = GriffinLimVocoder(**SPECTRA, n_iter=2, lookahead=2)
NETWORK = Conv3DConvLSTMRegressor(
    layers=("conv3d", "convlstm"),
    n_maps=(3, 4),
    kernel_size=3,
    max_epochs=2,
    batch_size=8,
    device="cpu",
    random_state=0,
)
LOOKAHEAD = 12 + 2 + 4  # of the network, of the iterations, and of half a window of the sound


def make(n_recordings=4, seed=0):
    """Return videos of raw frames, and waveforms of the same time, up to a frame."""
    rng = np.random.default_rng(seed)
    n_frames = 12 + 5 * np.arange(n_recordings)
    videos = [rng.integers(0, 256, (n, 7, 20), np.uint8) for n in n_frames]
    sound = [0.1 * rng.standard_normal(round(n * 800 / 81.67)) for n in n_frames]
    return object_array(videos), object_array(sound)


VIDEOS, SOUND = make()


def chain(**parts):
    usual = {"scaler": SCALER, "targets": TARGETS, "regressor": NETWORK, "vocoder": VOCODER}
    return UltrasoundToSpeech(**{**RATES, **usual, **parts})


@pytest.fixture(scope="module")
def fitted():
    return chain().fit(VIDEOS, SOUND)


def test_it_is_its_parts_one_after_the_other(fitted):
    scaled = SCALER.fit_transform(VIDEOS)
    videos, targets = align_frames(scaled, TARGETS.fit_transform(SOUND))
    network = clone(NETWORK).fit(videos, targets)
    spectra = fitted.spectra(VIDEOS)
    for found, wanted in zip(spectra, network.predict(scaled), strict=True):
        assert_allclose(found, wanted, atol=1e-5)
    for found, wanted in zip(
        fitted.predict(VIDEOS), clone(VOCODER).fit_transform(spectra), strict=True
    ):
        assert_array_equal(found, wanted)
        assert found.dtype == np.float32
    assert fitted.score(VIDEOS, SOUND) == pytest.approx(mean_r2(targets, network.predict(videos)))


def test_parts_are_cloned(fitted):
    for part in (SCALER, TARGETS, NETWORK, VOCODER):
        assert not [name for name in vars(part) if name.endswith("_")]
    assert fitted.regressor is NETWORK
    assert fitted.regressor_ is not NETWORK


def test_answers_are_a_collection_even_where_all_are_as_long(fitted):
    twice = np.stack([VIDEOS[0], VIDEOS[0]])
    for answers in (fitted.predict(twice), fitted.spectra(twice)):
        assert answers.dtype == object
        assert_array_equal(answers[0], answers[1])


@settings(deadline=None, max_examples=25)
@given(n_frames=st.integers(1, 45), cuts=st.lists(st.integers(0, 45), max_size=6))
def test_a_stream_sounds_as_the_whole_recording(fitted, n_frames, cuts):
    video = np.random.default_rng(n_frames).integers(0, 256, (n_frames, 7, 20), np.uint8)
    whole = fitted.synthesize(video)
    assert len(whole) == max(1, -int(-n_frames * 800 / 81.67 // 1) - 1)
    assert_array_equal(np.concatenate(list(fitted.synthesize_stream(video))), whole)
    stream = fitted.stream()
    ends = [0, *sorted(min(cut, n_frames) for cut in cuts), n_frames]
    n_known, pieces = 0, []
    for begin, end in pairwise(ends):
        pieces.append(stream.push(video[begin:end]))
        n_known += len(pieces[-1])
        assert n_known >= (end - 1 - stream.lookahead) * 800 / 81.67 - 1
    assert_array_equal(np.concatenate([*pieces, stream.finish()]), whole)


def test_what_is_declared(fitted):
    stream = fitted.stream()
    assert stream.lookahead == LOOKAHEAD
    assert stream.delay == pytest.approx(LOOKAHEAD / 81.67)


def test_frames_are_asked_for_one_by_one_and_sound_follows_at_once(fitted):
    asked = []

    def camera():
        for i, frame in enumerate(VIDEOS[3]):
            asked.append(i)
            yield frame

    pieces = fitted.synthesize_stream(camera())
    assert not asked
    first = next(pieces)
    assert len(asked) <= LOOKAHEAD + 1 < len(VIDEOS[3])
    assert first.dtype == np.float32
    assert all(len(piece) for piece in pieces)
    assert len(asked) == len(VIDEOS[3])


def test_a_recording_without_frames(fitted):
    assert list(fitted.synthesize_stream([])) == []
    stream = fitted.stream()
    assert stream.push(VIDEOS[0][:0]).shape == stream.finish().shape == (0,)


def test_after_the_end(fitted):
    stream = fitted.stream()
    stream.push(VIDEOS[0])
    stream.finish()
    for action in (lambda: stream.push(VIDEOS[0]), stream.finish):
        with pytest.raises(ValueError, match="has been finished"):
            action()


def test_frames_that_cannot_be_read(fitted):
    with pytest.raises(RecordingError, match=r"has shape \(7, 20\)"):
        fitted.stream().push(VIDEOS[0][0])
    with pytest.raises(RecordingError, match=r"has shape \(0, 20\)"):
        fitted.stream().push(VIDEOS[0][0][:0])
    with pytest.raises(RecordingError, match=r"^A recording is framed already"):
        fitted.stream().push(VIDEOS[0][:, None])
    with pytest.raises(RecordingError, match=r"X\[1\] is framed already"):
        fitted.predict([VIDEOS[0], VIDEOS[0][:, None]])


def test_latency_is_measured_on_one_thread_that_is_given_back(fitted, monkeypatch):
    threads = []
    module = type(fitted.regressor_.module_)
    prepare = module.prepare

    def spied(self, frames):
        threads.append(torch.get_num_threads())
        return prepare(self, frames)

    monkeypatch.setattr(module, "prepare", spied)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = fitted.latency(VIDEOS[3])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(threads) == {1}
    assert found.seconds.shape == (len(VIDEOS[3]),)
    assert 0 < found.median <= found.percentile_95 <= found.maximum == found.seconds.max()
    assert found.allowed == 1 / 81.67


# The usual parts, and those that do not go together


def test_the_usual_parts_have_its_rates():
    videos = object_array([np.zeros((n, 63, 40), np.uint8) for n in (3, 4)])
    rng = np.random.default_rng(0)
    sound = [0.1 * rng.standard_normal(n * 200) for n in (3, 4)]
    usual = UltrasoundToSpeech(sample_rate=16000, frame_rate=80.0, random_state=0)
    network = Conv3DRegressor(n_maps=(2, 2), kernel_size=3, max_epochs=1, random_state=0)
    usual.set_params(regressor=network).fit(videos, sound)
    assert usual.scaler_.get_params() == UltrasoundScaler().get_params()
    assert (usual.targets_.sample_rate, usual.targets_.frame_rate) == (16000, 80.0)
    vocoder = usual.vocoder_
    assert (vocoder.sample_rate, vocoder.frame_rate) == (16000, 80.0)
    assert (vocoder.n_fft, vocoder.f_min, vocoder.f_max) == (1024, 0.0, 8000.0)
    assert usual.synthesize(videos[0]).shape == (3 * 200 - 1,)
    assert usual.stream().lookahead == 12 + 3 + 3


def test_the_usual_regressor_is_the_papers_best(monkeypatch):
    monkeypatch.setattr(Conv3DConvLSTMRegressor, "fit", lambda self, X, y: self)
    usual = UltrasoundToSpeech(**RATES, targets=TARGETS, random_state=7).fit(VIDEOS, SOUND)
    assert usual.regressor_.get_params() == Conv3DConvLSTMRegressor(random_state=7).get_params()
    assert usual.vocoder_.f_max == 400.0  # of the targets


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"targets": MelTargets(sample_rate=800, frame_rate=80.0, n_fft=64, f_max=None)},
            r"The targets MelTargets has frame_rate=80.0, but UltrasoundToSpeech has frame_rate=81",
        ),
        (
            {"targets": MelTargets(sample_rate=16000, frame_rate=81.67)},
            r"The targets MelTargets has sample_rate=16000, but .* sample_rate=800",
        ),
        (
            {"vocoder": GriffinLimVocoder(**{**SPECTRA, "frame_rate": 82.0})},
            r"The vocoder GriffinLimVocoder has frame_rate=82.0",
        ),
        (
            {"vocoder": GriffinLimVocoder(**{**SPECTRA, "sample_rate": 900})},
            r"The vocoder GriffinLimVocoder has sample_rate=900",
        ),
        (
            {"vocoder": GriffinLimVocoder(**{**SPECTRA, "n_fft": 32})},
            r"The vocoder GriffinLimVocoder reads spectra of n_fft=32, but .* MelTargets have 64",
        ),
        (
            {"vocoder": GriffinLimVocoder(**{**SPECTRA, "f_max": 300.0})},
            r"of f_max=300.0, but .* have 400.0",
        ),
    ],
)
def test_parts_that_do_not_agree(parts, message):
    with pytest.raises(ValueError, match=message):
        chain(**parts).fit(VIDEOS, SOUND)


def test_half_the_sample_rate_may_be_said_either_way():
    same = GriffinLimVocoder(**{**SPECTRA, "f_max": 400.0}, lookahead=2)
    assert chain(vocoder=same).fit(VIDEOS, SOUND).vocoder_.f_max == 400.0


class Doubling(TransformerMixin, BaseEstimator):
    """A scaler that makes two frames of one."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return object_array([np.repeat(x[:, ::2, ::4], 2, axis=0) for x in X])


class Mean(RegressorMixin, BaseEstimator):
    """A regressor that answers the mean, and needs whole recordings."""

    def fit(self, X, y):
        self.mean_ = np.concatenate(list(y)).mean(axis=0)
        return self

    def predict(self, X):
        return object_array([np.tile(self.mean_, (len(x), 1)) for x in X])


def test_a_regressor_that_does_not_stream_is_asked_for_whole_recordings():
    whole = chain(regressor=Mean()).fit(VIDEOS, SOUND)
    assert [len(x) for x in whole.spectra(VIDEOS)] == [len(x) for x in VIDEOS]
    assert len(whole.synthesize(VIDEOS[1])) == 166
    for action in (whole.stream, lambda: whole.synthesize_stream(VIDEOS[0])):
        with pytest.raises(ValueError, match=r"The regressor Mean has no stream\(\)"):
            action()  # not only when the first piece is asked for


def test_a_network_on_frames_with_their_context_needs_whole_recordings():
    framing = make_pipeline(SCALER, UltrasoundFramer(context_frames=25))
    framed = chain(scaler=framing).fit(VIDEOS, SOUND)
    assert [len(x) for x in framed.spectra(VIDEOS)] == [len(x) for x in VIDEOS]
    with pytest.raises(ValueError, match=r"The regressor .* cannot stream. .* their context"):
        framed.stream()


def test_a_vocoder_without_lookahead_sounds_and_does_not_stream():
    whole = chain(vocoder=clone(VOCODER).set_params(lookahead=None)).fit(VIDEOS, SOUND)
    assert whole.synthesize(VIDEOS[1]).shape == (166,)
    with pytest.raises(ValueError, match=r"GriffinLimVocoder cannot stream. .*Set lookahead"):
        whole.stream()


def test_a_scaler_that_makes_other_frames():
    odd = chain().fit(VIDEOS, SOUND)
    odd.scaler_ = Doubling()
    with pytest.raises(ValueError, match="scaler Doubling makes 2 frames of one"):
        odd.predict(VIDEOS)


def test_a_vocoder_that_learns_is_trained_along():
    waveglow = WaveGlowVocoder(
        **RATES,
        hop_length=8,
        n_flows=2,
        n_group=4,
        n_layers=2,
        n_channels=4,
        max_epochs=2,
        segment_length=64,
        device="cpu",
        random_state=0,
    )
    learned = chain(vocoder=waveglow).fit(VIDEOS, SOUND)
    assert learned.vocoder_.n_iter_ == 2
    whole = learned.synthesize(VIDEOS[1])
    pieces = list(learned.synthesize_stream(VIDEOS[1]))
    assert_allclose(np.concatenate(pieces), whole, atol=1e-5)


# What is given to fit


def test_recordings_read_on_access_are_the_same(fitted):
    lazy = chain().fit(RecordingSequence(list(VIDEOS)), RecordingSequence(list(SOUND)))
    for found, wanted in zip(lazy.predict(VIDEOS), fitted.predict(VIDEOS), strict=True):
        assert_array_equal(found, wanted)
    assert lazy.score(RecordingSequence(list(VIDEOS)), RecordingSequence(list(SOUND))) == (
        fitted.score(VIDEOS, SOUND)
    )


def test_groups_reach_the_regressor():
    grouped = chain().fit(VIDEOS, SOUND, groups=["a", "a", "b", "c"])
    assert grouped.regressor_.validation_.method == "speaker"


def test_scores_of_folds():
    scores = cross_val_score(chain(), VIDEOS, SOUND, cv=2)
    assert np.isfinite(scores).all()


def test_waveforms_that_do_not_fit():
    with pytest.raises(ValueError, match=r"requires y to be passed.*the waveforms"):
        chain().fit(VIDEOS, None)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        chain().fit(VIDEOS, SOUND[:3])
    with pytest.raises(RecordingError, match=r"X\[2\] has 22 frames of video and 10 of targets"):
        chain().fit(VIDEOS, [*SOUND[:2], SOUND[2][:90], SOUND[3]])
    with pytest.raises(ValueError, match=r"y\[1\] is empty"):
        chain().fit(VIDEOS, [SOUND[0], np.zeros(0), *SOUND[2:]])


def test_a_fit_that_fails_leaves_the_one_before(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    wanted = again.synthesize(VIDEOS[0])
    with pytest.raises(ValueError, match="inconsistent"):
        again.fit(VIDEOS, SOUND[:3])
    assert_array_equal(again.synthesize(VIDEOS[0]), wanted)


def test_not_fitted():
    for method in ("predict", "spectra", "synthesize", "latency"):
        with pytest.raises(NotFittedError):
            getattr(chain(), method)(VIDEOS)
    with pytest.raises(NotFittedError):
        chain().stream()


def test_saved_and_loaded_it_streams_alike(fitted, tmp_path):
    save_model(fitted, tmp_path / "chain.skspeech")
    loaded = load_model(tmp_path / "chain.skspeech")
    assert_array_equal(
        np.concatenate(list(loaded.synthesize_stream(VIDEOS[1]))), fitted.synthesize(VIDEOS[1])
    )


def test_tags(fitted):
    tags = get_speech_tags(fitted)
    assert (tags.input_kind, tags.output_kind) == ("video", "waveform")


def test_scoring_learns_nothing_from_the_speech_that_it_judges_by(fitted, monkeypatch):
    def refuse(self, X, y=None):
        raise AssertionError("the targets would be fitted again")

    wanted = fitted.score(VIDEOS, SOUND)
    monkeypatch.setattr(MelTargets, "fit", refuse)
    assert fitted.score(VIDEOS, SOUND) == wanted

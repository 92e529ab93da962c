"""The scikit-learn face of a network that answers frames, on one small enough to see through."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, PredefinedSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from torch import nn

from skspeech.base import NetworkRegressor
from skspeech.exceptions import RecordingError, ValidationWarning
from skspeech.metrics import FRAME_SCORERS, mean_r2
from skspeech.models import Conv3DRegressor
from skspeech.preprocessing import UltrasoundFramer, UltrasoundScaler
from skspeech.recordings import RecordingSequence, object_array
from skspeech.testing import small_instance

LENGTHS = [5, 9, 1, 30, 12, 7, 20, 3, 16, 11]
GROUPS = np.array(["Ann", "Bob", "Cid", "Dan"])[np.arange(10) % 4]


def make_videos(lengths=LENGTHS, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, 3, 2)).astype(np.float32) for n in lengths]


def told(video):
    """What a linear network of three frames can tell: the pixel before, and another one now."""
    before = video[np.maximum(np.arange(len(video)) - 1, 0), 0, 0]
    return np.stack([100 + 20 * before, 0.01 * video[:, 1, 1] - 3], axis=1)


X = make_videos()
Y = [told(video) for video in X]


class Linear(nn.Module):
    """One linear layer on all pixels of a window."""

    step_offsets = None

    def __init__(self, n_pixels, n_outputs):
        super().__init__()
        self.answer = nn.Linear(n_pixels, n_outputs)

    def forward(self, windows):
        return self.answer(windows.flatten(1))


class LinearRegressor(Conv3DRegressor):
    """Takes the constructor of a real network for a linear one."""

    def _make_network(self, layout, n_outputs):
        return Linear(self.context_frames * int(np.prod(layout)), n_outputs)


def linear(**parameters):
    defaults = {
        "context_frames": 3,
        "max_epochs": 4,
        "lr": 0.05,
        "batch_size": 8,
        "device": "cpu",
        "random_state": 0,
    }
    return LinearRegressor(**{**defaults, **parameters})


def small(**parameters):
    return small_instance("Conv3DRegressor").set_params(**{"max_epochs": 2, **parameters})


def state(estimator):
    return [value.tolist() for value in estimator.module_.state_dict().values()]


# Learning


def test_linear_network_learns():
    fitted = linear(max_epochs=60).fit(X, Y)
    assert fitted.score(X, Y) > 0.99
    new = make_videos(seed=1)
    assert fitted.score(new, [told(video) for video in new]) > 0.99
    assert (fitted.layout_, fitted.n_outputs_) == ((3, 2), 2)
    assert isinstance(fitted.module_.network, Linear)
    assert fitted.n_iter_ == len(fitted.history_)
    assert not hasattr(fitted, "n_features_in_")


def test_answers():
    answers = linear().fit(X, Y).predict(X)
    assert (answers.shape, answers.dtype) == ((10,), object)
    assert [answer.shape for answer in answers] == [(n, 2) for n in LENGTHS]
    assert {answer.dtype for answer in answers} == {np.dtype("float32")}


def test_answers_are_the_networks_on_windows_with_replicated_edges():
    fitted = linear(standardize="bin").fit(X, Y)
    module, video = fitted.module_, X[3]
    edged = np.concatenate([video[:1], video, video[-1:]])
    windows = np.stack([edged[i : i + 3] for i in range(len(video))])
    windows = (windows - module.mean.numpy()) / module.scale.numpy()
    with torch.no_grad():
        wanted = module.network(torch.from_numpy(windows)) * module.target_scale
    assert_allclose(fitted.predict([video])[0], wanted + module.target_mean, rtol=1e-5)


def test_an_answer_depends_on_its_recording_alone():
    fitted = small().fit(X, Y)
    together = fitted.predict(X)
    for i in (2, 3, 9):
        assert_array_equal(fitted.predict([X[i]])[0], together[i])
    for found, wanted in zip(fitted.predict(X[::-1]), together[::-1], strict=True):
        assert_array_equal(found, wanted)


def test_score_is_the_mean_r2_over_all_frames():
    fitted = linear().fit(X, Y)
    frames, answers = np.concatenate(Y), np.concatenate(list(fitted.predict(X)))
    assert fitted.score(X, Y) == pytest.approx(r2_score(frames, answers))
    assert fitted.score(X, Y) == pytest.approx(mean_r2(Y, fitted.predict(X)))
    with pytest.raises(ValueError, match="sample_weight is for tables"):
        fitted.score(X, Y, sample_weight=np.ones(10))


def test_base_alone_has_no_network():
    class Unfinished(Conv3DRegressor):
        _make_network = NetworkRegressor._make_network

    with pytest.raises(TypeError, match="Unfinished must define _make_network"):
        Unfinished().fit(X, Y)


def test_unfitted():
    with pytest.raises(NotFittedError):
        linear().predict(X)


# Kinds of collections


@pytest.mark.parametrize("make", [linear, small], ids=["linear", "small"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32])
def test_what_is_read_on_access_trains_as_what_is_in_memory(make, dtype):
    videos = [(40 * video).clip(-99, 99).astype(dtype) for video in X]
    wanted = make(standardize="bin").fit(videos, Y)
    lazy = make(standardize="bin").fit(RecordingSequence(videos), RecordingSequence(Y))
    assert state(lazy) == state(wanted)
    assert lazy.history_[-1]["valid_loss"] == wanted.history_[-1]["valid_loss"]
    for found, answer in zip(
        lazy.predict(RecordingSequence(videos)), wanted.predict(object_array(videos)), strict=True
    ):
        assert_array_equal(found, answer)


def test_a_recording_is_read_about_once_an_epoch():
    read, asked = [], []
    lazy = RecordingSequence(range(10), lambda i: (read.append(i), X[i])[1])
    targets = RecordingSequence(range(10), lambda i: (asked.append(i), Y[i])[1])
    fitted = linear(max_epochs=3, batch_size=2).fit(lazy, targets)
    assert asked == list(range(10))
    assert read[:10] == list(range(10))  # once to see what there is
    held = set(fitted.validation_.indices.tolist())
    kept = set(range(10)) - held
    assert kept <= set(read[10:])
    # what fits into memory is kept from epoch to epoch
    assert 10 <= len(read) - 10 <= 3 * 10


def test_framed_video_trains_as_plain_video():
    framed = list(UltrasoundFramer(context_frames=3).fit_transform(X))
    plain, brought = linear().fit(X, Y), linear().fit(framed, Y)
    assert brought.layout_ == (3, 3, 2)
    assert state(brought) == state(plain)
    for found, wanted in zip(brought.predict(framed), plain.predict(X), strict=True):
        assert_allclose(found, wanted, atol=1e-5)


def test_8_bits_are_scaled_as_the_scaler_does():
    bits = [np.random.default_rng(n).integers(0, 256, (n, 3, 2), np.uint8) for n in LENGTHS]
    # the scaler turns (n_frames, n_vectors, n_pixels) round
    scaled = UltrasoundScaler(height=3, width=2).fit_transform([np.swapaxes(x, 1, 2) for x in bits])
    for found, wanted in zip(
        linear().fit(bits, Y).predict(bits), linear().fit(scaled, Y).predict(scaled), strict=True
    ):
        assert_allclose(found, wanted, atol=1e-3)


def test_one_array_of_recordings_of_one_length():
    videos = np.stack(make_videos([6, 6, 6, 6]))
    targets = np.stack([told(video) for video in videos])
    fitted = linear().fit(videos, targets)
    wanted = linear().fit(list(videos), list(targets))
    assert state(fitted) == state(wanted)
    assert [answer.shape for answer in fitted.predict(videos)] == [(6, 2)] * 4
    assert fitted.score(videos, targets) == wanted.score(list(videos), list(targets))


# Tables


@pytest.mark.parametrize("outputs", [None, 1, 3])
def test_a_table_is_videos_of_one_frame(outputs):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(40, 4))
    y = table[:, 0] * 3 + 5 if outputs is None else table[:, :outputs] * 3 + 5
    fitted = linear(max_epochs=40).fit(table, y)
    assert (fitted.n_features_in_, fitted.layout_) == (4, (4, 1))
    answers = fitted.predict(table)
    assert (answers.shape, answers.dtype) == (y.shape, np.float64)
    assert fitted.score(table, y) == pytest.approx(r2_score(y, answers))
    assert fitted.score(table, y) > 0.9
    weights = np.arange(40)
    weighted = r2_score(y, answers, sample_weight=weights)
    assert fitted.score(table, y, sample_weight=weights) == pytest.approx(weighted)


def test_a_data_frame():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 2)), columns=["a", "b"])
    fitted = linear().fit(table, table["a"])
    assert fitted.feature_names_in_.tolist() == ["a", "b"]
    assert fitted.predict(table).shape == (9,)


def test_a_table_where_recordings_were_trained_on():
    fitted = linear(context_frames=1).fit([x[:, :, :1] for x in X], Y)
    answers = fitted.predict(np.ones((4, 3)))
    assert [answer.shape for answer in answers] == [(1, 2)] * 4


# Standardisation


@pytest.mark.parametrize("standardize", ["bin", "global", None])
def test_standardisation_is_that_of_what_is_trained_on(standardize):
    fitted = linear(standardize=standardize, validation_fraction=0.4).fit(X, Y)
    module, held = fitted.module_, fitted.validation_.indices
    assert len(held) == 4
    trained = [i for i in range(10) if i not in held]
    targets = np.concatenate([Y[i] for i in trained])
    assert_allclose(module.target_mean, targets.mean(axis=0), rtol=1e-5)
    assert_allclose(module.target_scale, targets.std(axis=0), rtol=1e-5)
    if standardize is None:
        assert module.mean is module.scale is None
        return
    frames = np.concatenate([X[i] for i in trained]).astype(float)
    axis = 0 if standardize == "bin" else None
    assert_allclose(module.mean.squeeze(), frames.mean(axis=axis), rtol=1e-5, atol=1e-7)
    assert_allclose(module.scale.squeeze(), frames.std(axis=axis), rtol=1e-5)


def test_outputs_that_never_change_are_answered():
    flat = [np.column_stack([y, np.full(len(y), -11.5129)]).astype(np.float32) for y in Y]
    fitted = linear(max_epochs=60, validation_fraction=0.4).fit(X, flat)
    answers = np.concatenate(list(fitted.predict(X)))
    assert_allclose(answers[:, 2].mean(), -11.5129, atol=0.1)
    assert np.isfinite([row["valid_score"] for row in fitted.history_]).all()
    assert fitted.history_[-1]["valid_score"] > 0.6  # two of three, as scikit-learn's r2_score


def test_the_unit_of_the_targets_does_not_matter():
    plain = linear().fit(X, Y)
    scaled = linear().fit(X, [1000 * y - 7 for y in Y])
    for found, wanted in zip(scaled.predict(X), plain.predict(X), strict=True):
        assert_allclose(found, 1000 * wanted - 7, rtol=1e-3)


def test_constant_pixels_are_no_division_by_zero():
    videos = [np.full((n, 3, 2), 0.1, np.float32) for n in LENGTHS]
    answers = linear(standardize="bin").fit(videos, Y).predict(videos)
    assert all(np.isfinite(answer).all() for answer in answers)


# The validation part


class Diary(Callback):
    """Notes what each epoch left behind; on the class, because the callback is copied."""

    states: list = []

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.states.clear()

    def on_epoch_end(self, net, **kwargs):
        self.states.append([value.tolist() for value in net.module_.state_dict().values()])


def test_the_best_epoch_is_restored():
    noise = [np.random.default_rng(n).normal(size=(n, 2)) for n in LENGTHS]
    fitted = linear(max_epochs=8, lr=0.3, patience=None, callbacks=[Diary()]).fit(X, noise)
    losses = [row["valid_loss"] for row in fitted.history_]
    best = int(np.argmin(losses))
    assert best != len(losses) - 1
    assert state(fitted) == Diary.states[best]
    running = np.minimum.accumulate([np.inf, *losses])
    assert [row["best"] for row in fitted.history_] == [
        loss < before for loss, before in zip(losses, running[:-1], strict=True)
    ]


def test_history_is_of_the_validation_part():
    fitted = linear(max_epochs=1, validation_fraction=0.4).fit(X, Y)
    held = fitted.validation_.indices
    truth = np.concatenate([Y[i] for i in held])
    errors = np.concatenate(list(fitted.predict([X[i] for i in held]))) - truth
    errors = errors / fitted.module_.target_scale.numpy()
    row = fitted.history_[0]
    assert row["valid_loss"] == pytest.approx(np.square(errors).mean(), rel=1e-4)
    score = fitted.score([X[i] for i in held], [Y[i] for i in held])
    assert row["valid_score"] == pytest.approx(score, abs=1e-4)


def test_groups_choose_whole_speakers():
    fitted = linear().fit(X, Y, groups=GROUPS)
    assert fitted.validation_.method == "speaker"
    held = set(GROUPS[fitted.validation_.indices])
    assert held == set(fitted.validation_.speakers) != set(GROUPS)
    assert sorted(np.flatnonzero(np.isin(GROUPS, list(held)))) == list(fitted.validation_.indices)


def test_without_groups_recordings_are_drawn():
    assert linear().fit(X, Y).validation_.method == "random"
    assert linear().fit(X, Y, groups=["Ann"] * 10).validation_.method == "random"
    part = linear(validation=None).fit(X, Y).validation_
    assert (part.method, len(part.indices)) == (None, 0)
    part = linear(validation=PredefinedSplit([0, 0, *[-1] * 8])).fit(X, Y).validation_
    assert part.indices.tolist() == [0, 1]


def test_one_recording_is_trained_on_without_a_validation_part():
    fitted = linear().fit(X[3:4], Y[3:4])
    assert fitted.validation_.method is None
    assert "valid_loss" not in fitted.history_[0]
    assert fitted.n_iter_ == 4


@pytest.mark.parametrize("validation", ["stratified", "none"])
def test_what_there_is_not(validation):
    with pytest.raises(ValueError, match="The 'validation' parameter of LinearRegressor"):
        linear(validation=validation).fit(X, Y)


def test_a_part_that_cannot_be_had_is_said():
    with pytest.raises(ValueError, match=r"validation=\"speaker\".*pass groups"):
        linear(validation="speaker").fit(X, Y)
    with pytest.warns(ValidationWarning, match=r"recordings are too few.*All 4 epochs"):
        linear().fit(X[:1], Y[:1], groups=["Ann"])


# Seeds, warm_start, copies


@pytest.mark.parametrize("make", [linear, small], ids=["linear", "small"])
def test_same_seed_same_weights(make):
    assert state(make().fit(X, Y)) == state(make().fit(X, Y))
    assert state(make(random_state=1).fit(X, Y)) != state(make().fit(X, Y))


def test_warm_start_continues():
    once = linear(max_epochs=2, validation=None, warm_start=True).fit(X, Y)
    before, moments = state(once), once.module_.target_mean.tolist()
    again = once.fit(make_videos(seed=2), Y)
    assert len(again.history_) == 4
    assert state(again) != before
    assert again.module_.target_mean.tolist() == moments
    assert linear(max_epochs=2).fit(X, Y).fit(X, Y).n_iter_ == 2


def test_warm_start_trains_on_targets_of_the_first_training():
    fitted = linear(max_epochs=60, warm_start=True).fit(X, Y)
    fitted.set_params(max_epochs=1, lr=1e-6).fit(X[:3], Y[:3])
    assert fitted.score(X, Y) > 0.99


def test_warm_start_refuses_what_does_not_fit():
    fitted = linear(warm_start=True).fit(X, Y)
    before = state(fitted)
    with pytest.raises(ValueError, match="warm_start trains on with 2 outputs, but y has 1"):
        fitted.fit(X, [y[:, :1] for y in Y])
    with pytest.raises(RecordingError, match=r"X\[0\] has frames of 2 x 3 .* reads 3 x 2"):
        fitted.fit([np.swapaxes(x, 1, 2) for x in X], Y)
    assert state(fitted) == before


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_copies_answer_and_train_alike(copied):
    fitted = small(warm_start=True).fit(X, Y)
    twin = copied(fitted)
    for found, wanted in zip(twin.predict(X), fitted.predict(X), strict=True):
        assert_array_equal(found, wanted)
    assert state(twin.fit(X, Y)) == state(fitted.fit(X, Y))


def test_a_pickle_does_not_grow_with_the_training_set():
    few = len(pickle.dumps(linear().fit(X[:4], Y[:4])))
    assert len(pickle.dumps(linear().fit(X * 5, Y * 5))) < few + 1000


def test_parameters_set_after_fit_change_no_answer():
    fitted = linear().fit(X, Y)
    before = fitted.predict(X)
    fitted.set_params(context_frames=5, batch_size=1)
    for found, wanted in zip(fitted.predict(X), before, strict=True):
        assert_allclose(found, wanted, atol=1e-5)


def test_warm_start_keeps_the_context():
    fitted = linear(warm_start=True).fit(X, Y)
    fitted.set_params(context_frames=5).fit(X, Y)
    assert fitted.predict(X)[0].shape == (5, 2)


def test_bfloat16_answers_near_float32():
    fitted = small(max_epochs=4).fit(X, Y)
    wanted = np.concatenate(list(fitted.predict(X)))
    fitted.net_.precision = "bfloat16"
    found = np.concatenate(list(fitted.predict(X)))
    assert found.dtype == np.float32
    assert_allclose(found, wanted, atol=0.05 * wanted.std())


# scikit-learn


@pytest.mark.parametrize("scoring", [None, *FRAME_SCORERS])
def test_cross_val_score_on_recordings(scoring):
    wide = [np.tile(y, 8)[:, :15] for y in Y]  # enough outputs for cepstra
    scorer = FRAME_SCORERS.get(scoring)
    scores = cross_val_score(linear(), X, wide, cv=3, scoring=scorer, error_score="raise")
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()


def test_grid_search():
    search = GridSearchCV(linear(max_epochs=10), {"lr": [1e-5, 0.05]}, cv=2, error_score="raise")
    search.fit(object_array(X), object_array(Y))
    assert search.best_params_ == {"lr": 0.05}
    assert [answer.shape for answer in search.predict(X)] == [(n, 2) for n in LENGTHS]


def test_a_pipeline_from_raw_frames():
    raw = [np.random.default_rng(n).integers(0, 256, (n, 6, 9), np.uint8) for n in LENGTHS]
    chain = make_pipeline(UltrasoundScaler(height=3, width=2), linear()).fit(raw, Y)
    assert [answer.shape for answer in chain.predict(raw)] == [(n, 2) for n in LENGTHS]


# Errors


def test_frames_and_targets_that_differ_in_number():
    targets = [*Y[:4], Y[4][:-1], *Y[5:]]
    with pytest.raises(RecordingError, match=r"X\[4\] has 12 frames, but y\[4\] has 11.*Cut both"):
        linear().fit(X, targets)


def test_one_number_a_frame():
    with pytest.raises(ValueError, match=r"y\[0\] has shape \(5,\); give \(n_frames, n_outputs\)"):
        linear().fit(X, [y[:, 0] for y in Y])


@pytest.mark.parametrize("shape", [(4, 2, 3), (4, 3, 3), (4, 3, 3, 2)], ids=str)
def test_other_frames_at_predict(shape):
    fitted = linear().fit(X, Y)
    with pytest.raises(RecordingError, match=r"X\[1\] has frames of .* reads 3 x 2.*front end"):
        fitted.predict([X[0], np.zeros(shape)])


def test_other_frames_at_fit():
    with pytest.raises(RecordingError, match=r"X\[1\] has frames of 2 x 2 where .* reads 3 x 2"):
        linear().fit([X[0], np.zeros((9, 2, 2))], Y[:2])


def test_a_context_of_another_size():
    framed = UltrasoundFramer(context_frames=5).fit_transform(X)
    with pytest.raises(RecordingError, match=r"X\[0\] .*context of 5, but context_frames is 3"):
        linear().fit(framed, Y)


def test_what_a_video_is():
    with pytest.raises(RecordingError, match=r"X\[1\] has shape \(9, 3\).*n_frames, n_rows, n_col"):
        linear().fit([X[0], np.zeros((9, 3))], Y[:2])


def test_a_divergence_names_the_mend():
    with pytest.raises(ValueError, match=r"training diverged.*Decrease lr"):
        linear(optimizer="sgd", lr=1e9, max_epochs=9).fit(X, Y)


def test_a_failed_refit_leaves_the_fitted_estimator_as_it_was():
    fitted = linear().fit(X, Y)
    before = state(fitted)
    with pytest.raises(ValueError, match="NaN"):
        fitted.fit([np.swapaxes(x, 1, 2) for x in X], [y[:, :1] * np.nan for y in Y])
    assert (state(fitted), fitted.n_outputs_, fitted.layout_) == (before, 2, (3, 2))

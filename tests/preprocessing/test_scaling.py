import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

from skspeech.exceptions import RecordingError, SpeakerWarning
from skspeech.preprocessing import Deltas, SpeakerScaler, SpectrogramScaler
from skspeech.recordings import RecordingSequence, object_array
from skspeech.tags import get_speech_tags
from skspeech.testing import small_instance

BY = pytest.mark.parametrize("by", ["bin", "global"])
FORMS = pytest.mark.parametrize("form", [list, object_array, RecordingSequence])


def spectrograms(*lengths, shape=(3,), seed=0):
    rng = np.random.default_rng(seed)
    centre = rng.normal(-30, 10, (*shape, 1))
    return [rng.normal(centre, 5, (*shape, n)).astype(np.float32) for n in lengths]


def z_scores(frames, by):
    """Return mean and deviation over (..., n_frames), in double precision."""
    axis = -1 if by == "bin" else None
    frames = frames.astype(np.float64)
    return frames.mean(axis=axis, keepdims=True), frames.std(axis=axis, keepdims=True)


def opened(recordings):
    """Return a lazy sequence and the list of what was read of it."""
    read = []

    def open_recording(i):
        read.append(i)
        return recordings[i]

    return RecordingSequence(range(len(recordings)), open_recording), read


# SpectrogramScaler


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=8),
    st.integers(0, 1000),
    st.sampled_from([(3,), (2, 3)]),
    st.sampled_from(["bin", "global"]),
)
def test_z_scores_are_those_of_all_frames(lengths, seed, shape, by):
    X = spectrograms(*lengths, shape=shape, seed=seed)
    mean, scale = z_scores(np.concatenate(X, axis=-1), by)
    scaler = SpectrogramScaler(by=by).fit(X)
    assert_allclose(scaler.mean_, mean, rtol=1e-12)
    safe = np.where(scale > 0, scale, 1)
    assert_allclose(scaler.scale_, safe, rtol=1e-9)
    assert scaler.layout_ == shape
    for found, x in zip(scaler.transform(X), X, strict=True):
        assert found.dtype == np.float32
        assert_allclose(found, (x - mean) / safe, rtol=1e-5, atol=1e-5)


@BY
@FORMS
def test_containers_agree(by, form):
    X = spectrograms(7, 1, 30)
    wanted = SpectrogramScaler(by=by).fit_transform(X)
    found = SpectrogramScaler(by=by).fit_transform(form(X))
    for row, other in zip(found, wanted, strict=True):
        assert_array_equal(row, other)


@BY
def test_a_bag_weighs_as_its_segments(by):
    X = spectrograms(7, 9, 30)
    whole = SpectrogramScaler(by=by).fit(X)
    bags = SpectrogramScaler(by=by).fit([[X[0], X[1]], X[2]])
    assert_allclose(bags.mean_, whole.mean_)
    assert_allclose(bags.scale_, whole.scale_)
    assert_array_equal(bags.transform([[X[0], X[1]], X[2]])[0][1], whole.transform(X)[1])


@BY
def test_an_array_gives_an_array(by):
    X = np.stack(spectrograms(9, 9, shape=(2, 4)))
    found = SpectrogramScaler(by=by).fit_transform(X)
    assert found.shape == X.shape
    assert_allclose(found.mean(axis=(0, 3)).mean(), 0, atol=1e-5)


@BY
@pytest.mark.parametrize("form", [list, np.stack, RecordingSequence])
def test_the_inverse_gives_the_spectrograms_back(by, form):
    X = form(spectrograms(9, 9))
    scaler = SpectrogramScaler(by=by).fit(X)
    back = scaler.inverse_transform(scaler.transform(X))
    for row, wanted in zip(back, X, strict=True):
        assert row.dtype == np.float32
        assert_allclose(row, wanted, rtol=1e-5)


def test_the_inverse_of_bags():
    X = spectrograms(9, 4)
    scaler = SpectrogramScaler().fit(X)
    (bag,) = scaler.inverse_transform(scaler.transform([X]))
    assert_allclose(bag[1], X[1], rtol=1e-5)


@BY
@pytest.mark.parametrize("value", [0.0, 0.1, -80.0, 1e30])
def test_what_does_not_vary_is_centred(by, value):
    X = [np.full((2, n), value) for n in (3, 1000, 1)]
    for found in SpectrogramScaler(by=by).fit_transform(X):
        assert_allclose(found, 0, atol=1e-6 * max(1, abs(value)))


@BY
def test_what_all_but_does_not_vary_is_centred(by):
    faint = SpectrogramScaler(by=by).fit([np.array([[0.0, 1e-30]]), np.array([[2e-30]])])
    assert_array_equal(faint.scale_, 1)
    loud = np.array([[1e10, 3e38]], np.float32)
    assert_array_equal(faint.transform([loud])[0], loud)
    assert_array_equal(faint.inverse_transform([loud])[0], loud)
    quiet = [np.array([[0.0, 2e-18]])]
    assert_allclose(SpectrogramScaler(by=by).fit(quiet).scale_, 1e-18)


def test_large_offsets_cost_no_digits():
    rng = np.random.default_rng(0)
    X = [(1e5 + rng.integers(0, 2, (1, 500))).astype(np.float32) for _ in range(40)]
    _, scale = z_scores(np.concatenate(X, axis=-1), "bin")
    assert_allclose(SpectrogramScaler().fit(X).scale_, scale, rtol=1e-9)


def test_a_sequence_is_read_once_by_fit_and_on_access_by_transform():
    X = spectrograms(5, 6, 7)
    sequence, read = opened(X)
    scaler = SpectrogramScaler().fit(sequence)
    assert read == [0, 1, 2]
    lazy = scaler.transform(sequence)
    back = scaler.inverse_transform(lazy)
    assert read == [0, 1, 2]
    assert_allclose(back[1], X[1], rtol=1e-5)
    assert read == [0, 1, 2, 1]


def test_a_later_fit_changes_no_lazy_answer():
    X = spectrograms(5, 6)
    scaler = SpectrogramScaler().fit(X)
    lazy, wanted = scaler.transform(RecordingSequence(X)), scaler.transform(X)
    scaler.fit([10 * x for x in X])
    assert_array_equal(lazy[1], wanted[1])
    assert_array_equal(pickle.loads(pickle.dumps(lazy))[0], wanted[0])


@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
def test_it_has_to_be_fitted(method):
    with pytest.raises(NotFittedError):
        getattr(SpectrogramScaler(), method)(spectrograms(4))


@BY
@FORMS
@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
def test_other_bins_than_at_fit(by, form, method):
    scaler = SpectrogramScaler(by=by).fit(spectrograms(4))
    with pytest.raises(
        RecordingError, match=r"^X\[0\] has shape \(2, 5\) where \(3, n_frames\) is needed"
    ):
        list(getattr(scaler, method)(form(spectrograms(5, shape=(2,)))))


@pytest.mark.parametrize(
    ("scaler", "options"), [(SpectrogramScaler(), {}), (SpeakerScaler(), {"groups": [0, 0, 1]})]
)
def test_other_bins_within_a_sequence(scaler, options):
    X = RecordingSequence([*spectrograms(5, 5), *spectrograms(5, shape=(2,))])
    with pytest.raises(RecordingError, match=r"^X\[2\] has shape \(2, 5\)"):
        scaler.fit_transform(X, **options)


def test_a_fit_that_fails_leaves_the_old_one():
    table = np.random.default_rng(0).random((4, 9))
    scaler = SpectrogramScaler().fit(table)
    mean = scaler.mean_
    with pytest.raises(RecordingError, match=r"^X\[1\] holds NaN"):
        scaler.fit(RecordingSequence([np.ones((1, 2)), np.full((1, 2), np.nan)]))
    assert scaler.n_features_in_ == 9
    assert scaler.mean_ is mean


@pytest.mark.parametrize("form", [list, RecordingSequence])
def test_a_later_set_params_is_seen_by_every_method(form):
    X = form(spectrograms(4))
    scaler = SpectrogramScaler().fit(X).set_params(by="frame")
    for method in (scaler.transform, scaler.inverse_transform):
        with pytest.raises(ValueError, match="The 'by' parameter"):
            method(X)


@pytest.mark.parametrize("scaler", [SpectrogramScaler(by="frame"), SpeakerScaler(by=None)])
def test_wrong_parameters(scaler):
    with pytest.raises(ValueError, match="The 'by' parameter of Spe"):
        scaler.fit(spectrograms(9))


def test_torch_is_not_needed():
    code = (
        "import sys, numpy, skspeech.preprocessing as p\n"
        "p.SpectrogramScaler().fit_transform([numpy.ones((2, 9))])\n"
        "p.SpeakerScaler().fit_transform([numpy.ones((2, 9))], groups=[1])\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# SpeakerScaler

SPEAKERS = np.array(["Cid", "Ann", "Cid", "Bob", "Ann"])


@BY
@FORMS
def test_z_scores_are_those_of_the_speakers_frames(by, form):
    X = spectrograms(4, 9, 30, 5, 1, shape=(2, 3))
    found = SpeakerScaler(by=by).fit_transform(form(X), groups=SPEAKERS)
    for speaker in np.unique(SPEAKERS):
        own = np.flatnonzero(speaker == SPEAKERS)
        mean, scale = z_scores(np.concatenate([X[i] for i in own], axis=-1), by)
        for i in own:
            assert found[i].dtype == np.float32
            assert_allclose(found[i], (X[i] - mean) / scale, rtol=1e-4, atol=1e-5)


def by_recording(**parameters):
    return SpeakerScaler(without_groups="recording", **parameters)


@BY
@FORMS
def test_without_groups_each_recording_is_a_speaker(by, form):
    X = spectrograms(4, 9, 1)
    found = by_recording(by=by).fit_transform(form(X))
    wanted = SpeakerScaler(by=by).fit_transform(X, groups=[0, 1, 2])
    for row, other in zip(found, wanted, strict=True):
        assert_array_equal(row, other)


def test_the_segments_of_a_bag_have_one_speaker():
    X = spectrograms(4, 9, 7)
    (alone,) = by_recording().fit_transform([[X[0], X[1]]])
    together = SpeakerScaler().fit_transform(X, groups=[0, 0, 1])
    assert_array_equal(alone[0], together[0])
    bags = SpeakerScaler().fit_transform([[X[0]], [X[1]], X[2]], groups=[0, 0, 1])
    assert_array_equal(bags[1][0], together[1])


def test_names_and_order_of_speakers_do_not_matter():
    X = spectrograms(4, 9, 30, 5, 2)
    wanted = SpeakerScaler().fit_transform(X, groups=SPEAKERS)
    codes = np.unique(SPEAKERS, return_inverse=True)[1]
    order = np.array([3, 0, 4, 2, 1])
    found = SpeakerScaler().fit_transform([X[i] for i in order], groups=(9 - codes)[order])
    for i, row in zip(order, found, strict=True):
        assert_allclose(row, wanted[i], atol=1e-6)


def test_other_speakers_do_not_matter():
    X = spectrograms(4, 9, 30, 5, 2)
    wanted = SpeakerScaler().fit_transform(X, groups=SPEAKERS)
    found = SpeakerScaler().fit(X, groups=SPEAKERS).transform([X[0], X[2]], groups=["Cid"] * 2)
    assert_array_equal(found[1], wanted[2])


def test_a_speaker_who_never_varies_is_centred():
    for row in SpeakerScaler().fit_transform([np.full((2, 3), -80.0)] * 2, groups=["a", "a"]):
        assert_array_equal(row, 0)


def test_speakers_in_an_array():
    X = np.stack(spectrograms(6, 6))
    assert by_recording().fit_transform(X).shape == X.shape
    assert SpeakerScaler().fit_transform(X, groups=["a", "a"]).shape == X.shape
    assert SpeakerScaler().fit_transform(np.eye(3), groups=[1, 1, 2]).shape == (3, 1, 3)


def test_a_sequence_is_read_once_for_the_speakers_and_then_on_access():
    X = spectrograms(5, 6, 7)
    sequence, read = opened(X)
    scaler = SpeakerScaler().fit(sequence, groups=[0, 1, 0])
    assert read == []
    lazy = scaler.transform(sequence, groups=[0, 1, 0])
    assert isinstance(lazy, RecordingSequence)
    assert read == [0, 1, 2]
    wanted = SpeakerScaler().fit_transform(X, groups=[0, 1, 0])
    assert_array_equal(lazy[2], wanted[2])
    assert read == [0, 1, 2, 2]
    assert_array_equal(lazy[[2, 1]][1], wanted[1])


def test_without_groups_a_sequence_is_read_on_access_only():
    sequence, read = opened(spectrograms(5, 6))
    by_recording().fit_transform(sequence)[1]
    assert read == [1]


def test_lazy_answers_pickle_and_hash():
    X = spectrograms(5, 6)
    lazy = SpeakerScaler().fit_transform(RecordingSequence(X), groups=["a", "a"])
    assert_array_equal(pickle.loads(pickle.dumps(lazy))[1], lazy[1])
    again = SpeakerScaler().fit_transform(RecordingSequence(X), groups=["a", "a"])
    other = SpeakerScaler().fit_transform(RecordingSequence(X), groups=["a", "b"])
    assert joblib.hash(lazy) == joblib.hash(again) != joblib.hash(other)


def test_a_later_set_params_changes_no_lazy_answer():
    X = spectrograms(5, 6)
    scaler = by_recording()
    lazy, wanted = scaler.fit_transform(RecordingSequence(X)), scaler.transform(X)
    scaler.set_params(by="global")
    assert_array_equal(lazy[0], wanted[0])


def test_an_error_in_a_sequence_names_the_recording():
    broken = RecordingSequence([*spectrograms(5, 6), np.full((3, 2), np.nan)])
    with pytest.raises(RecordingError, match=r"^X\[2\] holds NaN"):
        SpeakerScaler().fit_transform(broken, groups=[0, 0, 0])
    read = []
    fickle = RecordingSequence(
        range(3), lambda i: np.full((3, 2), np.nan if (read.append(i), len(read) > 3)[1] else i)
    )
    lazy = SpeakerScaler().fit_transform(fickle, groups=[0, 0, 0])
    with pytest.raises(RecordingError, match=r"^X\[0\] holds NaN"):
        lazy[[2, 1]][0]


@pytest.mark.parametrize(("first", "then"), [("aab", None), (None, "aab")])
def test_groups_are_given_always_or_never(first, then):
    X = spectrograms(5, 6, 7)
    scaler = by_recording().fit(X, groups=first and list(first))
    assert scaler.with_groups_ == (first is not None)
    with pytest.raises(
        ValueError,
        match=r"was fitted with(out)? groups, and .* Pass groups.*enable_metadata_routing=True",
    ):
        scaler.transform(X, groups=then and list(then))


def test_it_works_unfitted():
    X = spectrograms(5, 6)
    assert_array_equal(by_recording().transform(X)[1], by_recording().fit_transform(X)[1])
    assert_array_equal(
        SpeakerScaler().transform(X, groups=[0, 0])[1],
        SpeakerScaler().fit_transform(X, groups=[0, 0])[1],
    )


@pytest.mark.parametrize("method", ["fit", "transform", "fit_transform"])
def test_it_is_not_silent_where_it_gets_no_groups(method):
    X = spectrograms(5, 6)
    with pytest.warns(SpeakerWarning, match="got no groups and scales each recording") as caught:
        getattr(SpeakerScaler(), method)(X)
    assert len(caught) == 1, "one warning is enough"
    if method != "fit_transform":
        assert caught[0].filename == __file__
    with pytest.warns(SpeakerWarning):
        fitted = SpeakerScaler().fit(X)
    fitted.transform(X)  # said once


def test_it_is_not_silent_in_a_cross_validation_without_routing(system, corpus):
    X, y, speakers = corpus
    with pytest.warns(SpeakerWarning, match=r"without_groups='recording'.*enable_metadata_routing"):
        cross_validate(system, X, y, groups=speakers, cv=LeaveOneGroupOut(), error_score="raise")


@pytest.mark.parametrize("groups", [["a"], [["a"], ["b"]], ["a", None], [1.0, np.nan]])
@pytest.mark.parametrize("method", ["fit", "transform", "fit_transform"])
def test_groups_that_fit_no_recordings(groups, method):
    with pytest.raises(ValueError, match=r"groups|inconsistent numbers of samples"):
        getattr(SpeakerScaler(), method)(spectrograms(5, 6), groups=groups)


def test_its_tag_says_that_it_looks_across_recordings():
    assert get_speech_tags(SpeakerScaler()).looks_across
    assert not get_speech_tags(SpectrogramScaler()).looks_across
    system = make_pipeline(Deltas(), SpeakerScaler(), small_instance("CNNLSTM2DClassifier"))
    assert get_speech_tags(system).looks_across
    assert get_speech_tags(make_pipeline(system)).looks_across
    assert not get_speech_tags(make_pipeline(Deltas(), SpectrogramScaler())).looks_across


# SpeakerScaler, in scikit-learn's tools


def pooled(X):
    return np.stack([np.r_[x.mean(axis=1), x.std(axis=1)] for x in X])


@pytest.fixture
def system():
    return make_pipeline(SpeakerScaler(), FunctionTransformer(pooled), SVC())


@pytest.fixture(scope="module")
def corpus():
    """40 recordings of 4 speakers, each with a level of their own far beyond the classes'."""
    rng = np.random.default_rng(0)
    speakers, y = np.repeat(["a", "b", "c", "d"], 10), np.tile([0, 1], 20)
    levels = np.repeat([-60.0, -20.0, 20.0, 90.0], 10)
    X = [
        rng.normal(level + 2 * label, 1, (3, rng.integers(5, 20))).astype(np.float32)
        for level, label in zip(levels, y, strict=True)
    ]
    return X, y, speakers


def test_groups_reach_every_step_of_a_pipeline_by_routing(system, corpus):
    X, y, speakers = corpus
    with sklearn.config_context(enable_metadata_routing=True):
        system.fit(X, y, groups=speakers)
        assert system[0].with_groups_
        assert (system.predict(X, groups=speakers) == y).all()
        assert system.score(X, y, groups=speakers) == 1
        with pytest.raises(ValueError, match="fitted with groups, and transform got none"):
            system.predict(X)
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        system.predict(X)


def test_groups_reach_it_in_cross_validation_by_routing(system, corpus):
    X, y, speakers = corpus
    with sklearn.config_context(enable_metadata_routing=True):
        options = {"cv": LeaveOneGroupOut(), "error_score": "raise"}
        inside = cross_validate(system, X, y, params={"groups": speakers}, **options)
        search = GridSearchCV(system, {"svc__C": [0.1, 1]}, cv=GroupKFold(3), error_score="raise")
        nested = cross_validate(search, X, y, params={"groups": speakers}, **options)
    assert inside["test_score"].mean() > 0.95
    assert nested["test_score"].mean() > 0.95
    # without groups, each recording's own level goes, and the class with it
    system[0].set_params(without_groups="recording")
    alone = cross_validate(system, X, y, groups=speakers, cv=LeaveOneGroupOut())
    assert alone["test_score"].mean() < 0.8


def test_a_search_hands_groups_on_to_fit_and_score_alone(system, corpus):
    """What the error says holds in scikit-learn: predict of a search takes no groups."""
    X, y, speakers = corpus
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(system, {"svc__C": [1]}, cv=GroupKFold(3), error_score="raise")
        search.fit(X, y, groups=speakers)
        assert search.score(X, y, groups=speakers) == 1
        with pytest.raises(ValueError, match=r"best_estimator_\.predict\(X, groups=groups\)"):
            search.predict(X)
        with pytest.raises(TypeError, match="groups"):
            search.predict(X, groups=speakers)
        assert (search.best_estimator_.predict(X, groups=speakers) == y).all()
        with pytest.raises(ValueError, match="cross_val_predict has no way"):
            cross_val_predict(system, X, y, cv=LeaveOneGroupOut(), params={"groups": speakers})


def test_scaled_before_the_split_is_scaled_in_the_pipeline(system, corpus):
    """Where whole speakers are held out, both are the same."""
    X, y, speakers = corpus
    with sklearn.config_context(enable_metadata_routing=True):
        inside = cross_validate(
            system, X, y, params={"groups": speakers}, cv=LeaveOneGroupOut(), error_score="raise"
        )
    scaled = SpeakerScaler().fit_transform(X, groups=speakers)
    before = cross_validate(system[1:], scaled, y, groups=speakers, cv=LeaveOneGroupOut())
    assert_array_equal(before["test_score"], inside["test_score"])


def test_it_feeds_a_network_that_wants_groups_too(corpus):
    X, y, speakers = corpus
    network = make_pipeline(SpeakerScaler(), small_instance("CNNLSTM2DClassifier"))
    network[-1].set_params(validation="speaker", max_epochs=1)
    with sklearn.config_context(enable_metadata_routing=True):
        clone(network).fit(X, y, groups=speakers).predict(X, groups=speakers)
    fitted = clone(network).fit(
        X, y, speakerscaler__groups=speakers, cnnlstm2dclassifier__groups=speakers
    )
    assert fitted[0].with_groups_
    assert fitted[1].validation_.method == "speaker"

"""The example of the front page, and everything of scikit-learn that it leans on."""

import joblib
import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    train_test_split,
)
from sklearn.pipeline import make_pipeline

from skspeech.datasets import load_japanese_vowels, make_emotional_speech
from skspeech.models import CNNLSTM1DClassifier, CNNLSTM2DClassifier
from skspeech.preprocessing import FixedDuration, LogMelSpectrogram
from skspeech.recordings import RecordingSequence, object_array

STEP = "cnnlstm2dclassifier"


@pytest.fixture(scope="module")
def speech():
    """24 utterances of 4 speakers in 2 emotions."""
    return make_emotional_speech(4, 3, emotions=("anger", "sadness"), random_state=0)


@pytest.fixture
def emotion():
    """The front page's pipeline, with a smaller network and shorter spectrograms."""
    return make_pipeline(
        FixedDuration(duration=3.0),
        LogMelSpectrogram(n_mels=32),
        CNNLSTM2DClassifier(
            n_maps=(8, 8, 16),
            pool_sizes=(2, 4, 4),
            lstm_units=16,
            batch_size=6,
            max_epochs=20,
            lr=5e-3,
            random_state=0,
        ),
    )


def leave_one_speaker_out(pipeline, speech, **options):
    return cross_val_score(
        pipeline,
        speech.data,
        speech.target,
        groups=speech.speakers,
        cv=LeaveOneGroupOut(),
        scoring="balanced_accuracy",
        **options,
    )


def test_leaving_one_speaker_out(speech, emotion):
    scores = leave_one_speaker_out(emotion, speech)
    assert scores.shape == (4,)
    assert scores.mean() > 0.6  # of two emotions


def test_two_processes_give_the_scores_of_one(speech, emotion):
    np.testing.assert_array_equal(
        leave_one_speaker_out(emotion, speech, n_jobs=2), leave_one_speaker_out(emotion, speech)
    )


def test_groups_reach_the_early_stopping_with_routing_off(speech, emotion):
    results = cross_validate(
        emotion,
        speech.data,
        speech.target,
        groups=speech.speakers,
        cv=LeaveOneGroupOut(),
        params={f"{STEP}__groups": speech.speakers},
        return_estimator=True,
    )
    for speaker, fitted in zip(np.unique(speech.speakers), results["estimator"], strict=True):
        part = fitted[-1].validation_
        assert part.method == "speaker"
        assert speaker not in part.speakers


def test_grid_search_over_front_end_and_network(speech, emotion):
    search = GridSearchCV(
        emotion,
        {"logmelspectrogram__n_mels": [16, 32], f"{STEP}__lstm_units": [4, 8]},
        cv=2,
        n_jobs=2,
    ).fit(speech.data, speech.target)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(speech.data[:3]).shape == (3,)


def test_grouped_search_in_leave_one_speaker_out_with_routing_off(speech, emotion):
    search = GridSearchCV(emotion, {f"{STEP}__lr": [1e-3, 5e-3]}, cv=GroupKFold(3))
    results = cross_validate(
        search,
        speech.data,
        speech.target,
        groups=speech.speakers,
        cv=LeaveOneGroupOut(),
        # for the search's own splits, and for the network's early stopping
        params={"groups": speech.speakers, f"{STEP}__groups": speech.speakers},
        return_estimator=True,
    )
    assert np.isfinite(results["test_score"]).all()
    for fitted in results["estimator"]:
        assert fitted.best_estimator_[-1].validation_.method == "speaker"


def test_grouped_search_in_leave_one_speaker_out_with_routing_on(speech, emotion):
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(emotion, {f"{STEP}__lr": [1e-3, 5e-3]}, cv=GroupKFold(3))
        results = cross_validate(
            search,
            speech.data,
            speech.target,
            cv=LeaveOneGroupOut(),
            params={"groups": speech.speakers},
            return_estimator=True,
        )
    assert np.isfinite(results["test_score"]).all()
    for fitted in results["estimator"]:
        assert fitted.best_estimator_[-1].validation_.method == "speaker"


def test_recordings_read_on_access_score_as_those_in_memory(speech, emotion):
    lazy = RecordingSequence(list(speech.data))
    in_memory = cross_val_score(emotion, speech.data, speech.target, cv=2)
    np.testing.assert_array_equal(cross_val_score(emotion, lazy, speech.target, cv=2), in_memory)


def test_recordings_pass_through_scikit_learns_tools(speech, emotion):
    X, y = speech.data, speech.target
    train, test, y_train, _ = train_test_split(X, y, stratify=y, random_state=0)
    emotion.set_params(**{f"{STEP}__max_epochs": 2})
    assert cross_val_predict(emotion, X, y, cv=2, method="predict_proba").shape == (24, 2)
    assert len(learning_curve(emotion, X, y, cv=2, train_sizes=[0.5, 1.0])) == 3
    for combined in (
        VotingClassifier([("a", clone(emotion)), ("b", clone(emotion))], voting="soft"),
        StackingClassifier([("a", clone(emotion))], cv=2),
        CalibratedClassifierCV(clone(emotion), cv=2),
    ):
        assert combined.fit(train, y_train).predict(test).shape == (len(test),)


def test_embeddings_feed_a_model_of_scikit_learns():
    from sklearn.linear_model import LogisticRegression

    vowels = load_japanese_vowels()
    network = CNNLSTM2DClassifier(n_maps=(8,), pool_sizes=(2,), lstm_units=8, max_epochs=2)
    model = make_pipeline(network, LogisticRegression(max_iter=500))
    model.fit(vowels.data[:90], vowels.target[:90])
    assert model.predict(vowels.data[:5]).shape == (5,)
    assert network.set_output(transform="pandas") is network


def test_cached_steps_answer_alike(speech, emotion, tmp_path):
    plain = clone(emotion).fit(speech.data, speech.target)
    cached = clone(emotion).set_params(memory=str(tmp_path)).fit(speech.data, speech.target)
    np.testing.assert_array_equal(
        plain.predict_proba(speech.data), cached.predict_proba(speech.data)
    )


def test_split_utterances_are_answered_once_each(speech):
    split = make_pipeline(
        FixedDuration(duration=0.5, long="split"),
        LogMelSpectrogram(n_mels=16),
        CNNLSTM2DClassifier(n_maps=(4, 4), pool_sizes=(2, 2), lstm_units=4, max_epochs=1),
    )
    assert split.fit(speech.data, speech.target).predict(speech.data).shape == (24,)


def test_japanese_vowels_as_long_as_they_are():
    """A network that takes the sequences as they are gets 0.95 of the given test part."""
    vowels = load_japanese_vowels()
    train, test = vowels.split == "train", vowels.split == "test"
    network = CNNLSTM2DClassifier(
        n_maps=(32, 64), pool_sizes=(2, 2), lstm_units=64, patience=15, random_state=0
    )
    network.fit(vowels.data[train], vowels.target[train])
    assert network.score(vowels.data[test], vowels.target[test]) >= 0.95


@pytest.mark.parametrize("kind", [CNNLSTM1DClassifier, CNNLSTM2DClassifier])
def test_the_papers_pipeline_reads_waveforms(kind, speech):
    system = kind.pipeline(sample_rate=speech.sample_rate)
    system[-1].set_params(n_maps=(2, 2, 2, 2), lstm_units=4, max_epochs=1, random_state=0)
    short = object_array([waveform[:4000] for waveform in speech.data[::4]])
    assert system.fit(short, speech.target[::4]).predict(short).shape == (6,)


def test_threads_do_not_disturb_each_other():
    """torch has one global generator for all threads: each training has it to itself."""
    vowels = load_japanese_vowels()
    network = CNNLSTM2DClassifier(
        n_maps=(4,), pool_sizes=(2,), lstm_units=4, max_epochs=3, random_state=0
    )
    before = torch.get_rng_state()

    def answers(n_jobs):
        with joblib.parallel_config("threading"):
            return cross_val_predict(
                network, vowels.data[:270:3], vowels.target[:270:3], cv=4, n_jobs=n_jobs
            )

    np.testing.assert_array_equal(answers(n_jobs=4), answers(n_jobs=1))
    assert torch.equal(torch.get_rng_state(), before)

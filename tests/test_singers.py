"""Who sings, from songs to answers: motifs as bags, networks, cross-validation and search."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline

from skspeech.datasets import make_singing
from skspeech.mining import ClosedMotifMiner
from skspeech.models import CRNNClassifier, ResidualBLSTMClassifier
from skspeech.preprocessing import ContourApproximator, LogMelSpectrogram, MotifExtractor
from skspeech.recordings import explode

RATE, HOP = 8000, 46
LARGER = {"motifextractor__miner__min_support": [3, 4]}


@pytest.fixture(scope="module")
def singing():
    return make_singing(
        2, 3, n_phrases=6, n_repeats=4, sample_rate=RATE, hop_length=HOP, random_state=0
    )


@pytest.fixture(scope="module")
def motifs(tmp_path_factory):
    contour = ContourApproximator(
        sample_rate=RATE,
        hop_length=HOP,
        method="segments",
        margin=150,
        min_duration=0.02,
        max_dropout=0.03,
    )
    return MotifExtractor(
        sample_rate=RATE,
        contour=contour,
        miner=ClosedMotifMiner(),
        spectrogram=LogMelSpectrogram(sample_rate=RATE, n_fft=256, hop_length=100, n_mels=16),
        memory=str(tmp_path_factory.mktemp("pitch")),
    )


@pytest.fixture
def singer(motifs):
    network = ResidualBLSTMClassifier(
        n_maps=4, lstm_units=8, dense_units=16, max_epochs=4, lr=1e-2, random_state=0
    )
    return make_pipeline(motifs, network)


def test_one_song_one_answer(singer, singing):
    names = singing.target_names[singing.target]
    singer.fit(singing.data[:4], names[:4])
    assert singer.predict(singing.data[4:]).shape == (2,)
    posteriors = singer.predict_proba(singing.data)
    assert posteriors.shape == (6, 2)
    np.testing.assert_allclose(posteriors.sum(axis=1), 1)
    # that of a song is the mean over its motifs
    bag = singer[:-1].transform(singing.data[:1])[0]
    np.testing.assert_allclose(singer[-1].predict_proba(bag).mean(axis=0), posteriors[0], atol=1e-6)


@pytest.mark.parametrize("cv", [GroupKFold(3), LeaveOneGroupOut()], ids=lambda cv: str(cv)[:8])
def test_songs_are_held_out(singer, singing, cv):
    scores = cross_val_score(
        singer, singing.data, singing.target, groups=singing.songs, cv=cv, error_score="raise"
    )
    assert scores.shape == (3,)


def test_mining_is_searched(singer, singing):
    search = GridSearchCV(singer, LARGER, cv=GroupKFold(3), error_score="raise")
    search.fit(singing.data, singing.target, groups=singing.songs)
    few, many = (
        len(singer.set_params(**{name: n}).fit(singing.data, singing.target)[0].miner_.patterns_)
        for name in LARGER
        for n in (4, 3)
    )
    assert few < many
    assert set(search.cv_results_["param_motifextractor__miner__min_support"]) == {3, 4}


def test_motifs_may_be_samples(motifs, singing):
    bags = motifs.fit_transform(singing.data, singing.target)
    segments = explode(bags, singing.target, singing.songs)
    network = CRNNClassifier(
        n_maps=(4, 4, 4, 4),
        pool_padding="same",
        gru_units=8,
        dense_units=16,
        max_epochs=1,
        random_state=0,
    )
    scores = cross_val_score(network, segments.data, segments.target, cv=2, error_score="raise")
    assert len(segments.data) == sum(map(len, bags)) > 12
    assert scores.shape == (2,)

"""An evaluation of answers to every frame: what the figures are of, and what is not lost."""

import json

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import make_pipeline

from skspeech.exceptions import LeakageWarning, SpeakerWarning
from skspeech.metrics import mel_cepstral_distortion
from skspeech.model_selection import (
    FRAME_COLUMNS,
    LeaveOneSpeakerOut,
    ResultFile,
    cross_validate_frames,
    read_results,
)
from skspeech.models import Conv3DRegressor
from skspeech.preprocessing import UltrasoundScaler
from skspeech.recordings import RecordingSequence, object_array

RNG = np.random.default_rng(0)
SPEAKERS = np.repeat(["Ann", "Bob", "Cid"], 2)
X = object_array([RNG.integers(0, 256, (12 + i, 6, 8), dtype=np.uint8) for i in range(6)])
Y = object_array([3 * RNG.normal(size=(len(x), 15)) + 10 + x.mean(axis=(1, 2))[:, None] for x in X])


class MeanFrame(RegressorMixin, BaseEstimator):
    """Answers the mean frame it has met."""

    broken_by = None  # a recording

    def fit(self, X, y):
        if any(np.array_equal(x, self.broken_by) for x in X):
            raise RuntimeError("killed")
        self.mean_ = np.concatenate(y).mean(axis=0)
        return self

    def predict(self, X):
        return object_array([np.tile(self.mean_, (len(x), 1)) for x in X])


def network(**parameters):
    settings = {"n_maps": (4,), "dense_units": 8, "context_frames": 5, "kernel_size": 3}
    return Conv3DRegressor(**{**settings, "max_epochs": 2, "random_state": 0, **parameters})


def test_figures_are_those_of_the_metrics():
    rows = cross_validate_frames(MeanFrame(), X, Y, groups=SPEAKERS)
    assert [row["test_speakers"] for row in rows] == [["Ann"], ["Bob"], ["Cid"]]
    learnt, tested = np.concatenate(Y[2:]), np.concatenate(Y[:2])
    answer = np.tile(learnt.mean(axis=0), (len(tested), 1))
    row = rows[0]
    assert row["mse"] == pytest.approx(np.mean(((tested - answer) / learnt.std(axis=0)) ** 2), 1e-5)
    assert row["r2"] == pytest.approx(r2_score(tested, answer), abs=1e-5)
    assert row["mcd"] == pytest.approx(mel_cepstral_distortion([tested], [answer]), 1e-5)
    assert (row["n_train"], row["n_validation"], row["n_test"]) == (4, 0, 2)
    assert row["n_frames"] == len(tested)
    for name in ("validation_mse", "validation_r2", "n_parameters", "n_epochs", "history"):
        assert row[name] is None
    assert set(row) == set(FRAME_COLUMNS)


def test_few_outputs_have_no_cepstrum():
    narrow = [y[:, :13] for y in Y]
    rows = cross_validate_frames(MeanFrame(), X, narrow, groups=SPEAKERS)
    assert [row["mcd"] for row in rows] == [None] * 3


def test_the_validation_part_chooses_the_epoch_of_a_network_and_is_judged_apart():
    model = make_pipeline(UltrasoundScaler(height=8, width=4), network())
    splitter = LeaveOneSpeakerOut(n_validation=1)
    row, *_ = cross_validate_frames(model, X, Y, groups=SPEAKERS, cv=splitter)
    assert row["test_speakers"] == ["Ann"]
    assert row["validation_speakers"] == ["Bob"]
    assert (row["n_train"], row["n_validation"], row["n_test"]) == (2, 2, 2)
    fitted = model.fit(X[4:], Y[4:], conv3dregressor__groups=SPEAKERS[4:])[-1]
    assert row["n_parameters"] == sum(p.numel() for p in fitted.module_.parameters())
    best = min(epoch["valid_loss"] for epoch in row["history"])
    assert row["validation_mse"] == pytest.approx(best, rel=1e-4)
    assert row["n_epochs"] == len(row["history"]) == 2


def test_rows_are_read_again_and_not_computed(tmp_path, monkeypatch):
    path = tmp_path / "rows.csv"
    monkeypatch.setattr(MeanFrame, "broken_by", X[0])
    with pytest.raises(RuntimeError, match="killed"):
        cross_validate_frames(MeanFrame(), X, Y, groups=SPEAKERS, results=path)
    assert [row["test_speakers"] for row in read_results(path)] == [["Ann"]]  # whose video it is
    monkeypatch.setattr(MeanFrame, "broken_by", X[2])  # Bob's: Ann's fold would break now
    with pytest.raises(RuntimeError, match="killed"):
        cross_validate_frames(MeanFrame(), X, Y, groups=SPEAKERS, results=path)
    monkeypatch.undo()
    rows = cross_validate_frames(MeanFrame(), X, Y, groups=SPEAKERS, results=path)
    again = cross_validate_frames(MeanFrame(), X, Y, groups=SPEAKERS, results=path)
    assert json.dumps(again) == json.dumps(rows)
    assert len(read_results(path)) == 3


def test_other_targets_are_other_rows(tmp_path):
    path = tmp_path / "rows.csv"
    cross_validate_frames(MeanFrame(), X, Y, groups=SPEAKERS, results=path)
    moved = object_array([y + 1 for y in Y])
    cross_validate_frames(MeanFrame(), X, moved, groups=SPEAKERS, results=path)
    assert len(read_results(path)) == 6


def test_a_file_of_labels_is_refused(tmp_path):
    path = tmp_path / "rows.csv"
    ResultFile(path, columns={}).append(dict.fromkeys(ResultFile(path).fields, "0"))
    with pytest.raises(ValueError, match="no table of these results"):
        cross_validate_frames(MeanFrame(), X, Y, groups=SPEAKERS, results=path)


def test_recordings_and_targets_read_on_access():
    rows = cross_validate_frames(MeanFrame(), X, Y, groups=SPEAKERS)
    lazily = cross_validate_frames(
        MeanFrame(), RecordingSequence(list(X)), RecordingSequence(list(Y)), groups=SPEAKERS
    )
    assert [row["mse"] for row in lazily] == [row["mse"] for row in rows]


def test_splits_that_leak_are_warned_of():
    with pytest.warns(SpeakerWarning, match="Ann"):
        cross_validate_frames(
            MeanFrame(), X, Y, groups=SPEAKERS, cv=[(np.array([0]), np.array([1]))]
        )
    copies = object_array([*X[:5], X[0]])
    with pytest.warns(LeakageWarning, match=r"X\[0\]"):
        cross_validate_frames(MeanFrame(), copies, Y[[0, 1, 2, 3, 4, 0]], groups=SPEAKERS)


def test_what_is_refused(tmp_path):
    with pytest.raises(ValueError, match="groups is None"):
        cross_validate_frames(MeanFrame(), X, Y, groups=None)
    with pytest.raises(ValueError, match="Give it a random_state"):
        cross_validate_frames(
            MeanFrame(),
            X,
            Y,
            groups=np.arange(6),
            cv=ShuffleSplit(2),
            results=tmp_path / "rows.csv",
        )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Y[:5], "inconsistent numbers of samples"),
        ([*Y[:5], Y[5][:, :3]], r"y\[5\] has 3 outputs where y\[0\] has 15"),
        ([*Y[:5], Y[5][:, 0]], r"y\[5\] has shape"),
        ([*Y[:5], Y[5] * np.nan], r"y\[5\] holds NaN"),
        (SPEAKERS, "convert"),
    ],
)
def test_targets_that_do_not_fit(wrong, message):
    """They are named as they were given, not by their place in a fold."""
    with pytest.raises(ValueError, match=message):
        cross_validate_frames(MeanFrame(), X, wrong, groups=SPEAKERS)


@pytest.mark.parametrize("lazily", [False, True])
def test_anything_else_is_another_row(tmp_path, lazily):
    def rows(estimator=None, videos=X):
        videos = RecordingSequence(list(videos)) if lazily else videos
        evaluated = estimator or network(max_epochs=1)
        path = tmp_path / "rows.csv"
        cross_validate_frames(evaluated, videos, Y, groups=SPEAKERS, results=path)
        return len(read_results(path))

    other = object_array([*X[:5], X[5] ^ 1])
    assert [rows(), rows(), rows(videos=other)] == [3, 3, 6]
    assert rows(network(max_epochs=1, lr=1e-4)) == 9


def test_targets_are_standardised_by_the_training_part_alone():
    """Neither the validation part nor the tested one moves the mean."""
    moved = object_array([*(y + 100 for y in Y[:4]), *Y[4:]])
    cv = LeaveOneSpeakerOut(n_validation=1)
    learnt = np.concatenate(Y[4:])
    row, *_ = cross_validate_frames(MeanFrame(), X, moved, groups=SPEAKERS, cv=cv)
    wanted = (np.concatenate(moved[:2]) - learnt.mean(axis=0)) / learnt.std(axis=0)
    assert row["mse"] == pytest.approx(np.mean(wanted**2), rel=1e-4)

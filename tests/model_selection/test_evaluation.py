"""One call for an evaluation on unseen speakers: what reaches whom, and what is not lost."""

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, LeaveOneGroupOut, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC

from skspeech.exceptions import SpeakerWarning
from skspeech.metrics import unweighted_accuracy
from skspeech.model_selection import (
    LeaveOneSpeakerOut,
    ResultFile,
    SpeakerShuffleSplit,
    ValidateOnTest,
    cross_validate_speakers,
    read_results,
)
from skspeech.model_selection.results import FOLD_COLUMNS
from skspeech.models import CNNLSTM2DClassifier
from skspeech.recordings import RecordingSequence

SPEAKERS = np.repeat(["Ann", "Bob", "Cid", "Dan"], 6)
Y = np.tile(["glad", "sad"], 12)
X = np.random.default_rng(0).normal(size=(24, 3)) + 2 * (Y == "sad")[:, None]
SPECTROGRAMS = [
    np.random.default_rng(i).normal(size=(4, 10 + i % 5)) + 2 * (label == "sad")
    for i, label in enumerate(Y)
]


def network(**parameters):
    settings = {"n_maps": (4,), "pool_sizes": (2,), "lstm_units": 4, "max_epochs": 3, "lr": 1e-2}
    return CNNLSTM2DClassifier(**{**settings, "random_state": 0, **parameters})


class Counting(ClassifierMixin, BaseEstimator):
    """Answers the first class; counts its trainings in a file, and may break in one of them."""

    def __init__(self, log, breaks_without=None):
        self.log = log
        self.breaks_without = breaks_without

    def fit(self, X, y):
        with open(self.log, "a", encoding="utf-8") as file:
            file.write("fit\n")
        if self.breaks_without is not None and self.breaks_without not in X:
            raise RuntimeError("killed")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def test_a_row_a_fold_with_all_that_is_promised():
    rows = cross_validate_speakers(LogisticRegression(), X, Y, groups=SPEAKERS)
    assert [row["test_speakers"] for row in rows] == [["Ann"], ["Bob"], ["Cid"], ["Dan"]]
    for i, row in enumerate(rows):
        assert tuple(row) == FOLD_COLUMNS
        json.dumps(row, allow_nan=False)
        assert row["fold"] == i
        assert [row[f"n_{part}"] for part in ("train", "validation", "test")] == [18, 0, 6]
        assert row["truth"] == Y[row["test"]].tolist()
        assert row["ua"] == unweighted_accuracy(row["truth"], row["predicted"])
        assert np.sum(row["confusion"]) == 6
        assert np.trace(row["confusion"]) == 6 * row["wa"]
        assert row["train_wa"] is row["n_epochs"] is row["history"] is None
        assert 0.5 < row["auc"] <= 1


def test_rows_agree_with_scikit_learns_own():
    from sklearn.model_selection import cross_val_predict

    rows = cross_validate_speakers(LogisticRegression(), X, Y, groups=SPEAKERS, verbose=0)
    wanted = cross_val_predict(
        LogisticRegression(), X, Y, groups=SPEAKERS, cv=LeaveOneGroupOut(), method="predict_proba"
    )
    found = np.concatenate([row["posteriors"] for row in rows])
    np.testing.assert_allclose(
        found, wanted[np.concatenate([row["test"] for row in rows])], atol=1e-6
    )


def test_without_posteriors_there_is_no_auc():
    (row, *_) = cross_validate_speakers(LinearSVC(), X, Y, groups=SPEAKERS)
    assert row["auc"] is row["posteriors"] is None


def test_train_score():
    rows = cross_validate_speakers(
        LogisticRegression(), X, Y, groups=SPEAKERS, return_train_score=True
    )
    assert all(0.5 < row["train_wa"] <= 1 for row in rows)


def test_early_stopping_gets_the_speakers():
    rows = cross_validate_speakers(network(validation="speaker"), SPECTROGRAMS, Y, groups=SPEAKERS)
    for row in rows:
        assert len(row["validation_speakers"]) == 1
        assert not set(row["validation_speakers"]) & set(row["test_speakers"])
        assert (row["n_train"], row["n_validation"]) == (12, 6)
        assert row["n_epochs"] == len(row["history"]) == 3
        assert {"train_loss", "valid_loss", "valid_score", "best"} <= set(row["history"][0])


@pytest.mark.parametrize("pipeline", [False, True])
def test_the_splitters_validation_speakers_choose_the_epoch(pipeline):
    model = make_pipeline("passthrough", network()) if pipeline else network()
    splitter = LeaveOneSpeakerOut(n_validation=1)
    rows = cross_validate_speakers(model, SPECTROGRAMS, Y, groups=SPEAKERS, cv=splitter)
    assert [(row["test_speakers"], row["validation_speakers"]) for row in rows] == [
        (["Ann"], ["Bob"]),
        (["Bob"], ["Cid"]),
        (["Cid"], ["Dan"]),
        (["Dan"], ["Ann"]),
    ]
    assert {(row["n_train"], row["n_validation"]) for row in rows} == {(12, 6)}


def test_a_model_without_a_network_does_without_the_validation_speakers():
    splitter = LeaveOneSpeakerOut(n_validation=1)
    rows = cross_validate_speakers(SVC(), X, Y, groups=SPEAKERS, cv=splitter)
    assert {(row["n_train"], row["n_validation"]) for row in rows} == {(12, 0)}
    assert all(row["validation_speakers"] == [] for row in rows)


def test_as_printed_the_test_part_chooses_the_epoch():
    splitter = ValidateOnTest(splitter=ShuffleSplit(1, test_size=0.25, random_state=0))
    with pytest.warns(SpeakerWarning, match="speakers that it also trains on"):
        (row,) = cross_validate_speakers(
            network(), SPECTROGRAMS, Y, groups=SPEAKERS, cv=splitter, return_train_score=True
        )
    assert (row["n_train"], row["n_validation"], row["n_test"]) == (18, 6, 6)
    best = [epoch["valid_score"] for epoch in row["history"] if epoch["best"]][-1]
    assert row["wa"] == pytest.approx(best)


def test_a_search_inside_gets_the_speakers():
    search = GridSearchCV(network(), {"lr": [1e-2, 1e-3]}, cv=GroupKFold(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (row, *_) = cross_validate_speakers(search, SPECTROGRAMS, Y, groups=SPEAKERS)
    assert (row["n_train"], row["n_validation"]) == (12, 6), "its best network had its own part"
    assert [params for params, _ in row["search"]["candidates"]] == [{"lr": 1e-2}, {"lr": 1e-3}]
    scores = [score for _, score in row["search"]["candidates"]]
    assert scores[row["search"]["best"]] == max(scores)


def test_a_search_does_without_the_splitters_validation_speakers():
    search = GridSearchCV(network(validation=None), {"lr": [1e-2, 1e-3]}, cv=GroupKFold(2))
    splitter = SpeakerShuffleSplit(n_test=1, n_validation=1, random_state=0)
    (row,) = cross_validate_speakers(search, SPECTROGRAMS, Y, groups=SPEAKERS, cv=splitter)
    assert (row["n_train"], row["n_validation"], row["validation_speakers"]) == (12, 0, [])


def test_a_search_that_does_not_know_the_speakers_is_named():
    search = GridSearchCV(LogisticRegression(), {"C": [1.0, 2.0]}, cv=3)
    with pytest.warns(SpeakerWarning, match=r"GridSearchCV chooses .*StratifiedKFold.*GroupKFold"):
        cross_validate_speakers(search, X, Y, groups=SPEAKERS)


def test_a_split_that_does_not_know_the_speakers_is_named():
    with pytest.warns(SpeakerWarning, match="Fold 0 tests . speakers that it also trains on"):
        cross_validate_speakers(
            LogisticRegression(), X, Y, groups=SPEAKERS, cv=KFold(3, shuffle=True, random_state=0)
        )


def test_a_class_that_training_lacks_is_never_answered():
    labels = Y.astype(object)
    labels[0] = "angry"  # Ann alone
    rows = cross_validate_speakers(LogisticRegression(), X, labels, groups=SPEAKERS)
    assert rows[0]["classes"] == ["angry", "glad", "sad"]
    assert np.array(rows[0]["posteriors"])[:, 0].max() == 0
    assert rows[0]["confusion"][0][0] == 0


def test_lazy_recordings_and_workers_give_the_same_rows():
    lazy = RecordingSequence(SPECTROGRAMS)

    def scores(**options):
        rows = cross_validate_speakers(network(), groups=SPEAKERS, y=Y, **options)
        return [(row["ua"], row["posteriors"]) for row in rows]

    wanted = scores(X=SPECTROGRAMS)
    assert scores(X=lazy) == wanted
    assert scores(X=lazy, n_jobs=2) == wanted


def test_a_killed_evaluation_goes_on(tmp_path):
    log, path = tmp_path / "log", tmp_path / "rows.csv"
    table = np.arange(24).reshape(-1, 1)
    with pytest.raises(RuntimeError, match="killed"):
        cross_validate_speakers(
            Counting(log, breaks_without=13), table, Y, groups=SPEAKERS, results=path
        )
    assert [row["test_speakers"] for row in read_results(path)] == [["Ann"], ["Bob"]]
    fits = log.read_text(encoding="utf-8").count("fit")
    rows = cross_validate_speakers(Counting(log), table, Y, groups=SPEAKERS, results=path)
    # another parameter is another estimator: all four are new
    assert log.read_text(encoding="utf-8").count("fit") == fits + 4
    again = cross_validate_speakers(Counting(log), table, Y, groups=SPEAKERS, results=path)
    assert log.read_text(encoding="utf-8").count("fit") == fits + 4
    assert again == rows


@pytest.mark.parametrize("changed", ["X", "y", "groups", "cv", "estimator"])
def test_other_data_is_not_taken_for_the_same(tmp_path, changed):
    log, path = tmp_path / "log", tmp_path / "rows.csv"
    call = {"estimator": Counting(log), "X": X, "y": Y, "groups": SPEAKERS, "cv": None}

    def fits():
        cross_validate_speakers(**call, results=path)
        return log.read_text(encoding="utf-8").count("fit")

    assert fits() == 4
    call[changed] = {
        "X": X + 1,
        "y": Y[::-1],
        "groups": SPEAKERS[::-1],
        "cv": LeaveOneSpeakerOut(n_validation=1),
        "estimator": Counting(log, breaks_without=X[0, 0] + 9).set_params(breaks_without=None),
    }[changed]
    if changed == "estimator":  # equal parameters: the same estimator
        assert fits() == 4
    else:
        assert fits() == 8


def test_keys_are_the_same_in_a_new_process(tmp_path):
    code = """
import sys, numpy as np
from sklearn.linear_model import LogisticRegression
from skspeech.model_selection import cross_validate_speakers
X = np.arange(12.0).reshape(-1, 1)
rows = cross_validate_speakers(
    LogisticRegression(), X, list("ab") * 6, groups=list("xyz") * 4, results=sys.argv[1]
)
print(*(row["fit_seconds"] for row in rows), *(row["key"] for row in rows))
"""
    answers = {
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "rows.csv")],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for _ in range(2)
    }
    assert len(answers) == 1
    assert len(read_results(tmp_path / "rows.csv")) == 3


def test_recordings_that_cannot_be_told_apart_are_refused(tmp_path):
    lazy = RecordingSequence(X, lambda x: x)
    with pytest.raises(ValueError, match="cannot be told from other data for the result file"):
        cross_validate_speakers(
            LogisticRegression(), lazy, Y, groups=SPEAKERS, results=tmp_path / "rows.csv"
        )


def test_data_may_be_known_by_a_name(tmp_path):
    lazy = RecordingSequence(X, lambda x: x)
    file = ResultFile(tmp_path / "rows.csv", data="made up, 24 of 24")
    rows = cross_validate_speakers(
        LogisticRegression(), X, Y, groups=SPEAKERS, results=ResultFile(file.path, data=file.data)
    )
    assert (
        cross_validate_speakers(LogisticRegression(), lazy, Y, groups=SPEAKERS, results=file)
        == rows
    )


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"groups": None}, "pass the speaker of each recording"),
        ({"groups": SPEAKERS[:5]}, "inconsistent numbers of samples"),
        ({"y": Y[:5]}, "inconsistent numbers of samples"),
    ],
)
def test_what_does_not_fit_is_said(wrong, problem):
    call = {"y": Y, "groups": SPEAKERS, **wrong}
    with pytest.raises(ValueError, match=problem):
        cross_validate_speakers(LogisticRegression(), X, **call)


def test_a_progress_bar_only_when_asked_for(capfd):
    cross_validate_speakers(LogisticRegression(), X, Y, groups=SPEAKERS)
    assert capfd.readouterr() == ("", "")
    cross_validate_speakers(LogisticRegression(), X, Y, groups=SPEAKERS, verbose=1)
    out, err = capfd.readouterr()
    assert out == ""
    assert "4/4" in err
    assert "UA" in err

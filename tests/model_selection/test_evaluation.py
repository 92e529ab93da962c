"""One call for an evaluation on unseen speakers: what reaches whom, and what is not lost."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, LeaveOneGroupOut, ShuffleSplit
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

from skspeech.exceptions import SpeakerWarning
from skspeech.experiments.baselines import frame_statistics
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
from skspeech.preprocessing import SpeakerScaler
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
    """Answers the first class; counts its trainings in a folder, and breaks where that says so."""

    def __init__(self, folder):
        self.folder = folder

    def fit(self, X, y):
        breaking = Path(self.folder) / "breaks_without"
        if breaking.exists() and float(breaking.read_text(encoding="utf-8")) not in X:
            raise RuntimeError("killed")
        with open(Path(self.folder) / "fits", "a", encoding="utf-8") as file:
            file.write("fit ")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def n_fits(folder):
    return (folder / "fits").read_text(encoding="utf-8").count("fit")


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


def test_without_scores_there_is_no_auc(tmp_path):
    (row, *_) = cross_validate_speakers(Counting(tmp_path), X, Y, groups=SPEAKERS)
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


def test_a_step_after_a_network_is_not_fitted_on_the_validation_part():
    labels = np.random.default_rng(0).permutation(Y)
    model = make_pipeline(network(), KNeighborsClassifier(1))
    splitter = ValidateOnTest(splitter=GroupKFold(2))
    rows = cross_validate_speakers(model, SPECTROGRAMS, labels, groups=SPEAKERS, cv=splitter)
    assert {row["n_train"] for row in rows} == {12}
    assert np.mean([row["wa"] for row in rows]) < 0.9, "it would have learnt the test part by heart"


def test_a_class_of_the_validation_speaker_alone_is_left_out_there():
    labels = Y.astype(object)
    labels[0] = "rare"  # Ann alone, who chooses the epoch where Dan tests
    splitter = LeaveOneSpeakerOut(n_validation=1)
    rows = cross_validate_speakers(network(), SPECTROGRAMS, labels, groups=SPEAKERS, cv=splitter)
    assert [row["n_validation"] for row in rows] == [6, 6, 6, 5]


@pytest.mark.parametrize("as_mask", [False, True])
def test_folds_may_be_masks_or_lists(as_mask):
    train, test = SPEAKERS != "Ann", SPEAKERS == "Ann"
    folds = [(train, test) if as_mask else (np.flatnonzero(train).tolist(), list(range(6)))]
    (row,) = cross_validate_speakers(LogisticRegression(), X, Y, groups=SPEAKERS, cv=folds)
    assert (row["n_train"], row["n_test"], row["test"]) == (18, 6, list(range(6)))


def scaled(model):
    return make_pipeline(SpeakerScaler(), FunctionTransformer(frame_statistics), model)


def test_speaker_scaler_gets_its_groups_to_fit_and_to_answer():
    # what tells the classes apart is less than what tells the speakers apart
    offsets = {name: 20.0 * i for i, name in enumerate(np.unique(SPEAKERS))}
    shifted = [x + offsets[name] for x, name in zip(SPECTROGRAMS, SPEAKERS, strict=True)]
    rows = cross_validate_speakers(scaled(SVC()), shifted, Y, groups=SPEAKERS)
    plain = make_pipeline(FunctionTransformer(frame_statistics), SVC())
    without = cross_validate_speakers(plain, shifted, Y, groups=SPEAKERS)
    assert np.mean([row["wa"] for row in rows]) > 0.9
    assert np.mean([row["wa"] for row in without]) < 0.7


def test_a_search_over_speaker_scaler_is_refused_and_one_after_it_works():
    def search(model, name):
        return GridSearchCV(model, {name: [0.1, 1.0]}, cv=GroupKFold(3))

    with pytest.raises(ValueError, match=r"Put that step before the search: make_pipeline"):
        cross_validate_speakers(search(scaled(SVC()), "svc__C"), SPECTROGRAMS, Y, groups=SPEAKERS)
    rows = cross_validate_speakers(scaled(search(SVC(), "C")), SPECTROGRAMS, Y, groups=SPEAKERS)
    assert len(rows[0]["search"]["candidates"]) == 2
    assert np.mean([row["wa"] for row in rows]) > 0.8


def test_a_search_in_a_pipeline_is_reported_as_one_alone():
    search = GridSearchCV(network(), {"lr": [1e-2, 1e-3]}, cv=GroupKFold(3))
    model = make_pipeline("passthrough", search)
    (row, *_) = cross_validate_speakers(model, SPECTROGRAMS, Y, groups=SPEAKERS)
    assert (row["n_train"], row["n_validation"], row["n_epochs"]) == (12, 6, 3)
    assert len(row["search"]["candidates"]) == 2


def test_searches_of_every_kind_become_rows(tmp_path):
    search = GridSearchCV(
        LogisticRegression(),
        {"C": [1.0, np.inf], "class_weight": [{"sad": 2.0}]},
        cv=GroupKFold(3),
        scoring=["accuracy", "balanced_accuracy"],
        refit="balanced_accuracy",
    )
    (row, *_) = cross_validate_speakers(
        search, X, Y, groups=SPEAKERS, results=tmp_path / "rows.csv"
    )
    (first, _), (second, _) = row["search"]["candidates"]
    assert first == {"C": 1.0, "class_weight": "{'sad': 2.0}"}
    assert second["C"] == "inf"


def test_decision_values_give_an_auc():
    rows = cross_validate_speakers(SVC(), X, Y, groups=SPEAKERS)
    probable = cross_validate_speakers(LogisticRegression(), X, Y, groups=SPEAKERS)
    assert all(row["posteriors"] is None for row in rows)
    assert np.mean([row["auc"] for row in rows]) == pytest.approx(
        np.mean([row["auc"] for row in probable]), abs=0.1
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


def test_an_evaluation_that_broke_goes_on(tmp_path):
    path, table = tmp_path / "rows.csv", np.arange(24.0).reshape(-1, 1)
    call = {"X": table, "y": Y, "groups": SPEAKERS, "results": path}
    (tmp_path / "breaks_without").write_text("13", encoding="utf-8")  # one of Cid's
    with pytest.raises(RuntimeError, match="killed"):
        cross_validate_speakers(Counting(tmp_path), **call)
    assert [row["test_speakers"] for row in read_results(path)] == [["Ann"], ["Bob"]]
    assert n_fits(tmp_path) == 2
    (tmp_path / "breaks_without").unlink()
    rows = cross_validate_speakers(Counting(tmp_path), **call)
    assert [row["test_speakers"] for row in rows] == [["Ann"], ["Bob"], ["Cid"], ["Dan"]]
    assert n_fits(tmp_path) == 4, "two folds were read"
    assert cross_validate_speakers(Counting(tmp_path), **call) == rows
    assert n_fits(tmp_path) == 4


def test_a_process_that_is_killed_leaves_its_rows(tmp_path):
    code = """
import os, signal, sys, numpy as np
from sklearn.dummy import DummyClassifier
from skspeech.model_selection import cross_validate_speakers
class Dying(DummyClassifier):
    def fit(self, X, y):
        if 9.0 not in X:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)
X = np.arange(12.0).reshape(-1, 1)
speakers = list("wwwxxxyyyzzz")
cross_validate_speakers(Dying(), X, list("ab") * 6, groups=speakers, results=sys.argv[1])
"""
    path = tmp_path / "rows.csv"
    result = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert result.returncode == -9
    assert [row["test_speakers"] for row in read_results(path)] == [["w"], ["x"], ["y"]]


@pytest.mark.parametrize("changed", ["X", "y", "groups", "cv", "estimator", "return_train_score"])
def test_other_data_is_not_taken_for_the_same(tmp_path, changed):
    other = tmp_path / "other"
    other.mkdir()
    call = {"estimator": Counting(tmp_path), "X": X, "y": Y, "groups": SPEAKERS, "cv": None}
    cross_validate_speakers(**call, results=tmp_path / "rows.csv")
    call[changed] = {
        "X": X + 1,
        "y": Y[::-1],
        "groups": SPEAKERS[::-1],
        "cv": LeaveOneSpeakerOut(n_validation=1),
        "estimator": Counting(other),
        "return_train_score": True,
    }[changed]
    rows = cross_validate_speakers(**call, results=tmp_path / "rows.csv")
    assert n_fits(other if changed == "estimator" else tmp_path) == (
        4 if changed == "estimator" else 8
    )
    assert (rows[0]["train_wa"] is not None) == (changed == "return_train_score")


def test_what_changes_the_time_alone_is_the_same(tmp_path):
    call = {"X": SPECTROGRAMS, "y": Y, "groups": SPEAKERS, "results": tmp_path / "rows.csv"}
    rows = cross_validate_speakers(network(max_epochs=1), **call)
    assert cross_validate_speakers(network(max_epochs=1, verbose=2), **call) == rows


def test_splits_drawn_anew_are_not_kept(tmp_path):
    splitter = SpeakerShuffleSplit(n_splits=40, n_test=1)  # alike by chance once in 4**40
    with pytest.raises(ValueError, match=r"draws other folds at each call.*random_state"):
        cross_validate_speakers(
            SVC(), X, Y, groups=SPEAKERS, cv=splitter, results=tmp_path / "rows.csv"
        )


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
        (
            {"groups": np.repeat(np.array(["2025", "2026"], "M8[Y]"), 12)},
            "Labels or groups hold what a result file cannot",
        ),
        (
            {"estimator": make_pipeline(FunctionTransformer(lambda x: x), SVC())},
            "The estimator cannot be told from others",
        ),
        (
            {"estimator": GridSearchCV(SVC(), {"C": [1.0]}, cv=GroupKFold(3), refit=False)},
            r"GridSearchCV\(refit=False\) gives no model",
        ),
    ],
)
def test_what_a_row_could_not_hold_is_said_before_anything_is_fitted(tmp_path, wrong, problem):
    call = {"estimator": SVC(), "X": X, "y": Y, "groups": SPEAKERS, **wrong}
    with pytest.raises(ValueError, match=problem):
        cross_validate_speakers(**call, results=tmp_path / "rows.csv")
    assert not (tmp_path / "rows.csv").exists()


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"groups": None}, "pass the speaker of each recording"),
        ({"groups": SPEAKERS[:5]}, "inconsistent numbers of samples"),
        ({"y": Y[:5]}, "inconsistent numbers of samples"),
        ({"y": np.stack([Y, Y], axis=1)}, "y should be a 1d array"),
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

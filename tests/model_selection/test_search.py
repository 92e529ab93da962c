"""The search that learns from its candidates, on estimators that cost nothing."""

import logging
import sys

import numpy as np
import pytest
from scipy import stats
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RandomizedSearchCV,
    cross_val_score,
)
from sklearn.utils.estimator_checks import check_estimator

from skspeech.exceptions import MissingExtraError
from skspeech.model_selection import TPESearchCV
from skspeech.model_selection.search import N_RANDOM

X = np.arange(24.0)[:, None]
Y = np.arange(24) % 2
GROUPS = np.repeat([0, 1, 2, 3], 6)


class Hill(ClassifierMixin, BaseEstimator):
    """Scores best at one point of its parameters, whatever the data."""

    __metadata_request__fit = {"groups": True}

    def __init__(self, *, x=0.0, log_x=1.0, n=0, kind="a"):
        self.x = x
        self.log_x = log_x
        self.n = n
        self.kind = kind

    def fit(self, X, y, groups=None):
        if self.kind == "broken":
            raise RuntimeError("broken")
        self.classes_ = np.unique(y)
        self.groups_ = groups
        self.heard_ = tuple(X[:, 0])
        return self

    def predict(self, X):
        return np.zeros(len(X), dtype=int)

    def score(self, X, y):
        distance = abs(self.x - 0.7) + abs(np.log10(self.log_x) + 2) + abs(self.n - 3)
        return -distance - (self.kind != "b")


SPACE = {
    "x": stats.uniform(-1, 4),
    "log_x": stats.loguniform(1e-6, 1e2),
    "n": stats.randint(0, 9),
    "kind": ["a", "b", "c"],
}


def search(space=SPACE, **parameters):
    defaults = {"cv": 2, "random_state": 0, "refit": True}
    return TPESearchCV(Hill(), space, **{**defaults, **parameters})


class TestSearch:
    def test_beats_the_random_search(self):
        """In the mean over seeds, with as many candidates."""
        ours, others = [], []
        for seed in range(5):
            ours.append(search(n_iter=60, random_state=seed).fit(X, Y).best_score_)
            random = RandomizedSearchCV(Hill(), SPACE, n_iter=60, cv=2, random_state=seed)
            others.append(random.fit(X, Y).best_score_)
        assert np.mean(ours) > np.mean(others)

    def test_later_candidates_are_better(self):
        scores = search(n_iter=60).fit(X, Y).cv_results_["mean_test_score"]
        assert scores[-20:].mean() > scores[:N_RANDOM].mean()

    def test_candidates_stay_in_their_bounds(self):
        drawn = search(n_iter=60).fit(X, Y).cv_results_["params"]
        for candidate in drawn:
            assert set(candidate) == set(SPACE)
            assert -1 <= candidate["x"] <= 3
            assert 1e-6 <= candidate["log_x"] <= 1e2
            assert candidate["n"] in range(9)
            assert candidate["kind"] in SPACE["kind"]
        assert {candidate["n"] for candidate in drawn} >= {0, 8}
        assert sum(candidate["log_x"] < 1e-2 for candidate in drawn) > 10

    def test_same_seed_same_candidates(self):
        first, second = (search(n_iter=15).fit(X, Y) for _ in range(2))
        assert first.cv_results_["params"] == second.cv_results_["params"]
        other = search(n_iter=15, random_state=1).fit(X, Y)
        assert other.cv_results_["params"] != first.cv_results_["params"]

    def test_jobs_change_nothing(self):
        alone = search(n_iter=12).fit(X, Y)
        together = search(n_iter=12, n_jobs=2).fit(X, Y)
        assert alone.cv_results_["params"] == together.cv_results_["params"]

    def test_global_random_state_is_left_alone(self):
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        search(n_iter=3, random_state=None).fit(X, Y)
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002

    def test_any_choices(self):
        choices = [(4, 4), None, Hill(), ["a"]]
        space = {"kind": choices}
        kinds = search(space, n_iter=12, refit=False).fit(X, Y).cv_results_["params"]
        assert {id(kind["kind"]) for kind in kinds} <= {id(choice) for choice in choices}

    def test_nothing_is_fitted_twice(self):
        found = search({"kind": ["a", "b", "c"]}, n_iter=20).fit(X, Y)
        kinds = [candidate["kind"] for candidate in found.cv_results_["params"]]
        assert sorted(kinds) == ["a", "b", "c"]
        assert found.best_params_ == {"kind": "b"}

    def test_candidates_are_judged_on_the_same_folds(self):
        heard = []

        class Listening(Hill):
            def score(self, X, y):
                heard.append(self.heard_)
                return super().score(X, y)

        cv = KFold(3, shuffle=True)
        TPESearchCV(Listening(), SPACE, n_iter=13, cv=cv, random_state=0).fit(X, Y)
        assert len(heard) == 39
        assert len(set(heard)) == 3


class TestLikeScikitLearn:
    def test_interface(self):
        made = search(n_iter=4, return_train_score=True)
        assert is_classifier(made)
        assert clone(made).get_params().keys() == made.get_params().keys()
        fitted = made.fit(X, Y)
        grid = GridSearchCV(Hill(), {"n": [1, 2]}, cv=2, return_train_score=True).fit(X, Y)
        names = {name for name in grid.cv_results_ if not name.startswith("param_")}
        assert names <= set(fitted.cv_results_)
        assert fitted.best_estimator_.get_params() | fitted.best_params_ == (
            fitted.best_estimator_.get_params()
        )
        assert fitted.predict(X).shape == (24,)
        assert list(fitted.classes_) == [0, 1]

    def test_check_estimator(self):
        from sklearn.linear_model import LogisticRegression

        checked = TPESearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, cv=2)
        report = check_estimator(checked, on_fail=None, on_skip=None)
        failed = {row["check_name"] for row in report if row["status"] == "failed"}
        random = RandomizedSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, cv=2)
        expected = check_estimator(random, on_fail=None, on_skip=None)
        assert failed <= {row["check_name"] for row in expected if row["status"] == "failed"}

    def test_groups_by_name(self):
        found = search(n_iter=3, cv=GroupKFold(4)).fit(X, Y, groups=GROUPS)
        assert found.n_splits_ == 4

    def test_groups_by_routing(self):
        with config_context(enable_metadata_routing=True):
            found = search(n_iter=3, cv=GroupKFold(4)).fit(X, Y, groups=GROUPS)
            np.testing.assert_array_equal(found.best_estimator_.groups_, GROUPS)
            scores = cross_val_score(
                search(n_iter=2, cv=GroupKFold(2)),
                X,
                Y,
                cv=GroupKFold(4),
                params={"groups": GROUPS},
            )
        assert scores.shape == (4,)

    def test_several_scores(self):
        several = {"scoring": ["accuracy", "recall"], "n_iter": 3}
        assert "mean_test_recall" in search(refit="recall", **several).fit(X, Y).cv_results_
        with pytest.raises(ValueError, match="one score: let refit"):
            search(refit=False, **several).fit(X, Y)

    def test_several_scores_of_a_callable(self):
        def scoring(estimator, X, y):
            return {"height": estimator.score(X, y), "n": estimator.n}

        assert search(scoring=scoring, refit="n", n_iter=12).fit(X, Y).best_params_["n"] == 8
        with pytest.raises(ValueError, match="one score: let refit"):
            search(scoring=scoring, refit=False, n_iter=3).fit(X, Y)

    @pytest.mark.filterwarnings("ignore:The estimator Hill does not support callbacks")
    def test_callbacks(self):
        progress = pytest.importorskip("sklearn.callback", reason="new in scikit-learn 1.9")
        pytest.importorskip("rich", reason="the progress bar is drawn by it")
        made = search(n_iter=12)
        made.set_callbacks(progress.ProgressBar())
        assert made.fit(X, Y).best_score_ <= 0


class TestFailures:
    def test_a_candidate_that_fails_is_told_as_failed(self):
        space = {**SPACE, "kind": ["broken", "b"]}
        with pytest.warns() as caught:
            found = search(space, n_iter=40).fit(X, Y)
        kinds = {str(warning.category.__name__) for warning in caught}
        assert kinds <= {"FitFailedWarning", "UserWarning"}
        assert "FitFailedWarning" in kinds
        assert found.best_params_["kind"] == "b"
        assert np.isnan(found.cv_results_["mean_test_score"][:N_RANDOM]).any()
        assert np.isfinite(found.cv_results_["mean_test_score"][N_RANDOM:]).all()

    def test_left_out_is_said(self):
        seeds = range(3)  # one of them draws a broken candidate after the first ten
        space = {"x": stats.uniform(), "kind": ["broken", "b", "a"]}
        messages = []
        for seed in seeds:
            with pytest.warns() as caught:
                search(space, n_iter=30, random_state=seed).fit(X, Y)
            messages += [str(warning.message) for warning in caught]
        assert any("'broken'} is left out of cv_results_" in message for message in messages)

    def test_all_fail(self):
        with pytest.raises(ValueError, match="All the 20 fits failed"):
            search({**SPACE, "kind": ["broken"]}).fit(X, Y)

    def test_raise(self):
        with pytest.raises(RuntimeError, match="broken"):
            search({**SPACE, "kind": ["broken", "b"]}, error_score="raise").fit(X, Y)

    def test_number_for_failures(self):
        space = {"kind": ["broken", "b"], "x": stats.uniform()}
        with pytest.warns(FitFailedWarning):
            found = search(space, error_score=-9.0, n_iter=10).fit(X, Y)
        assert found.cv_results_["mean_test_score"].min() == -9

    @pytest.mark.parametrize(
        "given",
        [
            stats.norm(),
            stats.loguniform(1e-3, 1, loc=1),
            0.5,
            "abc",
            {"low": 0},
            stats.uniform,
        ],
        ids=str,
    )
    def test_other_distributions(self, given):
        with pytest.raises(TypeError, match=r"distributions\['x'\] .* list of choices"):
            search({"x": given}).fit(X, Y)

    def test_no_choices(self):
        with pytest.raises(ValueError, match=r"distributions\['x'\] is empty"):
            search({"x": []}).fit(X, Y)

    def test_not_a_dict(self):
        with pytest.raises(ValueError, match="distributions"):
            search([SPACE]).fit(X, Y)

    def test_without_optuna(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "optuna", None)
        with pytest.raises(MissingExtraError, match=r"skspeech\[search\]"):
            search().fit(X, Y)


def test_optuna_logs_nothing_and_is_left_as_it_was():
    import optuna

    said = []
    handler = logging.Handler()
    handler.emit = said.append
    root, logger = logging.getLogger("optuna"), logging.getLogger("optuna.storages._in_memory")
    before = (optuna.logging.get_verbosity(), list(logger.filters))
    root.addHandler(handler)
    try:
        search(n_iter=12).fit(X, Y)
        assert said == []
        optuna.create_study()
        assert len(said) == 1
    finally:
        root.removeHandler(handler)
    assert (optuna.logging.get_verbosity(), list(logger.filters)) == before

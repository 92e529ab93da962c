"""A search that learns from the candidates it has tried."""

import logging
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

__all__ = ["TPESearchCV"]

# Candidates drawn at random before the estimator has anything to learn from: optuna's own number,
# said here because they are fitted as one batch.
N_RANDOM = 10


class TPESearchCV(BaseSearchCV):
    """Search parameters with a tree-structured Parzen estimator.

    The first ten candidates are drawn at random. Each further one is drawn where good candidates
    have been denser than the others: the estimator models the density of the better and of the
    other values of each parameter and picks what maximises their ratio (Bergstra, Bardenet, Bengio
    and Kegl, "Algorithms for hyper-parameter optimization", NIPS 2011). Zhao, Mao and Chen (2019)
    chose their networks so, through Hyperopt; here it is optuna's sampler.

    Everything else is scikit-learn's, as in :class:`~sklearn.model_selection.RandomizedSearchCV`.

    Parameters
    ----------
    estimator : estimator
        Cloned for each fit.
    distributions : dict of str to list or scipy.stats distribution
        The choices of each parameter, or a frozen ``uniform``, ``loguniform`` or ``randint``.
    n_iter : int, default=20
        Candidates drawn. One that is drawn again is not fitted again, so ``cv_results_`` may
        have fewer rows.
    scoring : str, callable, list, tuple, dict or None, default=None
        The score to maximise; None takes the estimator's own. Of several, `refit` names the one
        that counts.
    n_jobs : int or None, default=None
        Fits at a time: of all folds of the first ten candidates, then of the folds of one.
    refit : bool, str or callable, default=True
        Whether, and by which score, the best candidate is fitted on everything.
    cv : int, splitter, iterable or None, default=None
        The splits that each candidate is judged on; None is five folds.
    verbose : int, default=0
        As for scikit-learn's searches.
    random_state : int, RandomState instance or None, default=None
        An int draws the same candidates again, with the same versions and scores.
    error_score : "raise" or float, default=nan
        The score of a fold whose fit fails. A candidate without a finite mean score counts as
        failed; one whose every fit fails is warned of and left out of ``cv_results_``.
    return_train_score : bool, default=False
        Whether to compute the scores on the training parts as well.

    Attributes
    ----------
    best_estimator_, best_params_, best_score_, best_index_, cv_results_, scorer_, n_splits_, \
refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_
        As those of scikit-learn's searches.

    Raises
    ------
    ImportError
        From ``fit``, if optuna is not installed: ``pip install skspeech[search]``.
    TypeError
        From ``fit``, if something in `distributions` is neither.

    Notes
    -----
    Groups go where scikit-learn's searches send them: to ``cv``, and to the estimator as
    ``fit(X, y, groups=..., step__groups=...)`` or, with metadata routing, by one ``groups``.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skspeech.model_selection import TPESearchCV
    >>> search = TPESearchCV(LogisticRegression(max_iter=500), {"C": loguniform(1e-4, 10)},
    ...                      n_iter=12, random_state=0)
    >>> bool(search.fit(*load_iris(return_X_y=True)).best_score_ > 0.95)
    True
    """

    _parameter_constraints: dict = {
        **BaseSearchCV._parameter_constraints,
        "distributions": [dict],
        "n_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        distributions: dict[str, Any],
        *,
        n_iter: int = 20,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ):
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.distributions = distributions
        self.n_iter = n_iter
        self.random_state = random_state

    def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        """Draw candidates, have them evaluated, and tell the study how they did."""
        several = isinstance(self.scoring, list | tuple | set | dict)
        if several and not isinstance(self.refit, str):
            raise ValueError(_WHICH_SCORE)
        trials = _Trials(self.distributions, self.random_state)
        first = min(N_RANDOM, self.n_iter)
        search = callback_ctx.subcontext(
            task_name="search", max_subtasks=1 + self.n_iter - first
        ).call_on_fit_task_begin(estimator=self)
        for n_drawn in (first, *[1] * (self.n_iter - first)):
            batch = trials.draw(n_drawn)
            if not batch:
                continue
            step = search.subcontext(
                task_name="candidates",
                max_subtasks=len(batch) * self.n_splits_,
                sequential_subtasks=False,
            ).call_on_fit_task_begin(estimator=self)
            scores = self._scores(evaluate_candidates, batch, trials, step)
            trials.tell(scores)
            step.call_on_fit_task_end(estimator=self)
        search.call_on_fit_task_end(estimator=self)

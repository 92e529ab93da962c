"""A search that learns from the candidates it has tried."""

import logging
import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from skspeech.exceptions import MissingExtraError

__all__ = ["TPESearchCV"]

# Candidates drawn at random before the estimator has anything to learn from: optuna's own number,
# said here because they are fitted as one batch.
N_RANDOM = 10

_WHICH_SCORE = "TPESearchCV maximises one score: let refit be the name of the one of scoring."


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
    MissingExtraError
        From ``fit``, if optuna is not installed: ``pip install 'skspeech[search]'``.
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
    _checked_cv_orig: Any

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

    def _check_input_parameters(self, X: Any, y: Any, split_params: dict[str, Any]) -> None:
        """Split once: candidates that are drawn one after another are judged on the same folds."""
        if isinstance(self.scoring, list | tuple | set | dict) and not isinstance(self.refit, str):
            raise ValueError(_WHICH_SCORE)
        splits = self._checked_cv_orig.split(X, y, **split_params)
        self._checked_cv_orig = check_cv(list(splits))

    def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        """Draw candidates, have them fitted, and tell the study how they did."""
        study, space = _study(self.random_state), _space(self.distributions)
        first = min(N_RANDOM, self.n_iter)
        batches = [first] + [1] * (self.n_iter - first)
        search = callback_ctx.subcontext(task_name="search", max_subtasks=len(batches))
        search.call_on_fit_task_begin(estimator=self)
        scores: dict[tuple, float] = {}
        for size in batches:
            trials = [study.ask(space) for _ in range(size)]
            new = {_key(trial): self._candidate(trial) for trial in trials}
            new = {key: candidate for key, candidate in new.items() if key not in scores}
            step = search.subcontext(
                task_name="candidates",
                max_subtasks=len(new) * self.n_splits_,
                sequential_subtasks=False,
            ).call_on_fit_task_begin(estimator=self)
            if new:
                found = self._evaluate(
                    list(new.values()), evaluate_candidates, step, first=not scores
                )
                scores.update(zip(new, found, strict=True))
            for trial in trials:
                _tell(study, trial, scores[_key(trial)])
            step.call_on_fit_task_end(estimator=self)
        search.call_on_fit_task_end(estimator=self)

    def _candidate(self, trial: Any) -> dict[str, Any]:
        """Return the parameters of a trial; of a list, the study knows the places only."""
        return {
            name: self.distributions[name][value] if _is_list(self.distributions[name]) else value
            for name, value in trial.params.items()
        }

    def _evaluate(
        self, candidates: list[dict], evaluate_candidates: Any, step: Any, *, first: bool
    ) -> np.ndarray:
        """Return the mean score of each candidate, nan if its every fit failed."""
        try:
            results = evaluate_candidates(candidates, callback_ctx=step)
        except ValueError as error:
            # scikit-learn takes it for a mistake of the user's if all fits of one call fail: right
            # for the first ten candidates together, not for one that comes alone
            if first or self.error_score == "raise":
                raise
            warnings.warn(
                f"{candidates[0]} is left out of cv_results_: {error}",
                FitFailedWarning,
                stacklevel=2,
            )
            return np.array([np.nan])
        names = ("mean_test_score", f"mean_test_{self.refit}")
        found = [results[name] for name in names if name in results]
        if not found:  # a callable that gives several
            raise ValueError(_WHICH_SCORE)
        return found[0][-len(candidates) :]


def _is_list(choices: Any) -> bool:
    return isinstance(choices, list | tuple | np.ndarray)


def _key(trial: Any) -> tuple:
    return tuple(sorted(trial.params.items()))


def _study(random_state: Any) -> Any:
    """Return a study that maximises, made without the line that optuna logs of it."""
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("TPESearchCV", "optuna", "search") from error
    seed = None if random_state is None else check_random_state(random_state).randint(2**31 - 1)
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=N_RANDOM, multivariate=False)
    with _unlogged("optuna.storages._in_memory"):
        return optuna.create_study(direction="maximize", sampler=sampler)


@contextmanager
def _unlogged(name: str) -> Iterator[None]:
    """Drop what one logger says in this thread; levels, which are the user's, stay."""
    logger, thread = logging.getLogger(name), threading.get_ident()

    def is_other(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)


def _tell(study: Any, trial: Any, score: float) -> None:
    from optuna.trial import TrialState

    if math.isfinite(score):
        study.tell(trial, float(score))
    else:
        study.tell(trial, state=TrialState.FAIL)


def _space(distributions: dict[str, Any]) -> dict[str, Any]:
    """Translate into optuna's distributions."""
    return {name: _translated(name, given) for name, given in distributions.items()}


def _translated(name: str, given: Any) -> Any:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if _is_list(given):
        if not len(given):
            raise ValueError(f"distributions[{name!r}] is empty. Give it a choice.")
        return CategoricalDistribution(range(len(given)))
    kind = getattr(getattr(given, "dist", None), "name", None)
    if kind in ("loguniform", "randint", "reciprocal", "uniform"):
        low, high = given.support()  # of all three, it says everything but a shift of loguniform
        if kind == "randint":
            return IntDistribution(int(low), int(high))
        if kind == "uniform":
            return FloatDistribution(low, high)
        if low > 0 and math.isclose(given.median(), math.sqrt(low * high)):
            return FloatDistribution(low, high, log=True)
    raise TypeError(
        f"distributions[{name!r}] is {given!r}. Give a list of choices, or scipy.stats' uniform, "
        "loguniform (without loc) or randint."
    )

"""One call for an evaluation on unseen speakers: a row a fold, in parallel, resumed when killed."""

import warnings
from functools import partial
from typing import Any

import numpy as np
from sklearn.model_selection import LeaveOneGroupOut, check_cv
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from skspeech.exceptions import SpeakerWarning
from skspeech.model_selection._folds import (
    check_repeatable,
    fold_keys,
    folds_of,
    run_folds,
    warn_of_copies,
    warn_of_shared_speakers,
)
from skspeech.model_selection.fold import groups_for, run_fold
from skspeech.model_selection.results import ResultFile
from skspeech.training.labels import check_groups
from skspeech.training.validation import reads_groups

__all__ = ["cross_validate_speakers"]


def cross_validate_speakers(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    groups: Any,
    cv: Any = None,
    n_jobs: int | None = None,
    results: Any = None,
    return_train_score: bool = False,
    check_copies: bool = True,
    verbose: int = 0,
) -> list[dict[str, Any]]:
    """Evaluate a classifier on speakers it has not heard, with a row a fold.

    `groups` go wherever they are asked for: to the splitter, to the early stopping of
    networks, to the inner splits of a search, to transformers as
    :class:`~skspeech.preprocessing.SpeakerScaler`. Metadata routing is switched on inside, so
    nothing needs to be set. The validation part of a splitter with ``split_with_validation``
    chooses the best epoch of a network that is the model or the last step of it; what a fitted
    step before the network learns, it learns from that part too, without labels. Any other
    model does without the validation part. Of its recordings those are left out whose class
    the training part lacks.

    Parameters
    ----------
    estimator : classifier, Pipeline or search
        Not fitted itself; each fold fits a clone.
    X : list, tuple, ndarray, data frame or RecordingSequence of n recordings
    y : array-like of shape (n_recordings,)
        Labels: strings, whole numbers or booleans.
    groups : array-like of shape (n_recordings,)
        The speaker of each recording.
    cv : splitter, int, iterable or None, default=None
        None leaves out one speaker after the other. A splitter gets `X` as it is.
    n_jobs : int or None, default=None
        Folds computed at once, in joblib's workers.
    results : path, ResultFile or None, default=None
        Where each row is written as soon as its fold ends; one evaluation at a time writes to a
        file. Folds that are there already, with the same estimator, data, labels, speakers and
        split, are read and not computed again. Of recordings read on access the source (paths,
        say) is compared, not what is in the files; a ResultFile may say by `data` what they are.
    return_train_score : bool, default=False
        Whether ``train_wa`` is computed.
    check_copies : bool, default=True
        Whether to look for exact copies of recordings on both sides of a fold before the first
        fold is computed. Recordings read on access are read once more for it; it changes no row.
        What a pipeline reads from paths is not looked at: give the AudioLoader's answer instead.
        For excerpts see :func:`~skspeech.model_selection.find_leaks`.
    verbose : int, default=0
        1 shows a progress bar on standard error.

    Returns
    -------
    list of dict
        In the order of the folds: ``fold``; ``test_speakers`` and ``validation_speakers``;
        ``n_train``, ``n_validation``, ``n_test`` (recordings); ``wa``, ``ua``, ``auc``
        (:mod:`skspeech.metrics`; ``auc`` by posteriors, else by decision values, is None where
        there are none or the test part has one class); ``train_wa``, WA on the training
        recordings without the validation part of the splitter, or None; ``n_epochs`` and
        ``history`` of a network, else None; ``fit_seconds`` and ``score_seconds``;
        ``classes``, the labels in the order of ``confusion`` (counts; rows are the true
        classes) and of the columns of ``posteriors``;
        ``test`` (indices into `X`), ``truth``, ``predicted``; ``posteriors`` or None; ``search``,
        the candidates of a search with their mean scores and which is best, or None; ``key``.
        All of it goes into JSON as it is.

    Raises
    ------
    ValueError
        If groups or labels do not fit, `results` cannot be used or splits are drawn anew at each
        call where they are kept, or a search holds a step that needs groups to answer.

    Warns
    -----
    LeakageWarning
        If a recording that a fold tests has an exact copy among those it learns from.
    SpeakerWarning
        If speakers are in the training and in the test part of a fold, or a search inside splits
        without knowing them.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skspeech.model_selection import cross_validate_speakers
    >>> X, y = np.array([[0.0], [9.0]] * 6), ["low", "high"] * 6
    >>> rows = cross_validate_speakers(LogisticRegression(), X, y, groups=list("aabbcc") * 2)
    >>> [(row["test_speakers"], row["wa"]) for row in rows]
    [(['a'], 1.0), (['b'], 1.0), (['c'], 1.0)]
    """
    groups = check_groups(X, groups)
    if groups is None:
        raise ValueError("groups is None: pass the speaker of each recording.")
    y = column_or_1d(check_array(y, ensure_2d=False, dtype=None, input_name="y"))
    check_consistent_length(X, y)
    _check_searches(estimator, y)
    splitter = check_cv(LeaveOneGroupOut() if cv is None else cv, y, classifier=True)
    folds = _judged_on_known_classes(folds_of(splitter, X, y, groups), y)
    warn_of_shared_speakers(folds, groups, stacklevel=3)
    file = results if isinstance(results, ResultFile) or results is None else ResultFile(results)
    keys = [""] * len(folds)
    if file is not None:
        again = _judged_on_known_classes(folds_of(splitter, X, y, groups), y)
        check_repeatable(splitter, folds, again)
        keys = fold_keys(estimator, X, y, groups, folds, (file.data, return_train_score))
    jobs = [
        partial(run_fold, i, keys[i], estimator, X, y, groups, parts, return_train_score)
        for i, parts in enumerate(folds)
    ]
    return run_folds(
        jobs,
        keys,
        file,
        before=lambda: warn_of_copies(folds, X, stacklevel=5) if check_copies else None,
        said=lambda row: f"UA {row['ua']:.3f}",
        n_jobs=n_jobs,
        verbose=verbose,
    )


def _judged_on_known_classes(folds: Any, y: np.ndarray) -> list[tuple]:
    """Return folds without the validation recordings whose class the training part lacks."""
    return [
        (train, validation[np.isin(y[validation], y[train])], test)
        for train, validation, test in folds
    ]


def _searches(estimator: Any) -> list[Any]:
    """Return the searches in an estimator, itself included."""
    nested = estimator.get_params(deep=True).values() if hasattr(estimator, "get_params") else ()
    return [part for part in (estimator, *nested) if hasattr(part, "_run_search")]


def _check_searches(estimator: Any, y: np.ndarray) -> None:
    """Warn of searches blind to speakers, and refuse those that cannot answer."""
    for search in _searches(estimator):
        name = type(search).__name__
        if not search.refit:
            raise ValueError(f"{name}(refit=False) gives no model that could answer. Set refit.")
        if groups_for(search.estimator, "predict", y):
            raise ValueError(
                f"{name} searches over a step that needs the groups to answer, such as "
                "SpeakerScaler, and scikit-learn's searches hand none over when they score. Put "
                f"that step before the search: make_pipeline(SpeakerScaler(), ..., {name}(...))."
            )
        splitter = check_cv(search.cv, y, classifier=True)
        if not reads_groups(splitter):
            warnings.warn(
                f"{name} chooses parameters on splits that do not know the speakers "
                f"({type(splitter).__name__}). Give it one that does, such as cv=GroupKFold().",
                SpeakerWarning,
                stacklevel=3,
            )

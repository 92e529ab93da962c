"""One call for an evaluation on unseen speakers: a row a fold, in parallel, resumed when killed."""

import json
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import LeaveOneGroupOut, check_cv
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from skspeech.exceptions import LeakageWarning, SpeakerWarning
from skspeech.model_selection._copies import copied
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
    folds = list(_folds(splitter, X, y, groups))
    _warn_of_shared_speakers(folds, groups)
    file = results if isinstance(results, ResultFile) or results is None else ResultFile(results)
    keys, found = [""] * len(folds), {}
    if file is not None:
        _check_repeatable(splitter, X, y, groups, folds)
        keys = _keys(estimator, X, y, groups, folds, (file.data, return_train_score))
        found = file.find()
    rows = {i: {**found[key], "fold": i} for i, key in enumerate(keys) if key in found}
    if check_copies and len(rows) < len(folds):
        _warn_of_copies(folds, X)
    jobs = (
        delayed(run_fold)(i, keys[i], estimator, X, y, groups, parts, return_train_score)
        for i, parts in enumerate(folds)
        if i not in rows
    )
    finished = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(jobs)
    for row in _with_progress(finished, len(folds), len(rows), verbose):
        if file is not None:
            file.append(row)
        rows[row["fold"]] = row
    return [rows[i] for i in range(len(folds))]


def _folds(splitter: Any, X: Any, y: np.ndarray, groups: np.ndarray) -> Iterator[tuple]:
    """Yield the training, validation and test recordings of each fold, as indices."""
    everyone = np.arange(len(y))
    if hasattr(splitter, "split_with_validation"):
        parts = splitter.split_with_validation(X, y, groups)
    else:
        asked = groups if reads_groups(splitter) else None
        nobody = everyone[:0]
        parts = ((train, nobody, test) for train, test in splitter.split(X, y, asked))
    for train, validation, test in parts:
        train, validation, test = (  # from masks, too
            everyone[np.asarray(part)] for part in (train, validation, test)
        )
        yield train, validation[np.isin(y[validation], y[train])], test


def _check_repeatable(
    splitter: Any, X: Any, y: np.ndarray, groups: np.ndarray, folds: list[tuple]
) -> None:
    """Refuse a splitter that would give other folds when the evaluation goes on."""
    again = list(_folds(splitter, X, y, groups))
    same = len(again) == len(folds) and all(
        np.array_equal(part, other)
        for parts, others in zip(folds, again, strict=True)
        for part, other in zip(parts, others, strict=True)
    )
    if not same:
        raise ValueError(
            f"{splitter!r} draws other folds at each call, so that no row of the result file would "
            "be found again. Give it a random_state."
        )


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


def _warn_of_shared_speakers(folds: list[tuple], groups: np.ndarray) -> None:
    for i, (train, _, test) in enumerate(folds):
        shared = np.intersect1d(groups[train], groups[test])
        if len(shared):
            warnings.warn(
                f"Fold {i} tests {len(shared)} speakers that it also trains on, {shared[0]} for "
                "one: its scores tell nothing of new speakers.",
                SpeakerWarning,
                stacklevel=3,
            )
            return


def _warn_of_copies(folds: list[tuple], X: Any) -> None:
    sides = [(np.setdiff1d(np.append(a, b), test), test) for a, b, test in folds]
    found = copied(X, sides)
    if found is not None:
        fold, number, tested, learnt = found
        warnings.warn(
            f"Fold {fold} tests {number} recording(s) that it learns from copies of, X[{tested}] "
            f"for one, which is X[{learnt}] as well: its scores are too good. find_leaks lists all "
            "copies, and shared excerpts; check_copies=False leaves this check out.",
            LeakageWarning,
            stacklevel=3,
        )


def _identity(X: Any) -> str:
    """Return a hash of the recordings, or of what they are read from."""
    from joblib import hash as content_hash

    try:
        return content_hash(X)
    except Exception as error:  # what pickle raises depends on what it meets
        raise ValueError(
            f"X cannot be told from other data for the result file ({error}). Read recordings by "
            "a function of a module, or by AudioLoader, or say what they are by "
            "results=ResultFile(..., data=...)."
        ) from error


def _keys(
    estimator: Any, X: Any, y: np.ndarray, groups: np.ndarray, folds: list, more: tuple
) -> list[str]:
    """Return a hash of all that a fold's row comes from."""
    from joblib import hash as content_hash

    from skspeech import __version__

    data = _identity(X) if more[0] is None else ""
    model = clone(estimator)
    for name in model.get_params():  # which change nothing but the time it takes
        if name.split("__")[-1] in ("n_jobs", "verbose"):
            model.set_params(**{name: None if name.endswith("n_jobs") else 0})
    try:
        shared = content_hash((model, __version__, data, *more))
    except Exception as error:  # what pickle raises depends on what it meets
        raise ValueError(
            f"The estimator cannot be told from others for the result file ({error}). Use "
            "functions of a module in it, or evaluate without results."
        ) from error
    try:
        people = json.dumps([y.tolist(), groups.tolist()], allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Labels or groups hold what a result file cannot ({error}). Use texts or numbers."
        ) from error
    return [content_hash((shared, people, [part.tolist() for part in parts])) for parts in folds]


def _with_progress(rows: Any, n_folds: int, n_found: int, verbose: int) -> Iterator[dict]:
    from tqdm import tqdm

    with tqdm(total=n_folds, initial=n_found, unit="fold", disable=verbose < 1) as bar:
        for row in rows:
            bar.set_postfix_str(
                f"{', '.join(map(str, row['test_speakers'][:3]))}: UA {row['ua']:.3f}"
            )
            bar.update()
            yield row

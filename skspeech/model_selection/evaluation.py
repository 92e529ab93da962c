"""One call for an evaluation on unseen speakers: a row a fold, in parallel, resumed when killed."""

import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import LeaveOneGroupOut, PredefinedSplit, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length
from sklearn.utils.metadata_routing import get_routing_for_object

from skspeech.base import NetworkClassifier
from skspeech.exceptions import SpeakerWarning
from skspeech.metrics import auc_one_vs_rest, unweighted_accuracy, weighted_accuracy
from skspeech.model_selection.results import ResultFile
from skspeech.recordings import RecordingSequence
from skspeech.training.labels import check_groups
from skspeech.training.validation import reads_groups

__all__ = ["cross_validate_speakers"]

_JSON = (str, bool, int, float, type(None))


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
    verbose: int = 0,
) -> list[dict[str, Any]]:
    """Evaluate a classifier on speakers it has not heard, with a row a fold.

    `groups` go wherever they are asked for: to the splitter, to the early stopping of
    networks, to the inner splits of a search, to transformers as
    :class:`~skspeech.preprocessing.SpeakerScaler`. Metadata routing is switched on inside, so
    nothing needs to be set. The validation part of a splitter with ``split_with_validation``
    chooses a network's best epoch; a model without a network, or a search, does without it.

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
        None leaves out one speaker after the other.
    n_jobs : int or None, default=None
        Folds computed at once, in joblib's workers.
    results : path, ResultFile or None, default=None
        Where each row is written as soon as its fold ends. Folds that are there already,
        with the same estimator, data, labels, speakers and split, are read and not computed
        again. Of recordings read on access the source (paths, say) is compared, not what is
        in the files; a ResultFile may say by `data` what they are.
    return_train_score : bool, default=False
        Whether ``train_wa`` is computed.
    verbose : int, default=0
        1 shows a progress bar on standard error.

    Returns
    -------
    list of dict
        In the order of the folds: ``fold``; ``test_speakers`` and ``validation_speakers``;
        ``n_train``, ``n_validation``, ``n_test`` (recordings); ``wa``, ``ua``, ``auc``
        (:mod:`skspeech.metrics`; ``auc`` is None without ``predict_proba`` or where the test part
        has one class); ``train_wa``, WA on the training recordings without the validation part
        of the splitter, or None; ``n_epochs`` and ``history`` of a network, else None;
        ``fit_seconds`` and ``score_seconds``; ``classes``, the labels in the order of
        ``confusion`` (counts; rows are the true classes) and of the columns of ``posteriors``;
        ``test`` (indices into `X`), ``truth``, ``predicted``; ``posteriors`` or None; ``search``,
        the candidates of a search with their mean scores and which is best, or None; ``key``.
        All of it goes into JSON as it is.

    Raises
    ------
    ValueError
        If groups or labels do not fit, or `results` cannot be used.

    Warns
    -----
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
    y, groups = np.asarray(y), check_groups(X, groups)
    if groups is None:
        raise ValueError("groups is None: pass the speaker of each recording.")
    check_consistent_length(X, y)
    _warn_of_blind_searches(estimator, y)
    folds = list(_folds(LeaveOneGroupOut() if cv is None else cv, X, y, groups))
    _warn_of_shared_speakers(folds, groups)
    file = results if isinstance(results, ResultFile) or results is None else ResultFile(results)
    keys = [""] * len(folds)
    if file is not None:
        keys = _keys(estimator, _identity(X) if file.data is None else file.data, y, groups, folds)
    found = {} if file is None else file.find()
    rows = {i: {**found[key], "fold": i} for i, key in enumerate(keys) if key in found}
    jobs = (
        delayed(_run_fold)(i, keys[i], estimator, X, y, groups, parts, return_train_score)
        for i, parts in enumerate(folds)
        if i not in rows
    )
    finished = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(jobs)
    for row in _with_progress(finished, len(folds), len(rows), verbose):
        if file is not None:
            file.append(row)
        rows[row["fold"]] = row
    return [rows[i] for i in range(len(folds))]


def _folds(cv: Any, X: Any, y: np.ndarray, groups: np.ndarray) -> Iterator[tuple]:
    """Yield the training, validation and test recordings of each fold."""
    splitter = check_cv(cv, y, classifier=True)
    if hasattr(splitter, "split_with_validation"):
        yield from splitter.split_with_validation(X, y, groups)
        return
    asked = groups if reads_groups(splitter) else None
    for train, test in splitter.split(np.zeros((len(y), 1)), y, asked):
        yield train, np.array([], dtype=np.intp), test


def _searches(estimator: Any) -> list[Any]:
    """Return the searches in an estimator, itself included."""
    nested = estimator.get_params(deep=True).values() if hasattr(estimator, "get_params") else ()
    return [part for part in (estimator, *nested) if hasattr(part, "_run_search")]


def _warn_of_blind_searches(estimator: Any, y: np.ndarray) -> None:
    for search in _searches(estimator):
        splitter = check_cv(search.cv, y, classifier=True)
        if not reads_groups(splitter):
            warnings.warn(
                f"{type(search).__name__} chooses parameters on splits that do not know the "
                f"speakers ({splitter!r}). Give it one that does, such as cv=GroupKFold().",
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


def _keys(estimator: Any, data: str, y: np.ndarray, groups: np.ndarray, folds: list) -> list[str]:
    """Return a hash of all that a fold's row comes from."""
    from joblib import hash as content_hash

    from skspeech import __version__

    model = content_hash(clone(estimator))
    prefix = content_hash((__version__, model, data, y.tolist(), groups.tolist()))
    return [content_hash((prefix, [part.tolist() for part in parts])) for parts in folds]


def _with_progress(rows: Any, n_folds: int, n_found: int, verbose: int) -> Iterator[dict]:
    from tqdm import tqdm

    with tqdm(total=n_folds, initial=n_found, unit="fold", disable=verbose < 1) as bar:
        for row in rows:
            bar.set_postfix_str(
                f"{', '.join(map(str, row['test_speakers'][:3]))}: UA {row['ua']:.3f}"
            )
            bar.update()
            yield row


def _run_fold(
    fold: int,
    key: str,
    estimator: Any,
    X: Any,
    y: np.ndarray,
    groups: np.ndarray,
    parts: tuple,
    with_train: bool,
) -> dict[str, Any]:
    from sklearn import config_context

    train, validation, test = parts
    with config_context(enable_metadata_routing=True):
        start = time.perf_counter()
        fitted, judged = _fit(estimator, X, y, groups, train, validation)
        fitted_at = time.perf_counter()
        answer, posteriors = _answer(fitted, X, groups, test)
        train_wa = (
            weighted_accuracy(y[train], _answer(fitted, X, groups, train)[0])
            if with_train
            else None
        )
        scored_at = time.perf_counter()
    classes = np.unique(y)
    scores = None if posteriors is None else _aligned(posteriors, fitted.classes_, classes)
    auc = None if scores is None else auc_one_vs_rest(y[test], scores, labels=classes)
    network = _network(fitted)
    return {
        "fold": fold,
        "test_speakers": np.unique(groups[test]).tolist(),
        "validation_speakers": np.unique(groups[judged]).tolist(),
        "n_train": len(train) - len(np.setdiff1d(judged, validation)),
        "n_validation": len(judged),
        "n_test": len(test),
        "wa": weighted_accuracy(y[test], answer),
        "ua": unweighted_accuracy(y[test], answer),
        "auc": None if auc is None or np.isnan(auc) else auc,
        "train_wa": train_wa,
        "n_epochs": None if network is None else network.n_iter_,
        "fit_seconds": round(fitted_at - start, 2),
        "score_seconds": round(scored_at - fitted_at, 2),
        "classes": classes.tolist(),
        "confusion": confusion_matrix(y[test], answer, labels=classes).tolist(),
        "test": test.tolist(),
        "truth": y[test].tolist(),
        "predicted": np.asarray(answer).tolist(),
        "posteriors": None if scores is None else scores.round(6).tolist(),
        "history": None if network is None else [_plain(epoch) for epoch in network.history_],
        "search": _search_result(fitted),
        "key": key,
    }


def _fit(
    estimator: Any,
    X: Any,
    y: np.ndarray,
    groups: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
) -> tuple[Any, np.ndarray]:
    """Return the estimator fitted, and the recordings that chose its best epoch."""
    fitted = clone(estimator)
    names = list(_networks_in(fitted)) if len(validation) else []
    rows = train
    if names:
        rows = np.concatenate([train, validation])
        held = PredefinedSplit(np.repeat([-1, 0], [len(train), len(validation)]))
        fitted.set_params(**{f"{name}validation": held for name in names})
    fitted.fit(_take(X, rows), y[rows], **groups_for(fitted, "fit", groups[rows]))
    network = _network(fitted)
    held_out = [] if network is None else network.validation_.indices
    return fitted, rows[np.asarray(held_out, dtype=np.intp)]


def _networks_in(estimator: Any, prefix: str = "") -> Iterator[str]:
    """Yield the parameter prefix of each network that sees the recordings in their order."""
    if isinstance(estimator, NetworkClassifier):
        yield prefix
    elif isinstance(estimator, Pipeline):
        for name, step in estimator.steps:
            yield from _networks_in(step, f"{prefix}{name}__")


def _network(fitted: Any) -> Any:
    """Return the network that answers, or None."""
    fitted = getattr(fitted, "best_estimator_", fitted)
    while isinstance(fitted, Pipeline):
        fitted = fitted.steps[-1][1]
    return fitted if isinstance(fitted, NetworkClassifier) else None


def groups_for(estimator: Any, method: str, groups: np.ndarray) -> dict[str, np.ndarray]:
    """Return the groups as keyword where a method asks for them, with metadata routing on."""
    asked = get_routing_for_object(estimator).consumes(method, ["groups"])
    return {"groups": groups} if asked else {}


def _answer(fitted: Any, X: Any, groups: np.ndarray, rows: np.ndarray) -> tuple[Any, Any]:
    """Return the labels answered, and the posteriors where there are such."""
    recordings = _take(X, rows)
    answer = fitted.predict(recordings, **groups_for(fitted, "predict", groups[rows]))
    if not hasattr(fitted, "predict_proba"):
        return answer, None
    asked = groups_for(fitted, "predict_proba", groups[rows])
    return answer, fitted.predict_proba(recordings, **asked)


def _aligned(posteriors: np.ndarray, known: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return a column for each class of the data; one never trained on is never answered."""
    aligned = np.zeros((len(posteriors), len(classes)))
    aligned[:, np.searchsorted(classes, known)] = posteriors
    return aligned


def _take(X: Any, rows: np.ndarray) -> Any:
    from sklearn.utils import _safe_indexing

    if isinstance(X, RecordingSequence):
        return X[rows]
    return _safe_indexing(X, rows)


def _search_result(fitted: Any) -> dict[str, Any] | None:
    if not hasattr(fitted, "cv_results_"):
        return None
    scores = fitted.cv_results_["mean_test_score"].tolist()
    candidates = [
        # what JSON does not know is named, not kept
        {name: value if isinstance(value, _JSON) else repr(value) for name, value in params.items()}
        for params in fitted.cv_results_["params"]
    ]
    return {
        "best": int(fitted.best_index_),
        "candidates": [
            [params, None if np.isnan(score) else score]
            for params, score in zip(candidates, scores, strict=True)
        ],
    }


def _plain(epoch: dict[str, Any]) -> dict[str, Any]:
    """Return an epoch's row with numbers that JSON knows."""
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in epoch.items()
        if isinstance(value, bool | int | float | np.generic)
    }

"""One fold of an evaluation: a clone is fitted, answers, and is described in a row."""

import time
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import PredefinedSplit
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import get_routing_for_object

from skspeech.base import NetworkClassifier, NetworkRegressor
from skspeech.metrics import auc_one_vs_rest, unweighted_accuracy, weighted_accuracy
from skspeech.recordings import RecordingSequence

__all__ = ["call", "fit_on", "groups_for", "plain_history", "run_fold", "take", "unwrapped"]

_JSON = (str, bool, int, float, type(None))
_NETWORKS = (NetworkClassifier, NetworkRegressor)
_SCORES = ("predict_proba", "decision_function")


def run_fold(
    fold: int,
    key: str,
    estimator: Any,
    X: Any,
    y: np.ndarray,
    groups: np.ndarray,
    parts: tuple,
    with_train: bool,
) -> dict[str, Any]:
    """Fit a clone of the estimator on one fold and return the fold's row.

    Parameters
    ----------
    fold, key
        What the row is called.
    estimator, X, y, groups
        As for :func:`~skspeech.model_selection.cross_validate_speakers`.
    parts : tuple of ndarray of int
        The training, validation and test recordings.
    with_train : bool
        Whether ``train_wa`` is computed.

    Returns
    -------
    dict
        With the columns of a fold.
    """
    train, validation, test = parts
    with config_context(enable_metadata_routing=True):
        start = time.perf_counter()
        fitted, judged = fit_on(clone(estimator), X, y, groups, train, validation)
        fitted_at = time.perf_counter()
        recordings = take(X, test)
        answer = call(fitted, "predict", recordings, groups[test])
        by = next((name for name in _SCORES if hasattr(fitted, name)), None)
        scores = None if by is None else call(fitted, by, recordings, groups[test])
        train_wa = None
        if with_train:
            again = call(fitted, "predict", take(X, train), groups[train])
            train_wa = weighted_accuracy(y[train], again)
        scored_at = time.perf_counter()
    classes = np.unique(y)
    aligned = None if scores is None else _aligned(scores, fitted.classes_, classes)
    auc = None if aligned is None else auc_one_vs_rest(y[test], aligned, labels=classes)
    posteriors = None if aligned is None or by != "predict_proba" else aligned.round(6).tolist()
    searches, network = unwrapped(fitted)
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
        "posteriors": posteriors,
        "history": None if network is None else plain_history(network),
        "search": _search_result(searches[0]) if searches else None,
        "key": key,
    }


def fit_on(
    fitted: Any,
    X: Any,
    y: np.ndarray,
    groups: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
) -> tuple[Any, np.ndarray]:
    """Fit an estimator; return it, and the recordings that chose its best epoch."""
    rows = train
    name = _last_network(fitted) if len(validation) else None
    if name is not None:
        rows = np.concatenate([train, validation])
        held = PredefinedSplit(np.repeat([-1, 0], [len(train), len(validation)]))
        fitted.set_params(**{f"{name}validation": held})
    fitted.fit(take(X, rows), y[rows], **groups_for(fitted, "fit", groups[rows]))
    _, network = unwrapped(fitted)
    held_out = [] if network is None else network.validation_.indices
    return fitted, rows[np.asarray(held_out, dtype=np.intp)]


def _last_network(estimator: Any) -> str | None:
    """Return the parameter prefix of a network that is the model, or its last step.

    A step after a network would be fitted on the validation part as on the training part.
    """
    prefix = ""
    while isinstance(estimator, Pipeline):
        name, estimator = estimator.steps[-1]
        prefix += f"{name}__"
    return prefix if isinstance(estimator, _NETWORKS) else None


def unwrapped(fitted: Any) -> tuple[list[Any], Any]:
    """Return the searches around the model that answers, and the network if it is one."""
    searches = []
    while True:
        if isinstance(fitted, Pipeline):
            fitted = fitted.steps[-1][1]
        elif hasattr(fitted, "best_estimator_"):
            searches.append(fitted)
            fitted = fitted.best_estimator_
        else:
            return searches, fitted if isinstance(fitted, _NETWORKS) else None


def groups_for(estimator: Any, method: str, groups: np.ndarray) -> dict[str, np.ndarray]:
    """Return the groups as keyword where a method asks for them, with metadata routing on."""
    asked = get_routing_for_object(estimator).consumes(method, ["groups"])
    return {"groups": groups} if asked else {}


def call(fitted: Any, method: str, recordings: Any, groups: np.ndarray) -> Any:
    """Call a method on recordings, with their groups if it asks for them."""
    return getattr(fitted, method)(recordings, **groups_for(fitted, method, groups))


def _aligned(scores: Any, known: np.ndarray, classes: np.ndarray) -> np.ndarray | None:
    """Return a column for each class of the data; one never trained on has the least score.

    None where the scores are of pairs of classes.
    """
    scores = np.asarray(scores, dtype=float)
    if scores.ndim == 1:  # decision values for the second of two classes
        scores = np.stack([-scores, scores], axis=1)
    if scores.shape[1] != len(known):
        return None
    least = min(0.0, scores.min())
    aligned = np.full((len(scores), len(classes)), least)
    aligned[:, np.searchsorted(classes, known)] = scores
    return aligned


def take(X: Any, rows: np.ndarray) -> Any:
    """Return some recordings of a collection."""
    if isinstance(X, RecordingSequence):
        return X[rows]
    return _safe_indexing(X, rows)


def _search_result(search: Any) -> dict[str, Any]:
    """Return the candidates of a search with their mean scores, and which is best."""
    name = search.refit if isinstance(search.refit, str) else "score"
    scores = search.cv_results_[f"mean_test_{name}"].tolist()
    return {
        "best": int(search.best_index_),
        "candidates": [
            [
                {key: _as_json(value) for key, value in params.items()},
                score if np.isfinite(score) else None,
            ]
            for params, score in zip(search.cv_results_["params"], scores, strict=True)
        ],
    }


def _as_json(value: Any) -> Any:
    """Return a parameter as it is where JSON knows it, else what Python calls it."""
    plain = value.item() if isinstance(value, np.generic) else value
    known = isinstance(plain, _JSON) and not (isinstance(plain, float) and not np.isfinite(plain))
    return plain if known else repr(plain)


def plain_history(network: Any) -> list[dict[str, Any]]:
    """Return a network's history with numbers that JSON knows."""
    return [_plain(epoch) for epoch in network.history_]


def _plain(epoch: dict[str, Any]) -> dict[str, Any]:
    """Return an epoch's row with numbers that JSON knows."""
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in epoch.items()
        if isinstance(value, bool | int | float | np.generic)
    }

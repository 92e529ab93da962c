"""One call for an evaluation of what is answered frame by frame: a row a fold, resumed."""

import time
from functools import partial
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import LeaveOneGroupOut, check_cv

from skspeech.metrics import frame_mse, mean_r2, mel_cepstral_distortion
from skspeech.model_selection._folds import (
    check_repeatable,
    fold_keys,
    folds_of,
    run_folds,
    warn_of_copies,
    warn_of_shared_speakers,
)
from skspeech.model_selection.fold import call, fit_on, plain_history, take, unwrapped
from skspeech.model_selection.results import FRAME_COLUMNS, ResultFile
from skspeech.recordings import object_array
from skspeech.training.labels import check_groups
from skspeech.training.moments import Moments
from skspeech.training.targets import read_targets

__all__ = ["cross_validate_frames"]


def cross_validate_frames(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    groups: Any,
    cv: Any = None,
    n_jobs: int | None = None,
    results: Any = None,
    check_copies: bool = True,
    verbose: int = 0,
) -> list[dict[str, Any]]:
    """Evaluate a regressor that answers every frame of recordings, with a row a fold.

    It is to regressors what :func:`~skspeech.model_selection.cross_validate_speakers` is to
    classifiers: `groups` go wherever they are asked for, the validation part of a splitter with
    ``split_with_validation`` chooses the best epoch of a network, and a fold that is in the file
    is not computed again.

    Parameters
    ----------
    estimator : regressor or Pipeline
        Not fitted itself; each fold fits a clone.
    X : collection of n recordings
    y : collection of n ndarrays of shape (n_frames, n_outputs)
        Logarithmic mel spectra, for ``mcd`` to mean something.
    groups : array-like of shape (n_recordings,)
        What is kept apart: speakers, or sentences of one speaker.
    cv : splitter, int, iterable or None, default=None
        None leaves out one group after the other.
    n_jobs : int or None, default=None
        Folds computed at once.
    results : path, ResultFile or None, default=None
        Where each row is written as soon as its fold ends. A ResultFile has
        ``fields=FRAME_COLUMNS``.
    check_copies : bool, default=True
        Whether to look for exact copies of recordings on both sides of a fold.
    verbose : int, default=0
        1 shows a progress bar on standard error.

    Returns
    -------
    list of dict
        In the order of the folds: ``fold``; ``test_speakers`` and ``validation_speakers``, the
        groups; ``n_train``, ``n_validation``, ``n_test`` (recordings) and ``n_frames`` tested;
        ``mse``, the squared error of targets that are standardised by the training part, as Shandiz
        and Tóth print it, ``r2`` and ``mcd`` (:mod:`skspeech.metrics`; None below 14 outputs);
        ``validation_mse`` and ``validation_r2``, or None; ``n_parameters`` and ``n_epochs`` of a
        network, else None; ``fit_seconds`` and ``score_seconds``; ``test`` (indices into `X`);
        ``history``; ``key``.

    Raises
    ------
    ValueError
        If groups or targets do not fit, or `results` cannot be used.

    Warns
    -----
    LeakageWarning
        If a recording that a fold tests has an exact copy among those it learns from.
    SpeakerWarning
        If groups are in the training and in the test part of a fold.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.model_selection import cross_validate_frames
    >>> from skspeech.models import Conv3DRegressor
    >>> rng = np.random.default_rng(0)
    >>> videos = [rng.normal(size=(20, 8, 4)) for _ in range(4)]
    >>> spectra = [video[:, :2, 0] for video in videos]
    >>> network = Conv3DRegressor(n_maps=(4,), context_frames=5, max_epochs=1, random_state=0)
    >>> rows = cross_validate_frames(network, videos, spectra, groups=list("aabb"))
    >>> [(row["test_speakers"], row["n_frames"]) for row in rows]
    [(['a'], 40), (['b'], 40)]
    """
    groups = check_groups(X, groups)
    if groups is None:
        raise ValueError("groups is None: pass what is kept apart, the speakers for one.")
    y = object_array(read_targets(X, y, reader="cross_validate_frames").frames)
    splitter = check_cv(LeaveOneGroupOut() if cv is None else cv)
    folds = list(folds_of(splitter, X, y, groups))
    warn_of_shared_speakers(folds, groups, stacklevel=3)
    file = results
    if results is not None and not isinstance(results, ResultFile):
        file = ResultFile(results, fields=FRAME_COLUMNS)
    keys = [""] * len(folds)
    if file is not None:
        check_repeatable(splitter, folds, list(folds_of(splitter, X, y, groups)))
        keys = fold_keys(estimator, X, y, groups, folds, (file.data, "frames"))
    jobs = [
        partial(_run_fold, i, keys[i], estimator, X, y, groups, parts)
        for i, parts in enumerate(folds)
    ]
    return run_folds(
        jobs,
        keys,
        file,
        before=lambda: warn_of_copies(folds, X, stacklevel=5) if check_copies else None,
        said=lambda row: f"R2 {row['r2']:.3f}",
        n_jobs=n_jobs,
        verbose=verbose,
    )


# Coefficients that the distortion is of; fewer bands have none.
_CEPSTRUM = 13


def _run_fold(
    fold: int,
    key: str,
    estimator: Any,
    X: Any,
    y: np.ndarray,
    groups: np.ndarray,
    parts: tuple,
) -> dict[str, Any]:
    train, validation, test = parts
    with config_context(enable_metadata_routing=True):
        start = time.perf_counter()
        fitted, judged = fit_on(clone(estimator), X, y, groups, train, validation)
        fitted_at = time.perf_counter()
        learnt = np.setdiff1d(train, judged)
        scores = _scores(y[test], call(fitted, "predict", take(X, test), groups[test]), y[learnt])
        scored_at = time.perf_counter()
        held = None
        if len(judged):
            answer = call(fitted, "predict", take(X, judged), groups[judged])
            held = _scores(y[judged], answer, y[learnt])
    _, network = unwrapped(fitted)
    return {
        "fold": fold,
        "test_speakers": np.unique(groups[test]).tolist(),
        "validation_speakers": np.unique(groups[judged]).tolist(),
        "n_train": len(learnt),
        "n_validation": len(judged),
        "n_test": len(test),
        "n_frames": sum(map(len, y[test])),
        "validation_mse": None if held is None else held["mse"],
        "validation_r2": None if held is None else held["r2"],
        **scores,
        "n_parameters": None if network is None else _n_parameters(network),
        "n_epochs": None if network is None else network.n_iter_,
        "fit_seconds": round(fitted_at - start, 2),
        "score_seconds": round(scored_at - fitted_at, 2),
        "test": test.tolist(),
        "history": None if network is None else plain_history(network),
        "key": key,
    }


def _scores(truth: Any, answer: Any, learnt: Any) -> dict[str, float | None]:
    moments = Moments("bin")
    for target in learnt:
        moments.add(target.T)
    mean, scale = moments.mean[:, 0], moments.scale[:, 0]
    standard = [[(frames - mean) / scale for frames in part] for part in (truth, answer)]
    return {
        "mse": frame_mse(*standard),
        "r2": mean_r2(truth, answer),
        "mcd": mel_cepstral_distortion(truth, answer) if len(mean) > _CEPSTRUM else None,
    }


def _n_parameters(network: Any) -> int:
    return sum(parameter.numel() for parameter in network.module_.parameters())

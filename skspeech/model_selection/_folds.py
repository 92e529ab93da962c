"""What evaluations of any kind have in common: folds, what they are known by, and where rows go."""

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.base import clone

from skspeech.base.network import Network
from skspeech.exceptions import LeakageWarning, SpeakerWarning
from skspeech.model_selection._copies import copied
from skspeech.model_selection.results import ResultFile
from skspeech.training.validation import reads_groups

__all__ = [
    "check_repeatable",
    "fold_keys",
    "folds_of",
    "run_folds",
    "warn_of_copies",
    "warn_of_shared_speakers",
]


def folds_of(splitter: Any, X: Any, y: Any, groups: np.ndarray) -> Iterator[tuple]:
    """Yield the training, validation and test recordings of each fold, as indices."""
    everyone = np.arange(len(groups))
    if hasattr(splitter, "split_with_validation"):
        parts = splitter.split_with_validation(X, y, groups)
    else:
        asked = groups if reads_groups(splitter) else None
        nobody = everyone[:0]
        parts = ((train, nobody, test) for train, test in splitter.split(X, y, asked))
    for train, validation, test in parts:
        yield tuple(everyone[np.asarray(part)] for part in (train, validation, test))  # masks, too


def check_repeatable(splitter: Any, folds: list[tuple], again: list[tuple]) -> None:
    """Refuse a splitter that would give other folds when the evaluation goes on."""
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


def warn_of_shared_speakers(folds: list[tuple], groups: np.ndarray, stacklevel: int) -> None:
    """Warn if a fold tests speakers that it also trains on."""
    for i, (train, _, test) in enumerate(folds):
        shared = np.intersect1d(groups[train], groups[test])
        if len(shared):
            warnings.warn(
                f"Fold {i} tests {len(shared)} speakers that it also trains on, {shared[0]} for "
                "one: its scores tell nothing of new speakers.",
                SpeakerWarning,
                stacklevel=stacklevel,
            )
            return


def warn_of_copies(folds: list[tuple], X: Any, stacklevel: int) -> None:
    """Warn if a fold tests exact copies of recordings that it learns from."""
    sides = [(np.setdiff1d(np.append(a, b), test), test) for a, b, test in folds]
    found = copied(X, sides)
    if found is not None:
        fold, number, tested, learnt = found
        warnings.warn(
            f"Fold {fold} tests {number} recording(s) that it learns from copies of, X[{tested}] "
            f"for one, which is X[{learnt}] as well: its scores are too good. find_leaks lists all "
            "copies, and shared excerpts; check_copies=False leaves this check out.",
            LeakageWarning,
            stacklevel=stacklevel,
        )


def run_folds(
    jobs: Sequence[Callable[[], dict[str, Any]]],
    keys: list[str],
    file: ResultFile | None,
    *,
    before: Callable[[], None],
    said: Callable[[dict], str],
    n_jobs: int | None,
    verbose: int,
) -> list[dict[str, Any]]:
    """Return the row of each fold: from the file, or computed and written to it.

    Parameters
    ----------
    jobs : sequence of callables without arguments
        One a fold, for joblib's workers.
    keys : list of str
        What the folds are known by in the file.
    file : ResultFile or None
    before : callable
        Called if there is anything to compute.
    said : callable
        ``said(row)`` is shown beside the progress bar.
    n_jobs : int or None
    verbose : int

    Returns
    -------
    list of dict
    """
    found = {} if file is None else file.find()
    rows = {i: {**found[key], "fold": i} for i, key in enumerate(keys) if key in found}
    if len(rows) < len(jobs):
        before()
    finished = _run([job for i, job in enumerate(jobs) if i not in rows], n_jobs)
    for row in _with_progress(finished, len(jobs), len(rows), verbose, said):
        if file is not None:
            file.append(row)
        rows[row["fold"]] = row
    return [rows[i] for i in range(len(jobs))]


def _run(jobs: list[Callable[[], dict]], n_jobs: int | None) -> Iterator[dict]:
    """Yield the answer of each job as soon as the backend hands it over."""
    if not jobs:
        return
    calls = [delayed(job)() for job in jobs]
    try:
        at_once = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    except ValueError:  # joblib's multiprocessing cannot, nor ray's backend, which is built on it
        with Parallel(n_jobs=n_jobs) as parallel:
            size = effective_n_jobs(n_jobs)
            for start in range(0, len(calls), size):
                yield from parallel(calls[start : start + size])
    else:
        yield from at_once(calls)


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


def fold_keys(
    estimator: Any, X: Any, y: Any, groups: np.ndarray, folds: list, more: tuple
) -> list[str]:
    """Return a hash of all that each fold's row comes from."""
    from joblib import hash as content_hash

    from skspeech import __version__

    data = _identity(X) if more[0] is None else ""
    model = clone(estimator)
    for name in model.get_params():  # which change nothing but the time it takes
        if name.split("__")[-1] in ("n_jobs", "verbose"):
            model.set_params(**{name: None if name.endswith("n_jobs") else 0})
    for part in (model, *model.get_params().values()):
        if isinstance(part, Network):  # and where it writes as it goes
            part.__dict__.pop("checkpoint_dir", None)
    try:
        shared = content_hash((model, __version__, data, *more))
    except Exception as error:  # what pickle raises depends on what it meets
        raise ValueError(
            f"The estimator cannot be told from others for the result file ({error}). Use "
            "functions of a module in it, or evaluate without results."
        ) from error
    try:
        people = json.dumps([_plain(y), groups.tolist()], allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Labels or groups hold what a result file cannot ({error}). Use texts or numbers."
        ) from error
    return [content_hash((shared, people, [part.tolist() for part in parts])) for parts in folds]


def _plain(y: Any) -> Any:
    """Return labels as lists, and of targets frame by frame a hash."""
    return y.tolist() if isinstance(y, np.ndarray) and y.dtype != object else _identity(y)


def _with_progress(
    rows: Any, n_folds: int, n_found: int, verbose: int, said: Callable[[dict], str]
) -> Iterator[dict]:
    from tqdm import tqdm

    with tqdm(total=n_folds, initial=n_found, unit="fold", disable=verbose < 1) as bar:
        for row in rows:
            bar.set_postfix_str(f"{', '.join(map(str, row['test_speakers'][:3]))}: {said(row)}")
            bar.update()
            yield row

"""What an experiment is: runs of a model on the splits of a protocol, a row a fold."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from skspeech.experiments._names import EXPERIMENTS
from skspeech.experiments._versions import library_versions
from skspeech.model_selection import (
    ResultFile,
    ValidateOnTest,
    cross_validate_frames,
    cross_validate_speakers,
)
from skspeech.model_selection.results import FOLD_COLUMNS, FRAME_COLUMNS

__all__ = [
    "EXPERIMENTS",
    "Experiment",
    "Run",
    "limit_epochs",
    "load_experiment",
    "run_experiment",
    "seeded_pipeline",
    "set_everywhere",
    "versions",
]

#: The columns that stand before those of a fold in an experiment's file.
COLUMNS = (
    "experiment",
    "protocol",
    "model",
    "seed",
    "settings",
    "data",
    "versions",
    "threads",
    "command",
)


@dataclass(frozen=True)
class Run:
    """One model on the splits of one protocol.

    Parameters
    ----------
    protocol, model : str
        Names, for the rows and for the command line.
    estimator : callable
        ``estimator(sample_rate, seed)`` gives the unfitted model.
    splitter : callable
        ``splitter(seed)`` gives the splits.
    view : callable or None, default=None
        ``view(corpus)`` gives the recordings of this run, a Bunch like the corpus; None takes the
        corpus itself.
    """

    protocol: str
    model: str
    estimator: Callable[[float, int], Any]
    splitter: Callable[[int], Any]
    view: Callable[[Bunch], Bunch] | None = None


@dataclass(frozen=True)
class Experiment:
    """Runs on one corpus.

    Parameters
    ----------
    about : str
        One sentence.
    load : callable
        ``load(data_home)`` gives a Bunch with ``data``, ``target``, ``target_names``, ``speakers``,
        ``filenames``, ``sample_rate`` and, for the rows, ``description``; where every frame is
        answered, ``frame_targets`` in place of ``target`` and ``target_names``.
    runs : sequence of Run
    published : mapping, default={}
        What the paper prints: by (protocol, model), by the name of a figure.
    features : sequence of str, default=()
        Names of runs that end in ``-feature`` go into one line of a table for all features.
    """

    about: str
    load: Callable[[Any], Bunch]
    runs: Sequence[Run]
    published: Mapping[tuple[str, str], Mapping[str, float]] = field(default_factory=dict)
    features: Sequence[str] = ()


def load_experiment(name: str) -> Experiment:
    """Return an experiment by its name.

    Raises
    ------
    ValueError
        If there is none of this name.

    Examples
    --------
    >>> from skspeech.experiments.protocol import load_experiment
    >>> load_experiment("zhao2019-emodb").runs[0].model
    'cnn-lstm-2d'
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"There is no experiment {name!r}; there are {', '.join(EXPERIMENTS)}.")
    module, attribute = EXPERIMENTS[name]
    return getattr(import_module(module), attribute)


def run_experiment(
    name: str,
    *,
    data_home: Any = None,
    seed: int = 0,
    output: Any = None,
    resume: bool = False,
    protocols: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    max_epochs: int | None = None,
    checkpoint_dir: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> list[dict[str, Any]]:
    """Run an experiment, or some of its runs, and append a row a fold to a CSV file.

    Parameters
    ----------
    name : str
        A key of :data:`EXPERIMENTS`.
    data_home : path-like or None, default=None
        The folder of the corpora, as for the functions of :mod:`skspeech.datasets`.
    seed : int, default=0
        Of the splits that are drawn and of the networks.
    output : path-like or None, default=None
        The file; None takes ``<name>.csv`` in the working directory.
    resume : bool, default=False
        Whether the file may be there already. Folds in it are not computed again.
    protocols, models : sequence of str or None, default=None
        Run these alone.
    max_epochs : int or None, default=None
        Train no longer than this, in place of what the paper or we chose; the rows say so.
    checkpoint_dir : path-like or None, default=None
        A folder in which networks write each epoch, so that a fold that is killed goes on from its
        last one. It changes no row.
    n_jobs : int or None, default=None
        Folds computed at once.
    verbose : int, default=0
        1 shows what runs, and a progress bar, on standard error.

    Returns
    -------
    list of dict
        The rows of these runs, as :func:`~skspeech.model_selection.cross_validate_speakers` gives
        them, with the file's columns before them.

    Raises
    ------
    FileExistsError
        If the file is there and `resume` is false.
    ValueError
        If a name is unknown.
    """
    experiment = load_experiment(name)
    runs = _chosen(experiment, protocols, models)
    path = Path(f"{name}.csv" if output is None else output)
    if path.exists() and not resume:
        raise FileExistsError(
            f"{path} is there already. Go on with it (resume, --resume), or name another file."
        )
    corpus = experiment.load(data_home)
    views: dict[Any, Bunch] = {None: corpus}
    command = _command(name, seed, max_epochs)
    rows = []
    for run in runs:
        if run.view not in views and run.view is not None:
            views[run.view] = run.view(corpus)
        read = views[run.view]
        estimator = run.estimator(read.sample_rate, seed)
        settings = limit_epochs(estimator, max_epochs)
        set_everywhere(estimator, "checkpoint_dir", checkpoint_dir)
        columns = {
            "experiment": name,
            "protocol": run.protocol,
            "model": run.model,
            "seed": str(seed),
            "settings": settings,
            "data": read.description,
            "versions": versions(),
            "threads": os.environ.get("OMP_NUM_THREADS", "not set"),
            "command": command,
        }
        fields = FRAME_COLUMNS if "frame_targets" in read else FOLD_COLUMNS
        identity = _identity(read, run, seed)
        file = ResultFile(path, columns=columns, data=identity, fields=fields)
        found = _evaluate(run, estimator, read, seed, file, n_jobs, verbose)
        rows += [{**columns, **row} for row in found]
    return rows


def _identity(corpus: Bunch, run: Run, seed: int) -> str:
    """Return what a run is of, wherever the folder of the corpora lies.

    Models that know no seed have rows of their own for each seed, too: they belong to its table.
    """
    facts = [run.protocol, run.model, seed, corpus.description, corpus.sample_rate]
    return ", ".join(map(str, [*facts, *corpus.filenames]))


def _chosen(
    experiment: Experiment, protocols: Sequence[str] | None, models: Sequence[str] | None
) -> list[Run]:
    for kind, asked in (("protocol", protocols), ("model", models)):
        known = list(dict.fromkeys(getattr(run, kind) for run in experiment.runs))
        for name in asked or ():
            if name not in known:
                raise ValueError(
                    f"There is no {kind} {name!r} in it; there are {', '.join(known)}."
                )
    chosen = [
        run
        for run in experiment.runs
        if (not protocols or run.protocol in protocols) and (not models or run.model in models)
    ]
    if not chosen:
        raise ValueError("No run of the experiment has these protocols and these models.")
    return chosen


def _evaluate(
    run: Run,
    estimator: Any,
    corpus: Bunch,
    seed: int,
    file: ResultFile,
    n_jobs: int | None,
    verbose: int,
) -> list[dict[str, Any]]:
    import sys
    import warnings

    from skspeech.exceptions import SpeakerWarning

    if verbose:
        print(f"{run.protocol}: {run.model}", file=sys.stderr, flush=True)
    splitter = run.splitter(seed)
    if "frame_targets" in corpus:
        return cross_validate_frames(
            estimator,
            corpus.data,
            corpus.frame_targets,
            groups=corpus.speakers,
            cv=splitter,
            n_jobs=n_jobs,
            results=file,
            verbose=verbose,
        )
    as_printed = isinstance(splitter, ValidateOnTest)
    with warnings.catch_warnings():
        if as_printed:  # what the protocol's name says
            warnings.simplefilter("ignore", SpeakerWarning)
        return cross_validate_speakers(
            estimator,
            corpus.data,
            np.asarray(corpus.target_names)[corpus.target],
            groups=corpus.speakers,
            cv=splitter,
            n_jobs=n_jobs,
            results=file,
            return_train_score=as_printed,
            verbose=verbose,
        )


def seeded_pipeline(cls: Any, sample_rate: float, seed: int) -> Pipeline:
    """Return a classifier's own pipeline from waveforms, with its seed set.

    Parameters
    ----------
    cls : type
        With ``pipeline(sample_rate=...)``.
    sample_rate : float
        Samples per second of the waveforms, Hz.
    seed : int

    Returns
    -------
    Pipeline
    """
    system = cls.pipeline(sample_rate=sample_rate)
    set_everywhere(system, "random_state", seed)
    return system


def limit_epochs(estimator: Any, max_epochs: int | None) -> str:
    """Let every network in an estimator train no longer; return what a row says of it."""
    if max_epochs is None or not set_everywhere(estimator, "max_epochs", max_epochs):
        return ""
    return f"max_epochs={max_epochs}"


def set_everywhere(estimator: Any, name: str, value: Any) -> bool:
    """Set a parameter of every part of an estimator that has it; tell whether one has."""
    names = [full for full in estimator.get_params() if full.split("__")[-1] == name]
    estimator.set_params(**dict.fromkeys(names, value))
    return bool(names)


def versions() -> str:
    """Return the versions that figures depend on, in one line."""
    return ", ".join(f"{name} {found}" for name, found in library_versions().items())


def _command(name: str, seed: int, max_epochs: int | None) -> str:
    """Return what gives this row; which other runs were asked for with it changes nothing."""
    command = f"skspeech experiment {name} --data-home DIR --seed {seed}"
    return command if max_epochs is None else f"{command} --max-epochs {max_epochs}"

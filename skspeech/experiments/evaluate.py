"""Any registered classifier on any corpus we load: what ``skspeech evaluate`` does."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any, TextIO

import numpy as np
from sklearn import config_context
from sklearn.model_selection import ShuffleSplit
from sklearn.utils import Bunch

from skspeech.experiments.baselines import mfcc_svc
from skspeech.experiments.protocol import limit_epochs, seeded_pipeline, set_everywhere
from skspeech.metrics import confusion_percent, unweighted_accuracy, weighted_accuracy
from skspeech.model_selection import (
    LeaveOneSessionOut,
    LeaveOneSpeakerOut,
    SpeakerShuffleSplit,
    cross_validate_speakers,
)
from skspeech.model_selection.fold import groups_for
from skspeech.persistence import check_savable, make_model_card, save_model
from skspeech.persistence.cards import card_path

__all__ = ["DATASETS", "SPLITS", "evaluate", "make_model"]


def _fetch(name: str) -> Callable[[Any], Any]:
    def load(data_home: Any) -> Any:
        import skspeech.datasets

        return getattr(skspeech.datasets, f"fetch_{name}")(data_home=data_home)

    return load


def _voice_prompts(data_home: Any) -> Any:
    from skspeech.datasets import load_voice_prompts

    prompts: Any = load_voice_prompts()
    # the classes are the voices: what is said is kept apart
    prompts.speakers, prompts.group = prompts.prompts, "prompt"
    return prompts


def _iemocap(data_home: Any) -> Any:
    from skspeech.datasets import load_iemocap
    from skspeech.datasets._files import data_home_path

    return load_iemocap(data_home_path(data_home) / "IEMOCAP_full_release")


#: What ``--dataset`` takes.
DATASETS: Mapping[str, Callable[[Any], Any]] = {
    **{name: _fetch(name) for name in ("emodb", "fsdd", "ravdess")},
    "iemocap": _iemocap,
    "voice-prompts": _voice_prompts,
}


def _sessions(seed: int, corpus: Any) -> LeaveOneSessionOut:
    if "sessions" not in corpus:
        raise ValueError("This corpus has no sessions; choose another cv, such as speaker.")
    pairs = zip(corpus.speakers.tolist(), corpus.sessions.tolist(), strict=True)
    return LeaveOneSessionOut(sessions=dict(pairs))


#: What ``--cv`` takes: functions of the seed and the corpus.
SPLITS: Mapping[str, Callable[[int, Any], Any]] = {
    "speaker": lambda seed, corpus: LeaveOneSpeakerOut(),
    "speaker-1-validation": lambda seed, corpus: LeaveOneSpeakerOut(n_validation=1),
    "session": _sessions,
    "two-speakers": lambda seed, corpus: SpeakerShuffleSplit(n_test=2, random_state=seed),
    "random": lambda seed, corpus: ShuffleSplit(1, test_size=0.2, random_state=seed),
}


def make_model(name: str, *, sample_rate: float, seed: int) -> Any:
    """Return a model for waveforms by the name that the command line gives it.

    Parameters
    ----------
    name : str
        ``"mfcc-svc"``, or the name of a registered classifier, in any case, with or without hyphens
        and without "Classifier": ``cnn-lstm-2d`` is ``CNNLSTM2DClassifier``. Its ``pipeline`` is
        taken.
    sample_rate : float
        Samples per second of the waveforms, Hz.
    seed : int
        Of a network.

    Returns
    -------
    classifier or Pipeline

    Raises
    ------
    ValueError
        If there is no such classifier, or several are meant, or it has no ``pipeline``.

    Examples
    --------
    >>> from skspeech.experiments.evaluate import make_model
    >>> [name for name, _ in make_model("cnn-lstm-2d", sample_rate=8000, seed=0).steps]
    ['fixedduration', 'logmelspectrogram', 'cnnlstm2dclassifier']
    """
    from skspeech.plugins import list_estimators, load

    if _plain(name) == "mfccsvc":
        return mfcc_svc(sample_rate)
    names = [entry.name for entry in list_estimators("classifier")]
    found = {known for known in names if _plain(known) == _plain(name)}
    if not found:
        known = ", ".join(["mfcc-svc", *names])
        raise ValueError(f"There is no classifier {name!r}; there are {known}.")
    if len(found) > 1 and name not in found:
        raise ValueError(
            f"{name!r} may be any of {', '.join(sorted(found))}. Write the one that is meant as it "
            "stands here."
        )
    full_name = name if name in found else found.pop()
    cls = load(full_name)
    if not hasattr(cls, "pipeline"):
        raise ValueError(
            f"{full_name} has no pipeline(sample_rate=...) that would say how waveforms become "
            "what it reads. Evaluate it from Python, with cross_validate_speakers."
        )
    return seeded_pipeline(cls, sample_rate, seed)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]|classifier$", "", name.lower())


def evaluate(
    dataset: str,
    model: str,
    *,
    cv: str = "speaker",
    data_home: Any = None,
    seed: int = 0,
    max_epochs: int | None = None,
    checkpoint_dir: Any = None,
    n_jobs: int | None = None,
    results: Any = None,
    report: Any = None,
    save: Any = None,
    command: str = "",
    stream: TextIO,
    verbose: int = 0,
) -> list[dict[str, Any]]:
    """Evaluate a model on a corpus, print what came out, and write what is asked for.

    Parameters
    ----------
    dataset : str
        A key of :data:`DATASETS`.
    model : str
        As for :func:`make_model`.
    cv : str, default="speaker"
        A key of :data:`SPLITS`.
    data_home : path-like or None, default=None
        The folder of the corpora.
    seed : int, default=0
        Of splits that are drawn, and of networks.
    max_epochs : int or None, default=None
        In place of the model's own.
    checkpoint_dir : path-like or None, default=None
        A folder in which networks write each epoch, so that one that is killed goes on from there.
    n_jobs : int or None, default=None
        Folds computed at once.
    results : path-like or None, default=None
        A CSV file for a row a fold, from which a stopped evaluation goes on.
    report : path-like or None, default=None
        An HTML file for the report.
    save : path-like or None, default=None
        A file for the model, fitted in the end on all recordings, for ``skspeech predict``. Its
        card, with the scores, is written beside it.
    command : str, default=""
        How to do it again, for the report and the card.
    stream : text file
        Where the results are printed.
    verbose : int, default=0
        1 shows a progress bar on standard error.

    Returns
    -------
    list of dict
        A row a fold.

    Raises
    ------
    ValueError, FileNotFoundError, FileExistsError
        If a name is unknown, the corpus is not there, or the model's file is.
    TypeError
        If the model is to be saved and cannot be.
    """
    if report is not None:
        from skspeech.experiments.report import check_report

        check_report(report)
    if save is not None:
        _check_place(Path(save))
    corpus = DATASETS[dataset](data_home)
    estimator = make_model(model, sample_rate=corpus.sample_rate, seed=seed)
    limit_epochs(estimator, max_epochs)
    set_everywhere(estimator, "checkpoint_dir", checkpoint_dir)
    if save is not None:
        check_savable(estimator)
    labels = np.asarray(corpus.target_names)[corpus.target]
    rows = cross_validate_speakers(
        estimator,
        corpus.data,
        labels,
        groups=corpus.speakers,
        cv=SPLITS[cv](seed, corpus),
        n_jobs=n_jobs,
        results=results,
        verbose=verbose,
    )
    group = corpus.get("group", "speaker")
    _print_rows(rows, group, stream)
    if report is not None:
        _write_report(report, corpus, rows, estimator, dataset, model, cv, seed, command)
        print(f"Report: {report}", file=stream)
    if save is not None:
        _fit_on_all(estimator, corpus, labels)
        save_model(estimator, save, card=_card(estimator, corpus, rows, dataset, cv, seed, command))
        print(f"Model, fitted on all {len(labels)} recordings: {save}", file=stream)
        print(f"Its card: {card_path(Path(save))}", file=stream)
    return rows


def _check_place(path: Path) -> None:
    """Refuse a file for the model that could not be written in the end."""
    for file in (path, card_path(path)):
        if file.exists():
            raise FileExistsError(f"{file} is there already. Remove it, or save to another file.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} is to lie in a folder that is not there. Make it first.")


def _print_rows(rows: list[dict[str, Any]], group: str, stream: TextIO) -> None:
    header = f"{'fold':>4} {'test':>5} {'WA':>6} {'UA':>6} {'AUC':>6} epochs  {group}s"
    print(header, file=stream)
    for row in rows:
        auc = "" if row["auc"] is None else f"{row['auc']:.3f}"
        epochs = "" if row["n_epochs"] is None else row["n_epochs"]
        speakers = shorten(" ".join(map(str, row["test_speakers"])), 60, placeholder=" ...")
        print(
            f"{row['fold']:>4} {row['n_test']:>5} {row['wa']:>6.3f} {row['ua']:>6.3f} {auc:>6} "
            f"{epochs:>6}  {speakers}",
            file=stream,
        )
    truth = np.concatenate([row["truth"] for row in rows])
    answer = np.concatenate([row["predicted"] for row in rows])
    print(
        f"\nAll {len(truth)} answers together: WA {weighted_accuracy(truth, answer):.3f}, "
        f"UA {unweighted_accuracy(truth, answer):.3f}\n\n"
        "Confusion in percent (rows: the true class; columns in the same order)",
        file=stream,
    )
    classes = rows[0]["classes"]
    width = max(len(str(label)) for label in classes)
    for label, line in zip(classes, confusion_percent(truth, answer, labels=classes), strict=True):
        print(f"  {label!s:<{width}} " + "".join(f"{share:7.1f}" for share in line), file=stream)


def _write_report(
    path: Any,
    corpus: Bunch,
    rows: list[dict[str, Any]],
    estimator: Any,
    dataset: str,
    model: str,
    cv: str,
    seed: int,
    command: str,
) -> None:
    from skspeech.experiments.report import write_report

    write_report(
        path,
        title=f"{model} on {dataset}",
        rows=rows,
        recordings=corpus.data,
        sample_rate=corpus.sample_rate,
        speakers=corpus.speakers,
        filenames=corpus.filenames,
        descr=corpus.DESCR,
        group=corpus.get("group", "speaker"),
        settings={"dataset": dataset, "model": model, "splits": cv, "estimator": repr(estimator)},
        seed=seed,
        command=command,
    )


def _fit_on_all(estimator: Any, corpus: Bunch, labels: np.ndarray) -> None:
    with config_context(enable_metadata_routing=True):
        estimator.fit(corpus.data, labels, **groups_for(estimator, "fit", corpus.speakers))


def _card(
    estimator: Any,
    corpus: Bunch,
    rows: list[dict[str, Any]],
    dataset: str,
    cv: str,
    seed: int,
    command: str,
) -> str:
    group = corpus.get("group", "speaker")
    counts = f"{len(corpus.target):,} recordings, {len(set(corpus.speakers))} {group}s"
    about = "\n".join(line for line in corpus.DESCR.splitlines() if not line.startswith(".. _"))
    return make_model_card(
        estimator,
        data=f"`{dataset}`: {counts}. What the corpus says of itself:\n\n```\n{about.strip()}\n```",
        protocol=f"`{SPLITS[cv](seed, corpus)!r}` over the {group}s (`--cv {cv} --seed {seed}`). "
        "The model in this file was fitted afterwards, on all of these recordings.",
        results=rows,
        command=command or None,
    )

"""A report of an evaluation: one page of HTML that holds its pictures and its sounds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from skspeech.experiments._media import SECONDS_SHOWN, history_picture, sound, spectrogram_picture
from skspeech.experiments._versions import library_versions
from skspeech.inspection._extras import check_extra
from skspeech.metrics import unweighted_accuracy, weighted_accuracy

__all__ = ["check_report", "write_report"]


def write_report(
    path: Any,
    *,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    recordings: Any,
    sample_rate: int,
    speakers: Sequence[Any],
    settings: Mapping[str, Any],
    seed: int | None,
    command: str,
    filenames: Sequence[Any] | None = None,
    notes: Sequence[str] = (),
    descr: str | None = None,
    group: str = "speaker",
    n_mistakes: int = 10,
) -> Path:
    """Write what an evaluation gave as one HTML file that needs nothing else.

    The page has the scores, the pooled confusion matrix, a table of the folds, the scores by
    speaker, the learning curves, the mistakes made with the highest posterior (with spectrogram
    and sound), and how it was made. It loads nothing from anywhere and runs no script; of
    the recordings it holds those that it shows, so it is to be passed on only where they may be.

    Parameters
    ----------
    path : path-like
        The file to write. It is replaced in one step, so that it is never there by half.
    title : str
        The heading.
    rows : list of dict
        A row a fold, as :func:`skspeech.model_selection.cross_validate_speakers` gives them.
    recordings : collection of n waveforms
        Each of shape (n_samples,), in [-1, 1]; louder ones are scaled down to be played. Only
        those shown are read, and of them the first 30 s.
    sample_rate : int
        Samples per second of the recordings, Hz.
    speakers : array-like of shape (n,)
        The speaker, or other group, of each recording.
    settings : dict
        What was set, by name.
    seed : int or None
        Of the evaluation.
    command : str
        How to do it again.
    filenames : array-like of shape (n,) or None, default=None
        What to call the recordings. None calls them by index.
    notes : sequence of str, default=()
        Paragraphs to print below the scores: what the reader must know to read them.
    descr : str or None, default=None
        What is to be said of the recordings, as ``DESCR`` of a data set: origin, licence,
        credits. Printed as it stands.
    group : str, default="speaker"
        What was kept apart in the splits, in the singular.
    n_mistakes : int, default=10
        How many mistakes to show at most.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    MissingExtraError
        If jinja2 or matplotlib is not installed.
    ValueError
        If there are no rows, if they do not fit the recordings, or if the folder is not there.

    Examples
    --------
    >>> import tempfile
    >>> from skspeech.datasets import make_emotional_speech
    >>> from skspeech.experiments.report import write_report
    >>> speech = make_emotional_speech(1, 1, emotions=("anger", "sadness"), random_state=0)
    >>> row = {
    ...     "fold": 0, "test_speakers": ["a"], "validation_speakers": [], "n_train": 20,
    ...     "n_validation": 0, "n_test": 2, "test": [0, 1], "truth": ["anger", "sadness"],
    ...     "predicted": ["anger", "anger"], "posteriors": [[0.9, 0.1], [0.7, 0.3]],
    ...     "classes": ["anger", "sadness"], "confusion": [[1, 0], [1, 0]], "wa": 0.5, "ua": 0.5,
    ...     "auc": 1.0, "n_epochs": None, "history": None, "fit_seconds": 1.0,
    ...     "score_seconds": 0.1,
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_report(
    ...         f"{folder}/report.html", title="Two emotions", rows=[row], recordings=speech.data,
    ...         sample_rate=speech.sample_rate, speakers=speech.speakers, settings={}, seed=0,
    ...         command="python evaluate.py",
    ...     )
    ...     path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    True
    """
    path = check_report(path)
    _check(rows, recordings, speakers, filenames)
    answers = _answers(rows, speakers, filenames)
    classes = list(dict.fromkeys(label for row in rows for label in row["classes"]))
    wrong = [answer for answer in answers if answer["truth"] != answer["predicted"]]
    wrong.sort(key=lambda answer: -(answer["confidence"] or 0.0))
    histories = [row["history"] for row in rows if row["history"]]
    page = _template().render(
        title=title,
        group=group,
        notes=notes,
        overall=_scores(answers),
        n_classes=len({answer["truth"] for answer in answers}),
        n_groups=len({answer["speaker"] for answer in answers}),
        confusion=_confusion(answers, classes),
        folds=rows,
        spread=_spread(rows) if len(rows) > 1 else None,
        by_group=_by_group(answers),
        curves=history_picture(histories) if histories else None,
        best_epochs=[_best_epoch(rows) for rows in histories],
        n_wrong=len(wrong),
        mistakes=[_shown(one, recordings, sample_rate) for one in wrong[:n_mistakes]],
        seconds_shown=SECONDS_SHOWN,
        made={"Command": command, "Seed": seed, **library_versions()},
        settings=settings,
        descr=descr,
    )
    _replace(path, page)
    return path


def check_report(path: Any) -> Path:
    """Return the path if a report can be written there, before the work that it is to report.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Path

    Raises
    ------
    MissingExtraError
        If jinja2 or matplotlib is not installed.
    ValueError
        If the folder is not there, or the path is a folder itself.
    """
    for module in ("jinja2", "matplotlib"):
        check_extra(module, "A report")
    path = Path(path)
    if not path.parent.is_dir():
        raise ValueError(f"There is no folder {path.parent}. Make it, or name another.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder. Name a file, for instance {path / 'report.html'}.")
    return path


def _check(rows: Any, recordings: Any, speakers: Any, filenames: Any) -> None:
    if not len(rows):
        raise ValueError("rows is empty: there is no fold to report.")
    for name, given in (("speakers", speakers), ("filenames", filenames)):
        if given is not None and len(given) != len(recordings):
            raise ValueError(f"{len(recordings)} recordings, but {len(given)} {name}.")
    highest = max(max(row["test"], default=-1) for row in rows)
    if highest >= len(recordings):
        raise ValueError(
            f"A fold tested recording {highest}, but there are {len(recordings)}. Give the "
            "recordings that the folds came from."
        )
    if not any(row["test"] for row in rows):
        raise ValueError("No fold tested anything.")


def _answers(rows: Any, speakers: Any, filenames: Any) -> list[dict[str, Any]]:
    """Return what was answered to each recording of each fold's test part."""
    answers = []
    for row in rows:
        for place, index in enumerate(row["test"]):
            posterior = None
            if row["posteriors"] is not None:
                posterior = dict(zip(row["classes"], row["posteriors"][place], strict=True))
            truth, predicted = row["truth"][place], row["predicted"][place]
            answers.append(
                {
                    "index": index,
                    "fold": row["fold"],
                    "truth": truth,
                    "predicted": predicted,
                    "confidence": posterior and posterior[predicted],
                    "of_truth": posterior and posterior.get(truth),
                    "speaker": speakers[index],
                    "name": f"recording {index}" if filenames is None else filenames[index],
                }
            )
    return answers


def _scores(answers: list[dict[str, Any]]) -> dict[str, Any]:
    truth = [answer["truth"] for answer in answers]
    predicted = [answer["predicted"] for answer in answers]
    return {
        "n": len(answers),
        "right": sum(a == b for a, b in zip(truth, predicted, strict=True)),
        "wa": weighted_accuracy(truth, predicted),
        "ua": unweighted_accuracy(truth, predicted),
    }


def _by_group(answers: list[dict[str, Any]]) -> list[tuple[Any, dict[str, Any]]]:
    of: dict[Any, list[dict[str, Any]]] = {}
    for answer in answers:
        of.setdefault(answer["speaker"], []).append(answer)
    return [(name, _scores(of[name])) for name in sorted(of, key=str)]


def _confusion(answers: list[dict[str, Any]], classes: list[Any]) -> dict[str, Any]:
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    at = {label: place for place, label in enumerate(classes)}
    for answer in answers:
        counts[at[answer["truth"]], at[answer["predicted"]]] += 1
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return {"classes": classes, "counts": counts.tolist(), "shares": shares.tolist()}


def _spread(rows: Any) -> dict[str, tuple[float, float] | None]:
    """Return mean and standard deviation over the folds that have the score."""
    spread: dict[str, tuple[float, float] | None] = {}
    for name in ("wa", "ua", "auc"):
        values = [row[name] for row in rows if row[name] is not None]
        spread[name] = (float(np.mean(values)), float(np.std(values))) if values else None
    return spread


def _best_epoch(history: list[dict[str, Any]]) -> int | None:
    return next((row["epoch"] for row in reversed(history) if row.get("best")), None)


def _shown(answer: dict[str, Any], recordings: Any, sample_rate: int) -> dict[str, Any]:
    """Return a mistake with its picture and its sound."""
    waveform = np.asarray(recordings[answer["index"]], dtype=np.float32)
    if waveform.ndim != 1 or not len(waveform):
        raise ValueError(
            f"Recording {answer['index']} has shape {waveform.shape}. A report shows waveforms: "
            "give the recordings as they were before any transformer."
        )
    seconds = len(waveform) / sample_rate
    waveform = waveform[: round(SECONDS_SHOWN * sample_rate)]
    return {
        **answer,
        "seconds": seconds,
        "picture": spectrogram_picture(waveform, sample_rate),
        "sound": sound(waveform, sample_rate),
    }


def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("skspeech.experiments"),
        autoescape=True,  # labels and file names are anybody's
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.jinja")


def _replace(path: Path, page: str) -> None:
    # a folder beside it: on the same file system, and gone whatever happens
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        draft = Path(folder) / path.name
        # file names that are no UTF-8 arrive with surrogates, which cannot be written
        draft.write_text(page, encoding="utf-8", errors="replace")
        draft.replace(path)

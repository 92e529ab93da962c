"""Rows of an experiment's file as tables of markdown, beside what the paper prints."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from skspeech.experiments.protocol import Experiment, load_experiment
from skspeech.metrics import confusion_percent, unweighted_accuracy, weighted_accuracy

__all__ = ["experiment_tables"]

Rows = Sequence[Mapping[str, Any]]

_ABBREVIATED = 4  # letters of a class over the columns of a confusion matrix


def experiment_tables(rows: Rows) -> str:
    """Return what an experiment gave as markdown.

    Parameters
    ----------
    rows : list of dict
        Of one experiment's file, as :func:`skspeech.model_selection.read_results` gives them.

    Returns
    -------
    str
        Tables of what the paper prints beside ours, of the other protocols, of searches and
        confusions, and where the figures come from.

    Raises
    ------
    ValueError
        If rows of several experiments are mixed.
    """
    names = {row["experiment"] for row in rows}
    if len(names) != 1:
        raise ValueError(f"These are rows of {len(names)} experiments; give those of one.")
    experiment = load_experiment(names.pop())
    runs = _runs(experiment, rows)
    if "mse" in rows[0]:
        return f"{_frame_table(runs, experiment)}\n\n{_sources(rows)}\n"
    averaged = [run for run in runs if "average" in _published(run, experiment)]
    others = [run for run in runs if "average" not in _published(run, experiment)]
    parts = [
        _average_table(averaged, experiment),
        _feature_table(runs, experiment),
        _unseen_table(others, experiment),
        *(_search_table(run) for run in runs if run[0]["search"]),
        # a run for each feature is too many to look at each
        *(_confusion_table(run) for run in runs if not (run[0]["search"] or experiment.features)),
        _sources(rows),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _key(run: Rows) -> tuple[str, str]:
    return run[0]["protocol"], run[0]["model"]


def _published(run: Rows, experiment: Experiment) -> Mapping[str, float]:
    return experiment.published.get(_key(run), {})


def _runs(experiment: Experiment, rows: Rows) -> list[Rows]:
    """Return the rows run by run: those of one protocol, model, setting and seed."""
    order = [(run.protocol, run.model) for run in experiment.runs]

    def place(row: Mapping[str, Any]) -> tuple:
        return (
            order.index((row["protocol"], row["model"])),
            row["settings"],
            int(row["seed"]),
            # rows of other data or versions are another run, and never pooled with these
            *(row[name] for name in ("data", "versions", "threads")),
            row["fold"],
        )

    for row in rows:
        if (row["protocol"], row["model"]) not in order:
            raise ValueError(
                f"The experiment has no run {row['protocol']}, {row['model']}; the rows are of "
                "another version of it."
            )
    runs: list[Rows] = [
        list(run) for _, run in groupby(sorted(rows, key=place), key=lambda row: place(row)[:-1])
    ]
    for run in runs:
        folds = [row["fold"] for row in run]
        if len(set(folds)) < len(folds):
            raise ValueError(f"{_title(run)}: a fold is there twice. Remove the older row.")
    return runs


def _average_table(runs: list[Rows], experiment: Experiment) -> str:
    """Show runs whose paper counts the utterances trained on as well."""
    lines = []
    for run in runs:
        published = _published(run, experiment)
        n_train, n_test = (sum(row[part] for row in run) for part in ("n_train", "n_test"))
        right = sum(row["train_wa"] * row["n_train"] + row["wa"] * row["n_test"] for row in run)
        truth, answer = _answers(run)
        lines.append(
            [
                *_named(run),
                f"{published['average']:.2f}",
                f"{100 * right / (n_train + n_test):.2f}",
                f"{published['validation']:.2f}",
                f"{100 * weighted_accuracy(truth, answer):.2f}",
                f"{100 * unweighted_accuracy(truth, answer):.2f}",
                f"{n_test} of {n_train + n_test}",
                _epochs(run),
            ]
        )
    header = (
        "protocol",
        "model",
        "seed",
        "average accuracy, paper",
        "ours",
        "validation accuracy, paper",
        "ours",
        "our UA",
        "tested",
        "epochs",
    )
    return _table(header, lines)


def _feature_table(runs: list[Rows], experiment: Experiment) -> str:
    """Show runs that differ in the feature in one line, by accuracy and AUC, below the paper's."""
    features = experiment.features
    lines: dict[tuple, list[str]] = {}
    for run in runs:
        protocol, model = _key(run)
        network, _, feature = model.rpartition("-")
        if feature not in features:
            continue
        place = 3 + 2 * features.index(feature)
        published = _published(run, experiment)
        paper = [f"{published[name]:.2f}" for name in ("wa", "auc") if name in published]
        for source, cells in (("paper", paper), (f"seed {run[0]['seed']}", _wa_and_auc(run))):
            if cells:
                settings = run[0]["settings"] if source != "paper" else ""
                head = [protocol, f"{network} ({settings})" if settings else network, source]
                line = lines.setdefault(tuple(head), [*head, *[""] * (2 * len(features))])
                line[place : place + 2] = cells
    names = (name for feature in features for name in (f"{feature}, accuracy", "AUC"))
    return _table(("protocol", "model", "", *names), list(lines.values()))


def _wa_and_auc(run: Rows) -> list[str]:
    truth, answer = _answers(run)
    by_fold = [row["auc"] for row in run if row["auc"] is not None]
    auc = f"{100 * np.mean(by_fold):.1f}" if by_fold else ""
    return [f"{100 * weighted_accuracy(truth, answer):.1f}", auc]


def _unseen_table(runs: list[Rows], experiment: Experiment) -> str:
    """Show runs by WA and UA on what was not trained on, beside those of the paper if any."""
    papers = any(_published(run, experiment) for run in runs)
    lines = []
    for run in runs:
        truth, answer = _answers(run)
        published = _published(run, experiment)
        paper = [f"{published[name]:.2f}" if name in published else "" for name in ("wa", "ua")]
        lines.append(
            [
                *_named(run),
                *(paper if papers else []),
                f"{100 * weighted_accuracy(truth, answer):.1f}",
                f"{100 * unweighted_accuracy(truth, answer):.1f}",
                *(_mean_and_deviation([row[name] for row in run]) for name in ("wa", "ua")),
                *(", ".join(f"{row[name]:.2f}" for row in run) for name in ("wa", "ua")),
                _epochs(run),
                f"{sum(row['fit_seconds'] for row in run) / 60:.1f}",
            ]
        )
    header = (
        "protocol",
        "model",
        "seed",
        *(("WA, paper", "UA, paper") if papers else ()),
        "WA",
        "UA",
        "WA over folds",
        "UA over folds",
        "WA by fold",
        "UA by fold",
        "epochs",
        "minutes",
    )
    return _table(header, lines)


def _frame_table(runs: list[Rows], experiment: Experiment) -> str:
    """Show runs whose every frame is answered: errors and R2 beside those of the paper."""
    lines = []
    for run in runs:
        published = _published(run, experiment)
        cells = []
        for name in ("validation_mse", "mse", "validation_r2", "r2"):
            ours = [row[name] for row in run if row[name] is not None]
            cells += [str(published.get(name, "")), f"{np.mean(ours):.3f}" if ours else ""]
        distortions = [row["mcd"] for row in run if row["mcd"] is not None]
        minutes = sum(row["fit_seconds"] for row in run) / 60
        lines.append(
            [
                *_named(run),
                *cells,
                f"{np.mean(distortions):.1f}" if distortions else "",
                f"{run[0]['n_parameters']:,}" if run[0]["n_parameters"] else "",
                str(sum(row["n_frames"] for row in run)),
                _epochs(run),
                f"{minutes:.1f}",
            ]
        )
    header = (
        "protocol",
        "model",
        "seed",
        *("MSE dev, paper", "ours", "MSE test, paper", "ours"),
        *("R2 dev, paper", "ours", "R2 test, paper", "ours"),
        "MCD, dB",
        "parameters",
        "frames tested",
        "epochs",
        "minutes",
    )
    return _table(header, lines)


def _mean_and_deviation(by_fold: Sequence[float]) -> str:
    return f"{100 * np.mean(by_fold):.1f} ± {100 * np.std(by_fold):.1f}"


def _named(run: Rows) -> list[str]:
    protocol, model = _key(run)
    settings = f" ({run[0]['settings']})" if run[0]["settings"] else ""
    return [protocol, f"{model}{settings}", run[0]["seed"]]


def _epochs(run: Rows) -> str:
    epochs = [str(row["n_epochs"]) for row in run if row["n_epochs"] is not None]
    return ", ".join(epochs)


def _answers(run: Rows) -> tuple[np.ndarray, np.ndarray]:
    truth, answer = (
        [label for row in run for label in row[name]] for name in ("truth", "predicted")
    )
    return np.array(truth), np.array(answer)


def _search_table(run: Rows) -> str:
    lines = []
    for row in run:
        names = [name.split("__")[-1] for name in row["search"]["candidates"][0][0]]
        for i, (candidate, score) in enumerate(row["search"]["candidates"]):
            chosen = f"chosen; test WA {100 * row['wa']:.1f}" if i == row["search"]["best"] else ""
            cells = [
                f"{value:g}" if isinstance(value, float) else str(value)
                for value in candidate.values()
            ]
            lines.append([*cells, "" if score is None else f"{100 * score:.1f}", chosen])
    header = (*names, "validation accuracy", "")
    return f"{_title(run)}, the candidates:\n\n{_table(header, lines)}"


def _confusion_table(run: Rows) -> str:
    truth, answer = _answers(run)
    classes = run[0]["classes"]
    percent = confusion_percent(truth, answer, labels=classes)
    lines = [
        [
            f"{label} ({np.count_nonzero(truth == label)})",
            *("" if np.isnan(x) else f"{x:.1f}" for x in line),
        ]
        for label, line in zip(classes, percent, strict=True)
    ]
    header = ("percent of", *(str(label)[:_ABBREVIATED] for label in classes))
    summary = f"<details><summary>{_title(run)}: confusion</summary>"
    return f"{summary}\n\n{_table(header, lines)}\n\n</details>"


def _title(run: Rows) -> str:
    protocol, model, seed = _named(run)
    return f"{protocol}, {model}, seed {seed}"


def _sources(rows: Rows) -> str:
    """Say where the figures come from: commands, data, versions, threads."""

    def all_of(name: str) -> list[str]:
        return list(dict.fromkeys(row[name] for row in rows))

    commands = "\n".join(f"{command} --resume" for command in all_of("command"))
    lines = [
        f"Data: {'; '.join(all_of('data'))}. Versions: {'; '.join(all_of('versions'))}. "
        f"OMP_NUM_THREADS: {', '.join(all_of('threads'))}. Folds that were computed side by side "
        "took longer than alone."
    ]
    return f"```\n{commands}\n```\n\n" + "\n".join(lines)


def _table(header: Iterable[str], lines: list[list[str]]) -> str:
    if not lines:
        return ""
    header = list(header)
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)

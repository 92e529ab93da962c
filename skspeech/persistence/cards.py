"""Model cards: what a saved model is, learned from and scored, as markdown beside its file."""

import inspect
import math
import os
import platform
import re
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from skspeech.archive import joined
from skspeech.persistence._scikit_learn import nested_estimators
from skspeech.persistence._writer import PLACES

__all__ = ["SavedFile", "card_path", "make_model_card", "one_line"]

_UNSTATED = "Not stated."
_FILE, _LOADING = "## The file", "## Loading"
_OF_A_FILE = re.compile(
    rf"^{_FILE}\n.*?(^{_LOADING}\n.*?)?(?=^##? |\Z)", flags=re.DOTALL | re.MULTILINE
)
_LIBRARIES = ("skspeech", "scikit-learn", "numpy", "torch")
# The figures of a fold, by their columns: of labels, and of answers to every frame.
_SCORES = {
    "wa": "weighted accuracy (WA)",
    "ua": "unweighted accuracy (UA)",
    "auc": "area under the ROC curve, one class against the others (AUC)",
    "mse": "squared error of standardised targets (MSE)",
    "r2": "R2, mean over the outputs",
    "mcd": "mel-cepstral distortion (MCD), dB",
}
_REQUIRED = (("wa", "ua"), ("mse", "r2"))
# Columns that tell one evaluation from another where a file holds several.
_RUNS = ("experiment", "protocol", "model", "seed", "settings", "data")
_MAX_VALUE = 120  # characters of a parameter


def make_model_card(
    estimator: Any,
    *,
    data: str | None = None,
    protocol: str | None = None,
    results: Any = None,
    command: str | None = None,
) -> str:
    """Say what a fitted model is, what it learned from and how well models like it did.

    Nothing is made up: what the estimator does not know and nobody says is "not stated".

    Parameters
    ----------
    estimator : fitted estimator
    data : str or None, default=None
        The recordings that it learned from, in markdown.
    protocol : str or None, default=None
        How the scores came about: who was kept apart from whom, in markdown.
    results : list of dict, path or None, default=None
        A row a fold, as :func:`~skspeech.model_selection.cross_validate_speakers` or
        :func:`~skspeech.model_selection.cross_validate_frames` gives them, or their file.
    command : str or None, default=None
        How to do it again.

    Returns
    -------
    str
        Markdown, with headings from ``#`` on. :func:`save_model` adds what the file is.

    Raises
    ------
    ValueError
        If `results` are no rows of one evaluation.

    Examples
    --------
    >>> from skspeech.persistence import make_model_card
    >>> from skspeech.preprocessing import FixedDuration
    >>> card = make_model_card(FixedDuration(duration=3.0), data="Ten sentences of ten actors.")
    >>> card.splitlines()[0]
    '# FixedDuration'
    """
    blocks = [
        f"# {_title(estimator)}",
        *_what_it_is(estimator),
        *_training(estimator),
        "## Data",
        _given(data),
        "## Evaluation",
        f"Protocol: {_given(protocol)}",
        *_scores(results),
        "## Intended use and limits",
        _UNSTATED,
        "## Licence",
        _UNSTATED,
        "## Versions",
        _versions(),
    ]
    if command:
        blocks += ["## How to do it again", _fenced(command)]
    return "\n\n".join(blocks) + "\n"


def card_path(path: Path) -> Path:
    """Return where the card of a model's file lies."""
    return path.with_name(f"{path.name}.md")


@dataclass(frozen=True)
class SavedFile:
    """What the card of a model says of its file.

    Parameters
    ----------
    name, sha256, format : str
    size : int
        In bytes.
    needed : dict of str to (str or None)
        What has to be trusted by name, and whose it is.
    needs_skops : bool
    """

    name: str
    size: int
    sha256: str
    format: str
    needed: Mapping[str, str | None]
    needs_skops: bool

    def described(self, text: str) -> str:
        """Return a card with what is known of the file at its end."""
        rows = [
            ("name", _code(self.name)),
            ("size", f"{self.size:,} bytes"),
            ("SHA-256", _code(self.sha256)),
            ("format", _escaped(self.format)),
        ]
        # of a card that was saved before and edited, what was said of that file goes
        text = _OF_A_FILE.sub("", text).rstrip()
        blocks = [text, _FILE, _table(("", ""), rows)]
        trusted = f", trusted={sorted(self.needed)!r}" if self.needed else ""
        load = (
            "from skspeech.persistence import load_model\n\n"
            f"model = load_model({self.name!r}{trusted})"
        )
        blocks += [_LOADING, f"{self._needs()}\n\n{_fenced(load, 'python')}"]
        if self.needed:
            blocks.append(
                "The names in `trusted` are of classes and functions that neither skspeech nor "
                "skops vouches for. Compare the SHA-256 with one from whom you trust first."
            )
        return "\n\n".join(blocks) + "\n"

    def _needs(self) -> str:
        skspeech = "skspeech[skops]" if self.needs_skops else "skspeech"
        others = sorted({by for by in self.needed.values() if by})
        wanted = [f"{skspeech} {version('skspeech')}", *others]
        return f"Needs {', '.join(_code(name.replace(' ', '==')) for name in wanted)}."


def _title(estimator: Any) -> str:
    return _escaped(type(_last(estimator)).__name__)


def _last(estimator: Any) -> Any:
    """Return what answers in the end."""
    if not isinstance(estimator, Pipeline):
        return estimator
    steps = [step for _, step in estimator.steps if not _is_passed(step)]
    return _last(steps[-1]) if steps else estimator


def _is_passed(step: Any) -> bool:
    return step is None or isinstance(step, str)


def _what_it_is(estimator: Any) -> Iterator[str]:
    yield _first_words(estimator)
    facts = [("reads", _reads(estimator)), ("sample rate", _rate(estimator))]
    classes = getattr(estimator, "classes_", None)
    if isinstance(classes, np.ndarray):
        labels = ", ".join(_code(label) for label in classes.tolist())
        facts.append(("answers", f"one of {len(classes)} classes: {labels}"))
    for network in _networks(estimator):
        weights = sum(weight.numel() for weight in network.module_.parameters())
        facts.append((f"parameters of {_code(type(network).__name__)}", f"{weights:,}"))
    yield _table(("", ""), [(name, text) for name, text in facts if text])
    yield "## Steps"
    rows = [(_code(name), _code(_kind(step)), _changed(step)) for name, step in _steps(estimator)]
    yield _table(("step", "class", "parameters that differ from the defaults"), rows)


def _first_words(estimator: Any) -> str:
    """Return the first paragraph of the documentation of what answers in the end."""
    cls = type(_last(estimator))
    text = (inspect.getdoc(cls) or "").split("\n\n")[0]
    return f"{_code(cls.__name__)}: {_escaped(text)}" if text else _code(cls.__name__)


def _steps(estimator: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Return the estimators that a model is made of, each by the key that ``set_params`` has."""
    if isinstance(estimator, Pipeline):
        found, steps = [], estimator.steps
    else:
        found = [(prefix or "(the model)", estimator)]
        parameters = {} if _is_passed(estimator) else estimator.get_params(deep=True)
        steps = [
            (name, value)
            for name, value in parameters.items()
            if isinstance(value, BaseEstimator) and "__" not in name
        ]
    return found + [inner for name, step in steps for inner in _steps(step, joined(prefix, name))]


def _kind(step: Any) -> str:
    cls = type(step)
    return step if isinstance(step, str) else f"{cls.__module__.partition('.')[0]}.{cls.__name__}"


def _changed(step: Any) -> str:
    """Return the parameters of a step that differ from its constructor's, its folders apart."""
    if _is_passed(step):
        return ""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(type(step)).parameters.items()
    }
    return ", ".join(
        _code(f"{name}={_told(name, value)}")
        for name, value in step.get_params(deep=False).items()
        if name not in PLACES and (name not in defaults or repr(defaults[name]) != repr(value))
    )


def _told(name: str, value: Any) -> str:
    if any(nested_estimators(value)):
        return "..."  # they have lines of their own
    if name == "checkpoint" and isinstance(value, (str, os.PathLike)):
        value = Path(value).name
    return _shortened(repr(value))


def _reads(estimator: Any) -> str:
    from skspeech.tags import get_speech_tags

    try:
        kind = get_speech_tags(estimator).input_kind
    except TypeError:  # scikit-learn's own
        return ""
    return f"{kind.replace('_', ' ')}s" if kind != "frame_targets" else "frames of spectra"


def _rate(estimator: Any) -> str:
    rates = [getattr(step, "sample_rate", None) for _, step in _steps(estimator)]
    rate = next((rate for rate in rates if isinstance(rate, Real)), None)
    return "" if rate is None else f"{rate:,} Hz"


def _networks(estimator: Any) -> list[Any]:
    from skspeech.base.network import Network

    found = nested_estimators(estimator)
    return [part for part in found if isinstance(part, Network) and hasattr(part, "net_")]


def _training(estimator: Any) -> Iterator[str]:
    for network in _networks(estimator):
        rows = network.history_
        best = [row["epoch"] for row in rows if row.get("best")]
        facts = [("random_state", _code(repr(network.random_state)))]
        facts += [("epochs trained", str(network.n_iter_))]
        if best:
            row = next(row for row in rows if row["epoch"] == best[-1])
            facts.append(("best epoch, whose weights these are", str(best[-1])))
            if "valid_score" in row:
                facts.append(("its score on what was held out", f"{row['valid_score']:.4f}"))
        yield f"## Training of {_code(type(network).__name__)}"
        yield _table(("", ""), [*facts, ("held out to choose the epoch", _held_out(network))])


def _held_out(network: Any) -> str:
    held = network.validation_
    if held.method is None:
        return f"nothing. {_escaped(held.reason)}".strip()
    text = f"{len(held.indices):,} recordings ({_escaped(held.method)})"
    if held.speakers:
        text += f", all those of {', '.join(_code(speaker) for speaker in held.speakers)}"
    return text


def _scores(results: Any) -> Iterator[str]:
    if results is None:
        yield f"Scores: {_UNSTATED}"
        return
    rows = _checked(results)
    tested = sum(row["n_test"] for row in rows)
    of = f"{len(rows)} models, one for each fold of the protocol" if len(rows) > 1 else "one model"
    yield (
        f"Scores of {of}, on {tested:,} recordings tested. The model in this file is none of "
        "these: the figures are not its own."
    )
    table = []
    for column, name in _SCORES.items():
        values = [row[column] for row in rows if row.get(column) is not None]
        if values:
            spread = f"{statistics.stdev(values):.4f}" if len(values) > 1 else "one fold"
            table.append((name, f"{statistics.mean(values):.4f}", spread, str(len(values))))
    yield _table(("score", "mean over folds", "standard deviation", "folds"), table)


def _checked(results: Any) -> list[Mapping[str, Any]]:
    """Return the rows of one evaluation, or refuse what is none."""
    from skspeech.model_selection import read_results

    rows = list(results if _is_rows(results) else read_results(results))
    if not rows:
        raise ValueError("results hold no row: there are no scores to tell.")
    for i, row in enumerate(rows):
        if not _is_fold(row):
            raise ValueError(
                f"results[{i}] is no row of a fold, as cross_validate_speakers and "
                "cross_validate_frames give them."
            )
    runs = {tuple(str(row.get(name)) for name in _RUNS) for row in rows}
    if len(runs) > 1 or len({row["fold"] for row in rows}) < len(rows):
        raise ValueError(
            "results hold rows of more than one evaluation, of which there is no common mean. "
            "Choose those of this model: results=[row for row in read_results(path) if ...]."
        )
    return rows


def _is_rows(results: Any) -> bool:
    return isinstance(results, Iterable) and not isinstance(results, (str, bytes))


def _is_fold(row: Any) -> bool:
    if not isinstance(row, Mapping) or not isinstance(row.get("n_test"), int) or "fold" not in row:
        return False
    figures = [row[name] for name in _SCORES if row.get(name) is not None]
    numbers = all(isinstance(figure, float) and math.isfinite(figure) for figure in figures)
    return numbers and any(all(row.get(n) is not None for n in names) for names in _REQUIRED)


def _versions() -> str:
    said = [f"Python {platform.python_version()}", *(f"{n} {version(n)}" for n in _LIBRARIES)]
    return f"When this was written: {', '.join(said)}."


def _given(text: str | None) -> str:
    return _UNSTATED if text is None or not text.strip() else text.strip()


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]} ..."


def _escaped(text: Any) -> str:
    """Return text that markdown takes as it is, in one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|!~])", r"\\\1", one_line(text))


def _code(text: Any) -> str:
    """Return a span of code of any text, in one line."""
    text = one_line(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if text.startswith("`") or text.endswith("`") or not text else ""
    return f"{fence}{space}{text}{space}{fence}"


def one_line(text: Any) -> str:
    """Return any text in one line, without what would move a terminal's cursor."""
    line = " ".join(str(text).split())
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line
    )


def _fenced(text: str, language: str = "") -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text.strip()}\n{fence}"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    # a cell ends at a bar, also in code
    cells = [[re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)

"""Models on disk without pickle: reading a file runs nothing that is in it.

A model is one file of :mod:`skspeech.archive`: its tree says which classes of which distributions
it is made of, their parameters and what they learned. scikit-learn's own steps are members of the
file that skops writes and reads.

A network is built again by its own class from its parameters, and then given its weights.
"""

import hashlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from skspeech.archive import FileFormat, write_all
from skspeech.exceptions import MissingExtraError
from skspeech.persistence._reader import ModelReader
from skspeech.persistence._trust import changed_versions, checked_names, load_classes
from skspeech.persistence._writer import ModelWriter
from skspeech.persistence.cards import SavedFile, card_path, make_model_card, one_line

__all__ = ["FORMAT_VERSION", "check_savable", "load_model", "save_model"]

#: What :func:`save_model` writes. A reader refuses every other version.
FORMAT_VERSION = 1

_FORMAT = FileFormat("skspeech model", FORMAT_VERSION)


def save_model(
    estimator: Any,
    path: str | os.PathLike,
    *,
    overwrite: bool = False,
    card: str | None = None,
) -> None:
    """Write a fitted estimator to one file, without pickle, and a model card beside it.

    Parameters
    ----------
    estimator : estimator
        One of this package's own (``skspeech list`` shows them), of scikit-learn's (by way of
        skops: the extra ``skops``), or of another package, if its parameters and fitted attributes
        are numbers, text, arrays, lists, dictionaries and estimators. A Pipeline or FeatureUnion
        may hold all of these. It is not changed.
    path : str or path-like
        The file. It and its card, ``<path>.md``, appear once both are complete: a failure leaves
        what was there before.
    overwrite : bool, default=False
        Whether files of these names may be replaced.
    card : str or None, default=None
        What the card is to say: markdown, as :func:`make_model_card` makes it, or a card that was
        saved before and edited. None says what the estimator itself knows. What the file is, its
        SHA-256 and how it is loaded are added.

    Raises
    ------
    FileExistsError
        If the file or its card exists and `overwrite` is False.
    MissingExtraError
        If a step is scikit-learn's, and skops is not there.
    NotFittedError
        If a step is not fitted.
    TypeError
        If a class could not be found again by its name, or a parameter or fitted attribute is
        nothing that a file can hold without code, such as a function. The message names it. What
        only training reads, such as `callbacks`, may be set to None first: the fitted network stays
        as it is.
    ValueError
        If the parameters of a network were changed so that they no longer describe it.

    Notes
    -----
    Left out are the state of the optimiser (a further training with ``warm_start`` begins with
    a fresh one), what callbacks recorded beside ``history_``, callbacks of ``set_callbacks``,
    metadata requests and the `checkpoint_dir` of a network. The same estimator gives the same
    bytes.

    Classes of other packages, and some of scikit-learn's that skops does not vouch for (the trees
    of forests, the tree behind nearest neighbours), have to be named when the file is read. The
    card lists them.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.pipeline import make_pipeline
    >>> from skspeech.persistence import load_model, save_model
    >>> from skspeech.preprocessing import FixedDuration, LogMelSpectrogram
    >>> front_end = make_pipeline(FixedDuration(duration=3.0), LogMelSpectrogram())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(front_end, Path(folder) / "front_end.skspeech")
    ...     loaded = load_model(Path(folder) / "front_end.skspeech")
    >>> loaded[0]
    FixedDuration(duration=3.0)
    """
    path = Path(path)
    beside = card_path(path)
    for file in (path, beside):
        if file.exists() and not overwrite:
            raise FileExistsError(f"{file} exists. Choose another name, or pass overwrite=True.")
    writer = ModelWriter()
    model = writer.estimator(estimator, "", fitted=True)
    data = _FORMAT.pack(model, writer.tensors, writer.members)
    saved = SavedFile(
        name=path.name,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        format=f"{_FORMAT.name}, version {_FORMAT.version}",
        needed=writer.needed,
        needs_skops=bool(writer.members),
    )
    text = make_model_card(estimator) if card is None else card
    # the card first: a model never lies there without one, and its SHA-256 says which it is of
    write_all({beside: saved.described(text).encode(), path: data})


def check_savable(estimator: Any) -> None:
    """Refuse an estimator that :func:`save_model` could not write, before it is fitted.

    Parameters
    ----------
    estimator : estimator
        Fitted or not.

    Raises
    ------
    MissingExtraError
        If a step is scikit-learn's, and skops is not there.
    TypeError
        If a step or a parameter is nothing that a file can hold without code; it is named.

    Examples
    --------
    >>> from skspeech.persistence import check_savable
    >>> from skspeech.preprocessing import FixedDuration
    >>> check_savable(FixedDuration())
    """
    ModelWriter().estimator(estimator, "", fitted=False)


def load_model(path: str | os.PathLike, *, trusted: Collection[str] = ()) -> Any:
    """Read an estimator that :func:`save_model` wrote.

    Parameters
    ----------
    path : str or path-like
    trusted : collection of str, default=()
        Full names, ``"package.module.Class"``, of classes that neither skspeech nor skops vouches
        for and that the file may use nevertheless. Nothing of a package is imported before all
        that the file needs is trusted. A class that you trust runs its own code on what the file
        says: know both.

    Returns
    -------
    estimator
        Fitted, with the parameters and answers of the one that was saved: bit for bit on the
        same machine with the same versions and number of threads. If its `device` is not there,
        it computes on the best one that is.

    Raises
    ------
    MissingExtraError
        If a step is scikit-learn's, and skops is not there.
    OSError
        If the file cannot be read.
    TypeError
        If `trusted` is no collection of texts.
    ValueError
        If it is no such file, damaged, of another format version, or needs classes that are not
        trusted or not there. The message names the file and what is wrong, and lists all classes
        that have to be trusted.

    Examples
    --------
    A plugin's network, and a forest behind it::

        load_model("emotion.skspeech", trusted=[
            "grain_voices.attention.GrainVoicesClassifier",
            "sklearn.tree._tree.Tree",
        ])
    """
    listed = isinstance(trusted, Collection) and not isinstance(trusted, str)
    if not (listed and all(isinstance(name, str) for name in trusted)):
        raise TypeError(
            f"trusted={trusted!r} is no list of names: write trusted=['package.module.Class']."
        )
    data = Path(path).read_bytes()
    # Whatever a parser makes of a file that anybody may have written, it is the file's fault.
    try:
        members, versions = _FORMAT.unpack(data)
        del data  # a large one is in memory often enough
        return _built(members, versions, list(trusted), path)
    except MissingExtraError:
        raise
    except Exception as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ValueError(f"{path} cannot be loaded: {kind}{one_line(error)}") from error


def _built(
    members: dict[str, bytes], versions: dict[str, str], trusted: list[str], path: Any
) -> Any:
    tree = _FORMAT.tree(members)
    names = checked_names(tree, members, trusted, path)
    try:
        classes = load_classes(tree, names)
        return ModelReader(_FORMAT.tensors(members), members, classes, trusted).estimator(tree)
    except MissingExtraError:
        raise
    except Exception as error:
        if changed := changed_versions(tree, versions):
            raise ValueError(f"{type(error).__name__}: {error} {changed}") from error
        raise

"""The corpora of the experiments, in memory, with the line that describes them in the rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils import Bunch

__all__ = ["FOUR_EMOTIONS", "IEMOCAP_SESSIONS", "load_emodb", "load_iemocap"]

#: Those that most papers on IEMOCAP tell apart; EmoDB has them, too.
FOUR_EMOTIONS = ("anger", "happiness", "neutral", "sadness")

#: The session of each of IEMOCAP's speakers.
IEMOCAP_SESSIONS = {f"Ses0{session}{sex}": session for session in range(1, 6) for sex in "FM"}

_BY_RECORDING = ("target", "speakers", "sexes", "texts", "filenames")


def load_emodb(data_home: Any, *, emotions: Sequence[str] | None = None) -> Bunch:
    """Return EmoDB, or its utterances of some emotions.

    Parameters
    ----------
    data_home : path-like or None
        As for :func:`skspeech.datasets.fetch_emodb`.
    emotions : sequence of str or None, default=None
        The classes, in this order; None takes all seven.

    Returns
    -------
    Bunch
        As :func:`~skspeech.datasets.fetch_emodb` gives it, with waveforms in memory and
        ``description``.
    """
    from skspeech.datasets import fetch_emodb

    emodb: Any = fetch_emodb(data_home=data_home)
    n_found, n_all = len(emodb.target), len(emodb.target) + emodb.n_missing
    what = f"{n_found} of {n_all} utterances"
    if emotions is not None:
        _select(emodb, emotions)
        what = f"{len(emodb.target)} utterances of {', '.join(emotions)} among {n_found} of {n_all}"
    emodb.data = np.asarray(emodb.data)  # 90 MB; read on access, it would be in every epoch
    emodb.description = f"EmoDB, {what}, speakers {' '.join(np.unique(emodb.speakers))}"
    return emodb


def _select(corpus: Any, emotions: Sequence[str]) -> None:
    """Keep the recordings of some classes, numbered in their order."""
    labels = corpus.target_names[corpus.target]
    chosen = np.flatnonzero(np.isin(labels, emotions))
    for name in ("data", *_BY_RECORDING):
        corpus[name] = corpus[name][chosen]
    corpus.target = np.array([emotions.index(label) for label in labels[chosen]])
    corpus.target_names = np.array(emotions)


def load_iemocap(data_home: Any, *, emotions: Sequence[str], agreement: str) -> Bunch:
    """Return improvised utterances of IEMOCAP.

    Parameters
    ----------
    data_home : path-like or None
        The folder in which ``IEMOCAP_full_release`` lies; None as for
        :func:`skspeech.datasets.fetch_emodb`.
    emotions : sequence of str
        The classes.
    agreement : {"majority", "complete"}
        As for :func:`skspeech.datasets.load_iemocap`.

    Returns
    -------
    Bunch
        As :func:`~skspeech.datasets.load_iemocap` gives it, with waveforms in memory and
        ``description``.
    """
    from skspeech.datasets import load_iemocap as load
    from skspeech.datasets._files import data_home_path

    iemocap: Any = load(
        data_home_path(data_home) / "IEMOCAP_full_release", emotions=emotions, agreement=agreement
    )
    iemocap.data = np.asarray(iemocap.data)
    what = {
        "complete": "improvised utterances on which all evaluators agree",
        "majority": f"improvised utterances whose majority label is {', '.join(emotions)}",
    }
    iemocap.description = f"IEMOCAP, {len(iemocap.target)} {what[agreement]}"
    return iemocap

"""The figures that papers print: of labels, of motifs, and of what is answered frame by frame.

``"wa"`` and ``"ua"`` are what the emotion papers call weighted and unweighted accuracy:
scikit-learn's ``accuracy`` and ``balanced_accuracy``. They are defined here once, so that every
table means the same.

Frames are (n_frames, n_outputs) a recording, in a list, an object array or any other collection;
one array of two axes is one recording (or many of one frame, which makes no difference), of one
axis frames of one output. Every frame of the collection counts the same, whatever the recording.
scikit-learn's own metrics refuse lists.
"""

from typing import Any

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    make_scorer,
    mean_squared_error,
    r2_score,
    roc_auc_score,
)
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import unique_labels

__all__ = [
    "FRAME_SCORERS",
    "SCORERS",
    "auc_one_vs_rest",
    "confusion_percent",
    "frame_mse",
    "mean_r2",
    "mel_cepstral_distortion",
    "motif_recovery",
    "unweighted_accuracy",
    "weighted_accuracy",
]


def weighted_accuracy(y_true: Any, y_pred: Any) -> float:
    """Return the share of recordings answered right (WA), in [0, 1].

    Each class weighs as many recordings as it has (Ma et al. 2018, section 4).

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_recordings,)
        Labels, and the answers.

    Returns
    -------
    float

    Examples
    --------
    >>> from skspeech.metrics import weighted_accuracy
    >>> weighted_accuracy(["sad", "sad", "sad", "glad"], ["sad", "sad", "sad", "sad"])
    0.75
    """
    return float(accuracy_score(y_true, y_pred))


def motif_recovery(planted: Any, located: Any, *, min_occurrences: int = 3) -> tuple[float, float]:
    """Return recall and precision of motifs that were located where motifs are known.

    Recall is the share of planted occurrences that are recovered: at least half of the time of
    one is covered by a located motif which so covers `min_occurrences` occurrences of the same
    planted motif. That a motif covers it once is no sign: located motifs are many. Precision is the
    share of located occurrences at least half of whose time is in one planted occurrence.

    Located motifs at random times have a recall and a precision too; shift the times of `located`
    to see them.

    Parameters
    ----------
    planted, located : structured arrays with fields recording, motif, start and end
        As :func:`~skspeech.datasets.make_singing` and
        :meth:`MotifExtractor.locate <skspeech.preprocessing.MotifExtractor.locate>` give them. The
        motifs of the one need not be numbered as those of the other.
    min_occurrences : int, default=3
        In how many places a motif has to be found again.

    Returns
    -------
    recall, precision : float
        In [0, 1]; nan where there is nothing planted, or nothing located.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.metrics import motif_recovery
    >>> kind = [("recording", int), ("motif", int), ("start", float), ("end", float)]
    >>> planted = np.array([(0, 7, 0, 1), (0, 7, 2, 3), (0, 7, 4, 5), (0, 8, 6, 7)], kind)
    >>> located = np.array([(0, 1, 0, 0.8), (0, 1, 2.5, 3), (0, 1, 4, 5), (0, 0, 9, 10)], kind)
    >>> motif_recovery(planted, located)
    (0.75, 0.75)
    """
    if not len(planted) or not len(located):
        nothing = float("nan")
        return (nothing if not len(planted) else 0.0), (nothing if not len(located) else 0.0)
    shared = _seconds_shared(planted, located)
    _, motifs = np.unique(located["motif"], return_inverse=True)
    rows, columns = np.nonzero(shared >= (planted["end"] - planted["start"])[:, None] / 2)
    covers = np.zeros((len(planted), motifs.max() + 1), dtype=bool)
    covers[rows, motifs[columns]] = True
    recovered = np.zeros(len(planted), dtype=bool)
    for motif in np.unique(planted["motif"]):
        its = planted["motif"] == motif
        again = covers[its].sum(axis=0) >= min_occurrences
        recovered[its] = covers[its][:, again].any(axis=1)
    inside = shared.max(axis=0) >= (located["end"] - located["start"]) / 2
    return float(recovered.mean()), float(inside.mean())


def _seconds_shared(planted: Any, located: Any) -> np.ndarray:
    """Return how long each planted and each located occurrence overlap (n_planted, n_located)."""
    overlap = np.minimum.outer(planted["end"], located["end"])
    overlap -= np.maximum.outer(planted["start"], located["start"])
    same = np.equal.outer(planted["recording"], located["recording"])
    return np.where(same, overlap, 0).clip(0)


def unweighted_accuracy(y_true: Any, y_pred: Any) -> float:
    """Return the mean recall over the classes (UA, also UAR), in [0, 1].

    Each class that `y_true` holds weighs the same (Ma et al. 2018, section 4). An answer that is
    no class of `y_true` is a miss like any other.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_recordings,)
        Labels, and the answers.

    Returns
    -------
    float

    Examples
    --------
    >>> from skspeech.metrics import unweighted_accuracy
    >>> unweighted_accuracy(["sad", "sad", "sad", "glad"], ["sad", "sad", "sad", "sad"])
    0.5
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    check_consistent_length(y_true, y_pred)
    unique_labels(y_true, y_pred)  # refuses to compare numbers with texts
    recalls = [np.mean(y_pred[y_true == label] == label) for label in np.unique(y_true)]
    return float(np.mean(recalls))


def auc_one_vs_rest(y_true: Any, y_score: Any, *, labels: Any = None) -> float:
    """Return the area under the ROC curve of each class against the rest, averaged, in [0, 1].

    Parameters
    ----------
    y_true : array-like of shape (n_recordings,)
        Labels.
    y_score : array-like of shape (n_recordings, n_classes)
        Posteriors, a column a class.
    labels : array-like of shape (n_classes,) or None, default=None
        The class of each column; None takes the sorted labels of `y_true`.

    Returns
    -------
    float
        The mean over the classes of which `y_true` has some recordings and not all, as a speaker
        left out may never show one of the emotions; NaN where there is no such class.

    Raises
    ------
    ValueError
        If there is not one column a class, or a label has no column.

    Examples
    --------
    >>> from skspeech.metrics import auc_one_vs_rest
    >>> auc_one_vs_rest(["a", "b"], [[0.9, 0.1, 0], [0.6, 0.2, 0.2]], labels=["a", "b", "c"])
    1.0
    """
    y_true, y_score = np.asarray(y_true), np.asarray(y_score)
    check_consistent_length(y_true, y_score)
    labels = np.unique(y_true) if labels is None else np.asarray(labels)
    if y_score.ndim != 2 or y_score.shape[1] != len(labels):
        raise ValueError(
            f"y_score has shape {y_score.shape} for {len(labels)} classes. Give one column a "
            "class, and name the classes by labels where y_true lacks some."
        )
    strange = np.setdiff1d(y_true, labels)
    if len(strange):
        name = strange.tolist()[0]
        raise ValueError(f"y_true holds {name!r}, which labels do not name. Add it there.")
    areas = [
        roc_auc_score(y_true == label, scores)
        for label, scores in zip(labels, y_score.T, strict=True)
        if 0 < np.count_nonzero(y_true == label) < len(y_true)
    ]
    return float(np.mean(areas)) if areas else float("nan")


def confusion_percent(y_true: Any, y_pred: Any, *, labels: Any = None) -> np.ndarray:
    """Return the confusion matrix in percent of each true class.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_recordings,)
        Labels, and the answers.
    labels : array-like of shape (n_classes,) or None, default=None
        The order of rows and columns; None takes all labels of both, sorted.

    Returns
    -------
    ndarray of float, shape (n_classes, n_classes)
        Row i is what became of class i. It sums to 100, or to less where answers are none of
        `labels`; NaN for a class without recordings.

    Examples
    --------
    >>> from skspeech.metrics import confusion_percent
    >>> confusion_percent(["a", "a", "b", "b"], ["a", "b", "b", "b"])
    array([[ 50.,  50.],
           [  0., 100.]])
    """
    y_true = np.asarray(y_true)
    labels = unique_labels(y_true, y_pred) if labels is None else np.asarray(labels)
    counts = confusion_matrix(y_true, y_pred, labels=labels)
    totals = np.array([[np.count_nonzero(y_true == label)] for label in labels])
    return np.divide(100 * counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)


def _auc_score(estimator: Any, X: Any, y: Any) -> float:
    return auc_one_vs_rest(y, estimator.predict_proba(X), labels=estimator.classes_)


def frame_mse(y_true: Any, y_pred: Any) -> float:
    """Return the mean of the squared errors over all frames and outputs.

    Parameters
    ----------
    y_true, y_pred : collections of array-like of shape (n_frames, n_outputs)
        Targets, and the answers.

    Returns
    -------
    float
        In the square of their unit; Shandiz and Tóth print it of targets that are standardised.

    Raises
    ------
    ValueError
        If answers do not fit their targets, or something is not finite; it names the recording.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.metrics import frame_mse
    >>> frame_mse([np.zeros((2, 3)), np.zeros((1, 3))], [np.ones((2, 3)), np.zeros((1, 3))])
    0.6666666666666666
    """
    return float(mean_squared_error(*_paired_frames(y_true, y_pred)))


def mean_r2(y_true: Any, y_pred: Any) -> float:
    """Return the coefficient of determination of each output over all frames, averaged.

    Parameters
    ----------
    y_true, y_pred : collections of array-like of shape (n_frames, n_outputs)
        Targets, and the answers.

    Returns
    -------
    float
        1 at best; 0 for the mean of the targets as the answer. An output that never changes counts
        1 where the answers are right and 0 else, and a single frame has none (nan, and a warning),
        as in scikit-learn's :func:`~sklearn.metrics.r2_score`, whose average this is.

    Raises
    ------
    ValueError
        If answers do not fit their targets, or something is not finite; it names the recording.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.metrics import mean_r2
    >>> targets = [np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([[4.0, 5.0]])]
    >>> mean_r2(targets, targets)
    1.0
    """
    return float(r2_score(*_paired_frames(y_true, y_pred)))


def mel_cepstral_distortion(y_true: Any, y_pred: Any, *, n_coefficients: int = 13) -> float:
    """Return the mel-cepstral distortion of log-mel spectra, frame against frame, in dB.

    The cepstrum of a frame of N bands is ``c[d] = 2 / N * sum(s[n] * cos(pi * d * (n + 1/2) / N))``
    over the bands n, where s is the natural logarithm of the magnitude. A frame's distortion is
    ``10 / ln(10) * sqrt(2 * sum((c[d] - c'[d]) ** 2))`` over d = 1 to `n_coefficients`, and the
    mean over the frames is returned. So c[0], how loud it is, is left out, frames are not shifted
    in time, and silence counts like any other frame.

    So scaled, the distortion of a frame is the effective value over the bands, in dB, of the
    difference between the two spectra as far as `n_coefficients` cosines draw it.

    Parameters
    ----------
    y_true, y_pred : collections of array-like of shape (n_frames, n_mels)
        Natural logarithms of mel magnitudes, as :class:`~skspeech.preprocessing.MelTargets` gives
        them, not standardised.
    n_coefficients : int, default=13
        How many, 1 to n_mels - 1.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If answers do not fit their targets, something is not finite, or the bands are too few.

    Notes
    -----
    R. Kubichek, "Mel-cepstral distance measure for objective speech quality assessment", IEEE
    Pacific Rim Conference, 1993. Figures of papers that take cepstra by other means, such as
    SPTK's mel-generalised ones, are not comparable in detail.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.metrics import mel_cepstral_distortion
    >>> ripple = np.cos(np.pi * 3 * (np.arange(80) + 0.5) / 80)  # of 8.7 dB
    >>> silence = np.full((5, 80), -11.5)
    >>> round(mel_cepstral_distortion([silence], [silence + ripple]), 2)
    6.14
    """
    truth, answer = _paired_frames(y_true, y_pred)
    n_mels = truth.shape[1]
    if n_coefficients not in range(1, n_mels):
        raise ValueError(
            f"n_coefficients is {n_coefficients!r}, but of {n_mels} bands there are 1 to "
            f"{n_mels - 1}."
        )
    orders, bands = np.arange(1, n_coefficients + 1), np.arange(n_mels) + 0.5
    cosines = np.cos(np.pi / n_mels * np.outer(bands, orders)) * 2 / n_mels
    differences = (truth - answer) @ cosines
    return float(10 / np.log(10) * np.sqrt(2 * (differences**2).sum(axis=1)).mean())


def _paired_frames(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return all frames of both in a row, (n_frames, n_outputs) float64, or say what is wrong."""
    truth, answer = _recordings(y_true), _recordings(y_pred)
    if len(truth) != len(answer):
        raise ValueError(f"y_true holds {len(truth)} recordings and y_pred {len(answer)}.")
    if not truth:
        raise ValueError("y_true is empty. Give one recording at least.")
    for i, (target, found) in enumerate(zip(truth, answer, strict=True)):
        if not target.size or target.ndim != 2:
            problem = f"has shape {target.shape}" if target.size else "is empty"
            raise ValueError(f"y_true[{i}] {problem}; expected (n_frames, n_outputs).")
        if target.shape[1] != truth[0].shape[1]:
            raise ValueError(
                f"y_true[{i}] has {target.shape[1]} outputs, y_true[0] {truth[0].shape[1]}."
            )
        if target.shape != found.shape:
            raise ValueError(
                f"y_pred[{i}] has shape {found.shape}, y_true[{i}] {target.shape}. Cut the longer "
                "to the frames of the shorter, or the outputs to the same."
            )
        for name, frames in (("y_true", target), ("y_pred", found)):
            if not np.isfinite(frames).all():
                frame, output = np.argwhere(~np.isfinite(frames))[0]
                raise ValueError(f"{name}[{i}] holds {frames[frame, output]} in frame {frame}.")
    return np.concatenate(truth), np.concatenate(answer)


def _recordings(y: Any) -> list[np.ndarray]:
    """Return what each recording is; numbers in an array, list or data frame are one recording."""
    y = y.to_numpy() if hasattr(y, "to_numpy") else y
    if len(y) and np.ndim(y[0]) < 2 and not (isinstance(y, np.ndarray) and y.dtype.kind == "O"):
        whole = np.asarray(y, dtype=np.float64)
        return [whole[:, None] if whole.ndim == 1 else whole]
    return [np.asarray(y[i], dtype=np.float64) for i in range(len(y))]


#: For ``scoring=`` of scikit-learn's functions, where labels are answered.
SCORERS: dict[str, Any] = {
    "wa": make_scorer(weighted_accuracy),
    "ua": make_scorer(unweighted_accuracy),
    "auc": _auc_score,
}

#: The same where frames are answered; either may be given to ``scoring=`` as a whole.
FRAME_SCORERS: dict[str, Any] = {
    "neg_frame_mse": make_scorer(frame_mse, greater_is_better=False),
    "mean_r2": make_scorer(mean_r2),
    "neg_mcd": make_scorer(mel_cepstral_distortion, greater_is_better=False),
}

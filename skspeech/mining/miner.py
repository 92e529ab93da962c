"""Motifs of each class: what recurs in the contours of its recordings."""

from collections import Counter
from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import Tags, check_array, check_consistent_length, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from skspeech.exceptions import NoMotifError, PatternExplosionError, RecordingError
from skspeech.mining._occurrences import FIELDS, OCCURRENCE, PatternTree
from skspeech.mining._wording import motif_names, nothing_found
from skspeech.mining.closed import closed_sequences
from skspeech.recordings import RecordingSequence, object_array, validate_recordings
from skspeech.recordings.contour import check_same_symbols, symbol_type
from skspeech.tags import SpeechTags

__all__ = ["ClosedMotifMiner"]

_LOCATION = np.dtype([("recording", np.int64), *OCCURRENCE.descr])


class ClosedMotifMiner(TransformerMixin, BaseEstimator):
    """Mines the closed motifs of each class, and counts them in any contour.

    A motif is a sequence of symbols that recurs: it occurs in at least `min_support` phrases. It
    is closed if it cannot be made longer and still occur in as many
    (:func:`~skspeech.mining.closed_sequences` says it exactly). ``fit`` mines the recordings of
    each class and unites what it finds to one dictionary; ``transform`` counts every motif of
    the dictionary in every recording, and looks at no labels.

    The defaults are those of Arronte Alvarez and Gómez-Martín, whose published code mines with
    ``closure="forward"``.

    Parameters
    ----------
    scope : {"recording", "class"}, default="recording"
        What is mined at once. ``"recording"``: each recording for itself; a class has the motifs
        of all its recordings, and a recording of fewer than `min_support` phrases has none.
        ``"class"``: the phrases of all recordings of a class together.
    min_support : int, default=3
        In how many phrases of what is mined at once a motif occurs at least.
    min_length : int, default=5
        Fewest symbols of a motif.
    max_length : int or None, default=None
        Most symbols of a motif; None for any number.
    max_gap : int or None, default=0
        How many symbols may be left out between two of a motif's; None for any number.
    closure : {"both", "forward"}, default="both"
        What is tried to make a motif longer: ``"both"`` what can precede it and, with
        ``max_gap=None``, stand within it, too; ``"forward"`` only what can follow it.
    occurrences : {"first", "all"}, default="first"
        Whether a motif counts once a phrase, or from every symbol of a phrase from which it can
        be read within `max_gap`; occurrences may overlap.
    max_patterns : int, default=100_000
        The most motifs of what is mined at once.

    Attributes
    ----------
    patterns_ : list of tuple
        The motifs of all classes, longest first, then lexicographic.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; ``[None]`` after a fit without any.
    supports_ : ndarray of int64, shape (n_classes, n_patterns)
        In how many phrases of a class each motif was found: of all recordings in which it was
        mined, or of the class. 0 where it was not mined.
    class_patterns_ : list of n_classes ndarrays of int64
        Which of ``patterns_`` were mined in each class.

    References
    ----------
    A. Arronte Alvarez and F. Gómez-Martín, "Singer identification using convolutional acoustic
    motif embeddings"; of what is mined, and how, the code tells more (aitor-mir/deep-flamenco).

    Examples
    --------
    >>> from skspeech.mining import ClosedMotifMiner
    >>> rising = [[1, 1, 2], [1, 1, 2, -1], [2, 1, 1, 2]]  # one recording, three phrases
    >>> falling = [[-1, -2], [1, -1, -2], [-1, -2, 1]]
    >>> miner = ClosedMotifMiner(min_length=2).fit([rising, falling], ["up", "down"])
    >>> miner.patterns_
    [(1, 1, 2), (-1, -2)]
    >>> miner.get_feature_names_out().tolist()
    ['+1+1+2', '-1-2']
    >>> miner.transform([rising, [[1, 1, 2, -1, -2]]]).tolist()
    [[3, 0], [1, 1]]
    """

    _parameter_constraints: dict = {
        "scope": [StrOptions({"recording", "class"})],
        "min_support": [Interval(Integral, 1, None, closed="left")],
        "min_length": [Interval(Integral, 1, None, closed="left")],
        "max_length": [Interval(Integral, 1, None, closed="left"), None],
        "max_gap": [Interval(Integral, 0, None, closed="left"), None],
        "closure": [StrOptions({"both", "forward"})],
        "occurrences": [StrOptions({"first", "all"})],
        "max_patterns": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        scope: str = "recording",
        min_support: int = 3,
        min_length: int = 5,
        max_length: int | None = None,
        max_gap: int | None = 0,
        closure: str = "both",
        occurrences: str = "first",
        max_patterns: int = 100_000,
    ):
        self.scope = scope
        self.min_support = min_support
        self.min_length = min_length
        self.max_length = max_length
        self.max_gap = max_gap
        self.closure = closure
        self.occurrences = occurrences
        self.max_patterns = max_patterns

    def __speech_tags__(self) -> SpeechTags:
        return SpeechTags(input_kind="contour")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []  # counts are integers
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "ClosedMotifMiner":
        """Mine the motifs of each class.

        Parameters
        ----------
        X : list, tuple, 1-D object array or RecordingSequence of n contours
            A contour is the list of a recording's phrases, and a phrase a
            :class:`~skspeech.recordings.Phrase` or any sequence of integers or of strings.
            Contours and phrases may be empty.
        y : array-like of shape (n_recordings,) or None, default=None
            The class of each recording; None makes one class of all.

        Returns
        -------
        self

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend.
        PatternExplosionError
            If more than `max_patterns` motifs are found at once; a note says in what.
        NoMotifError
            If nothing is found.
        ValueError
            If labels or parameters do not fit.
        """
        if self.max_length is not None and self.max_length < self.min_length:
            raise ValueError(
                f"max_length={self.max_length} is below min_length={self.min_length}: no motif is "
                "that long."
            )
        contours = validate_recordings(self, X, reset=True)
        if isinstance(contours, RecordingSequence):
            contours = object_array(contours)
            check_same_symbols(contours, type(self).__name__)
        classes, labels = _encode(contours, y)
        found: list[Counter] = [Counter() for _ in classes]
        databases = list(self._databases(contours, labels, classes))
        for label, name, phrases in databases:
            found[label].update(self._mine(phrases, name))
        patterns = sorted(set().union(*found), key=lambda pattern: (-len(pattern), pattern))
        if not patterns:
            mined = [phrases for _, _, phrases in databases]
            raise NoMotifError(nothing_found(mined, self.scope, self.min_support, self.min_length))
        self.patterns_ = patterns
        self.classes_ = classes
        self.supports_ = np.array([[counts[p] for p in patterns] for counts in found], np.int64)
        self.class_patterns_ = [np.flatnonzero(supports) for supports in self.supports_]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Count the motifs in each recording.

        Parameters
        ----------
        X : collection of n contours
            As for ``fit``.

        Returns
        -------
        ndarray of int64, shape (n_recordings, n_patterns)
            Columns are in the order of ``patterns_``.

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend: also one whose symbols are
            strings where ``fit`` saw integers, or the reverse.
        """
        motifs = (occurrences["motif"] for occurrences in self._occurrences(X))
        return np.stack([np.bincount(found, minlength=len(self.patterns_)) for found in motifs])

    def locate(self, X: Any) -> np.ndarray:
        """Return where the motifs occur that ``transform`` counts.

        Parameters
        ----------
        X : collection of n contours
            As for ``fit``.

        Returns
        -------
        structured ndarray of shape (n_occurrences,)
            Fields of int64: ``recording`` and ``phrase`` are indices, ``motif`` is the index in
            ``patterns_``, ``start`` and ``stop`` the indices of the first symbol and of the one
            past the last; with gaps, the earliest stop from that start. Sorted by recording,
            phrase, start and motif.

        Examples
        --------
        >>> from skspeech.mining import ClosedMotifMiner
        >>> miner = ClosedMotifMiner(min_support=2, min_length=2).fit([["do re mi".split()] * 2])
        >>> miner.locate([[["si", "do", "re", "mi"]]])[["motif", "start", "stop"]].tolist()
        [(0, 1, 4)]
        """
        located = []
        for recording, occurrences in enumerate(self._occurrences(X)):
            located.append(np.empty(len(occurrences), _LOCATION))
            located[-1]["recording"] = recording
            for name in FIELDS:
                located[-1][name] = occurrences[name]
        return np.concatenate(located)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the motifs, all different.

        Parameters
        ----------
        input_features : None
            Not used.

        Returns
        -------
        ndarray of str objects, shape (n_patterns,)
            Integers with their signs, ``"+1-2+1"``; letters one after the other; longer names
            with spaces between them.
        """
        check_is_fitted(self)
        return np.array(motif_names(self.patterns_), dtype=object)

    def _occurrences(self, X: Any) -> Iterator[np.ndarray]:
        """Yield the occurrences in each recording."""
        check_is_fitted(self)
        contours = validate_recordings(self, X, reset=False)
        tree = PatternTree(self.patterns_, self.max_gap)
        known = type(self.patterns_[0][0])
        for i, contour in enumerate(contours):
            if symbol_type(contour) not in (known, None):
                wrong, right = ("strings", "integers")[:: 1 if known is int else -1]
                raise RecordingError(
                    f"holds {wrong} where fit saw {right}",
                    f"Turn its symbols into {right}.",
                    i,
                )
            yield tree.find(contour, first=self.occurrences == "first")

    def _databases(
        self, contours: np.ndarray, labels: np.ndarray, classes: np.ndarray
    ) -> Iterator[tuple[int, str, list]]:
        """Yield class, name and phrases of what is mined at once."""
        if self.scope == "recording":
            for i, (contour, label) in enumerate(zip(contours, labels, strict=True)):
                yield label, f"X[{i}]", contour
        else:
            for label, name in enumerate(classes):
                phrases = [phrase for contour in contours[labels == label] for phrase in contour]
                yield label, "all" if name is None else f"the class {name}", phrases

    def _mine(self, phrases: list, name: str) -> dict[tuple, int]:
        # the others are in no motif's support
        phrases = [phrase for phrase in phrases if len(phrase) >= self.min_length]
        if len(phrases) < self.min_support:
            return {}
        try:
            found = closed_sequences(
                phrases,
                self.min_support,
                min_length=self.min_length,
                max_length=self.max_length,
                max_gap=self.max_gap,
                closure=self.closure,
                max_patterns=self.max_patterns,
            )
        except PatternExplosionError as error:
            error.add_note(f"while mining {name}")
            raise
        return dict(found)


def _encode(contours: np.ndarray, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes, and the class of each recording as an index into them."""
    if y is None:
        return object_array([None]), np.zeros(len(contours), dtype=int)
    y = column_or_1d(check_array(y, ensure_2d=False, dtype=None, input_name="y"), warn=True)
    check_consistent_length(contours, y)
    check_classification_targets(y)
    return np.unique(y, return_inverse=True)

"""From pitch to contour: line segments, and the steps between them as symbols."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skspeech.exceptions import RecordingError
from skspeech.preprocessing._base import RecordingTransformer
from skspeech.preprocessing._segments import map_segments
from skspeech.recordings import Phrase, RecordingSequence, features_kept_on_failure
from skspeech.tags import SpeechTags

__all__ = ["ContourApproximator"]

_REFERENCE = 55.0  # Hz, that of Salamon's salience function; what is 0 cents changes no symbol
_MOST_VALUES = 1_000_000  # clustered exactly, in about 10 s and 0.5 GB

#: First frame of each line segment of a voiced run, and its height in cents.
Lines = tuple[np.ndarray, np.ndarray]


class _Run(NamedTuple):
    """Frames without a gap: the first, their cents, and which of them were sung, not bridged."""

    begin: int
    cents: np.ndarray
    sung: np.ndarray


class ContourApproximator(RecordingTransformer):
    """Pitch as line segments, and the steps between them as symbols.

    Arronte Alvarez and Gómez-Martín, "Singer identification using convolutional acoustic motif
    embeddings", section 2.2. Pitch in cents becomes horizontal line segments. A symbol is the
    step from a segment to the next: its sign says whether the melody ascends (+) or descends
    (-), its magnitude, from 1 on, the class of the step's size. No tuning is assumed. Where
    the voice pauses, a phrase ends, so that no step leads over an unvoiced frame.

    Parameters
    ----------
    sample_rate : float, default=44100
        Samples per second of the waveforms that the pitch was found in, Hz.
    hop_length : int, default=256
        Samples from one frame of the pitch to the next; as that of the step before.
    method : {"kmeans", "segments"}, default="kmeans"
        How segments are found. ``"kmeans"``, as the paper has it: all voiced frames of the
        training collection are clustered into levels, and consecutive frames nearest to one level
        make up a segment at its height. ``"segments"``, as in the authors' code: a segment
        grows while its frames stay within `margin` of each other, whatever the collection, and
        its height is half-way between its highest and its lowest frame, rounded to a cent.
    n_levels : int, default=24
        Levels of ``"kmeans"``; there are fewer where fewer pitches are sung. The paper names no
        number: 24 are about a semitone apart over two octaves (our choice). Over a smaller range
        they are closer, and the contour follows slides and slips of the voice.
    margin : float, default=60.0
        From the highest to the lowest frame of a segment of ``"segments"`` at most, cents.
    n_interval_classes : int, default=2
        Classes that the sizes of the steps of the training collection are clustered into; fewer
        where there are fewer sizes. Not used where `interval_borders` are given. The motifs that
        the authors released have two classes, their code has three.
    interval_borders : array-like of float or None, default=None
        Sizes at which a class ends and the next begins, cents, rising. The first border belongs
        to the second class and every other one to the class below it, so that the authors'
        (70, 112) give their classes: below 70, from 70 to 112, above 112. None learns them.
    min_duration : float, default=0.0
        Shorter segments are passed through on the way to the next one and make no steps, seconds.
        The paper has none; see the notes.
    max_dropout : float, default=0.0
        An unvoiced gap of at most so many seconds ends no phrase: the pitch goes straight on, in
        cents, from its one side to the other. The paper has none; see the notes.

    Attributes
    ----------
    levels_ : ndarray of float64, shape (n_levels,), or None
        Cents above 55 Hz, rising, rounded to a cent; None for ``"segments"``.
    interval_borders_ : ndarray of float64, shape (n_classes - 1,)
        Cents, rising.

    Notes
    -----
    Both clusterings are exact (k-means in one dimension by dynamic programming, the package
    kmeans1d): no seed, no local optimum, and the order of recordings does not matter. Of more
    than 1,000,000 values, which is an hour and a half of voice at the default hop, as many are
    clustered, evenly spaced among the sorted values.

    The symbol of the step from segment k to segment k + 1 spans the time from the start of
    segment k to the start of segment k + 1, as in the authors' code: the note that is left, up to
    the moment at which the next one is reached. A motif is thus cut from the start of its first
    symbol's span to the end of its last one's. The spans of a phrase follow each other without
    gap or overlap; the segment in which it ends belongs to none. Frame i lies at
    ``i * hop_length / sample_rate`` seconds.

    Neighbouring segments whose heights round to the same cent count as one, so every symbol is
    a true step; the authors' code takes them for a descent. Voice that stays at one level has no
    step and gives no phrase, and a recording without a step an empty list. Nothing is smoothed:
    a slide through several levels is as many steps, and pitch may flicker between two of them.

    A glide crosses every level on its way, and a pitch tracker may lose the voice for a few frames
    where a note changes. Both hide a melody that comes back: on synthetic songs, 20 ms of
    `min_duration` and 30 ms of `max_dropout` found many planted motifs that the published contour
    missed (docs/arronte2020.md has the figures). `min_duration` smooths after `margin` or levels
    have had their say, and at a price: a note that wavers between two levels, never long at
    either, is passed over as well. The longest segment of a phrase stays, however short. On a real
    song (vocadito's first, `max_dropout` 30 ms), the share of frames whose segment is more than 100
    cents away rises from 0.000 to 0.053 with 24 levels and 20 ms, to 0.024 with 12 levels.

    A contour is a list and fits no array; so arrays of equally long tracks are read, but of
    scikit-learn's own checks only those that need no array are run.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.preprocessing import ContourApproximator
    >>> pitch = np.repeat([220.0, 247.0, 220.0, 0.0, 330.0, 220.0], 100)
    >>> approximator = ContourApproximator(interval_borders=(300,)).fit([pitch])
    >>> approximator.levels_.round().tolist()
    [2400.0, 2600.0, 3102.0]
    >>> (contour,) = approximator.transform([pitch])
    >>> [list(phrase) for phrase in contour]
    [[1, -1], [-2]]
    >>> contour[0].spans.round(2).tolist()
    [[0.0, 0.58], [0.58, 1.16]]
    """

    _parameter_constraints: dict = {
        "sample_rate": [Interval(Real, 0, None, closed="neither")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions({"kmeans", "segments"})],
        "n_levels": [Interval(Integral, 2, None, closed="left")],
        "margin": [Interval(Real, 0, None, closed="left")],
        "n_interval_classes": [Interval(Integral, 1, None, closed="left")],
        "interval_borders": ["array-like", None],
        "min_duration": [Interval(Real, 0, None, closed="left")],
        "max_dropout": [Interval(Real, 0, None, closed="left")],
    }
    _input_kind = "pitch"
    _output_kind = "contour"

    def __init__(
        self,
        *,
        sample_rate: float = 44100,
        hop_length: int = 256,
        method: str = "kmeans",
        n_levels: int = 24,
        margin: float = 60.0,
        n_interval_classes: int = 2,
        interval_borders: Any = None,
        min_duration: float = 0.0,
        max_dropout: float = 0.0,
    ):
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.method = method
        self.n_levels = n_levels
        self.margin = margin
        self.n_interval_classes = n_interval_classes
        self.interval_borders = interval_borders
        self.min_duration = min_duration
        self.max_dropout = max_dropout

    def __speech_tags__(self) -> SpeechTags:
        # a list of contours would be told from a contour, a list too, by nothing
        return replace(super().__speech_tags__(), reads_bags=False)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        tags.input_tags.two_d_array = False
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "ContourApproximator":
        """Learn the levels, and the borders between classes of steps.

        Parameters
        ----------
        X : collection of n pitch tracks (n_frames,), Hz, 0 where unvoiced
            A RecordingSequence is read once; of each recording, the voiced frames are kept until
            all are read.
        y : None
            Not used.

        Returns
        -------
        self

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend.
        ValueError
            If `interval_borders` do not rise, or no frame is voiced and levels are to be learnt.
        """
        borders = _checked_borders(self.interval_borders)
        with features_kept_on_failure(self):
            recordings = self._validated(X, reset=True)
            runs = [run for i in range(len(recordings)) for run in self._voiced(recordings[i], i)]
            levels = None if self.method == "segments" else _learnt_levels(runs, self.n_levels)
        self.levels_ = levels
        if borders is None:
            sizes = [np.abs(np.diff(self._lines(run.cents)[1])) for run in runs]
            borders = _borders(_centres(np.concatenate([[], *sizes]), self.n_interval_classes))
        self.interval_borders_ = borders
        return self

    def transform(self, X: Any) -> np.ndarray | RecordingSequence:
        """Return the contour of each recording.

        Parameters
        ----------
        X : collection of n pitch tracks (n_frames,), Hz, 0 where unvoiced

        Returns
        -------
        1-D object array or RecordingSequence
            Of each recording the list of its phrases, :class:`~skspeech.recordings.Phrase`, in
            the order of time; an empty list where there is no step.

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend.
        """
        check_is_fitted(self)
        self._validate_params()
        recordings = self._validated(X, reset=False)
        # a copy: what set_params does later must not change what was asked for now
        function = partial(type(self)._transform_batch, copy.copy(self))
        return map_segments(recordings, function, bags=True)  # lists, never an array

    def approximate(self, X: Any) -> np.ndarray | RecordingSequence:
        """Return the pitch of the segment that each frame belongs to.

        Parameters
        ----------
        X : collection of n pitch tracks (n_frames,), Hz, 0 where unvoiced

        Returns
        -------
        ndarray of float32, 1-D object array of such, or RecordingSequence
            Of the same shapes; Hz, 0 where unvoiced and not bridged.

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend.
        """
        check_is_fitted(self)
        return self._map(X, type(self)._approximate_batch)

    def _transform_batch(self, recordings: list[np.ndarray]) -> list[list[Phrase]]:
        return [self._contour(pitch, i) for i, pitch in enumerate(recordings)]

    def _approximate_batch(self, recordings: list[np.ndarray]) -> list[np.ndarray]:
        return [self._staircase(pitch, i) for i, pitch in enumerate(recordings)]

    def _contour(self, pitch: np.ndarray, index: int) -> list[Phrase]:
        frame = self.hop_length / self.sample_rate
        phrases = []
        for run in self._voiced(pitch, index):
            first, heights = self._lines(run.cents)
            steps = np.diff(heights)
            if len(steps):
                symbols = np.sign(steps).astype(int) * _classes(steps, self.interval_borders_)
                times = (run.begin + first) * frame
                phrases.append(Phrase(symbols, np.column_stack([times[:-1], times[1:]])))
        return phrases

    def _staircase(self, pitch: np.ndarray, index: int) -> np.ndarray:
        stairs = np.zeros(len(pitch), dtype=np.float32)
        for run in self._voiced(pitch, index):
            first, heights = self._lines(run.cents)
            # what is passed through belongs to the segment before it, or to the first
            lengths = np.diff(first[1:], prepend=0, append=len(run.cents))
            hertz = _REFERENCE * np.exp2(heights / 1200)
            stairs[run.begin : run.begin + len(run.cents)] = np.repeat(hertz, lengths)
        return stairs

    def _lines(self, cents: np.ndarray) -> Lines:
        if self.levels_ is None:
            first, heights = _within_margin(cents.tolist(), self.margin)
        else:
            first, heights = _joined(np.arange(len(cents)), _nearest(cents, self.levels_))
        lengths = np.diff(first, append=len(cents))
        least = min(self._frames(self.min_duration), lengths.max())
        return _joined(first[lengths >= least], heights[lengths >= least])

    def _voiced(self, pitch: np.ndarray, index: int) -> Iterator["_Run"]:
        """Yield the runs of frames that are voiced or bridged."""
        if pitch.min() < 0:
            frame = int(np.argmax(pitch < 0))
            raise RecordingError(
                f"has a negative pitch, {pitch[frame]:g} Hz at frame {frame:,}",
                "ContourApproximator takes 0 for unvoiced: np.maximum(pitch, 0) makes it so.",
                index,
            )
        sung = pitch > 0
        voiced = sung.copy()
        cents = np.zeros(len(pitch))
        cents[voiced] = 1200 * np.log2(pitch[voiced].astype(np.float64) / _REFERENCE)
        gaps = _edges(voiced)[1:-1].reshape(-1, 2)
        for begin, end in gaps[np.diff(gaps)[:, 0] <= self._frames(self.max_dropout)]:
            voiced[begin:end] = True
            cents[begin - 1 : end + 1] = np.linspace(cents[begin - 1], cents[end], end - begin + 2)
        for begin, end in _edges(voiced).reshape(-1, 2):
            yield _Run(int(begin), cents[begin:end], sung[begin:end])

    def _frames(self, seconds: float) -> float:
        # what is a whole number of frames stays one
        return round(seconds * self.sample_rate / self.hop_length, 9)


def _edges(voiced: np.ndarray) -> np.ndarray:
    """Return where runs of voiced frames begin and end, one after the other."""
    return np.flatnonzero(np.diff(voiced, prepend=False, append=False))


def _joined(first: np.ndarray, heights: np.ndarray) -> Lines:
    """Return the segments with neighbours of one height made one."""
    new = np.flatnonzero(np.diff(heights, prepend=np.nan))  # the first is always new
    return first[new], heights[new]


def _within_margin(cents: list[float], margin: float) -> Lines:
    """Return the longest segments, from left to right, that span no more than the margin."""
    first, heights = [0], []
    low = high = cents[0]
    for i, value in enumerate(cents):
        lower, higher = min(low, value), max(high, value)
        if higher - lower > margin:
            first.append(i)
            heights.append((low + high) / 2)
            lower = higher = value
        low, high = lower, higher
    heights.append((low + high) / 2)
    return np.array(first), np.round(heights)


def _nearest(cents: np.ndarray, levels: np.ndarray) -> np.ndarray:
    return levels[np.searchsorted(_borders(levels), cents, side="right")]


def _learnt_levels(runs: list[_Run], n_levels: int) -> np.ndarray:
    if not runs:
        raise ValueError(
            "No frame of any recording is voiced, so there are no levels to learn. "
            "Check the pitch: it is in Hz, and 0 only where unvoiced."
        )
    sung = np.concatenate([run.cents[run.sung] for run in runs])
    return np.unique(_centres(sung, n_levels).round())


def _centres(values: np.ndarray, n_clusters: int) -> np.ndarray:
    """Return the rising means of the best clusters; fewer where there are fewer values."""
    distinct = np.unique(values)
    if len(distinct) <= n_clusters:
        return distinct
    from kmeans1d import cluster

    if len(values) > _MOST_VALUES:
        places = np.linspace(0, len(values) - 1, _MOST_VALUES).round().astype(int)
        values = np.sort(values)[places]
    found = cluster(values.tolist(), n_clusters)
    # where values are all but equal, rounding may leave clusters empty, with 0 for their centre
    return np.array(found.centroids)[np.unique(found.clusters)]


def _borders(centres: np.ndarray) -> np.ndarray:
    """Return where one centre is as near as the next."""
    return (centres[1:] + centres[:-1]) / 2


def _classes(steps: np.ndarray, borders: np.ndarray) -> np.ndarray:
    """Return the class of the size of each step, from 1 on."""
    sizes = np.abs(steps)[:, None]
    return 1 + (sizes >= borders[:1]).sum(axis=1) + (sizes > borders[1:]).sum(axis=1)


def _checked_borders(borders: Any) -> np.ndarray | None:
    if borders is None:
        return None
    checked = np.asarray(borders, dtype=np.float64)
    if checked.ndim != 1 or not (np.diff(checked, prepend=0.0) > 0).all():
        raise ValueError(
            f"interval_borders is {borders!r}. Give sizes of steps in cents that rise from above "
            "0, for instance (70, 112), or None to learn them."
        )
    return checked

"""From recordings to the acoustic segments of their motifs."""

import copy
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import Tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skspeech.exceptions import MotifWarning, NoMotifError
from skspeech.preprocessing._base import CollectionTransformer
from skspeech.preprocessing._cuts import cut, loudest, scattered
from skspeech.preprocessing._motif_parts import (
    ask,
    build_parts,
    check_agree,
    fit_contour,
    known,
    pitch_of,
)
from skspeech.preprocessing._resampling import resample
from skspeech.recordings import (
    Phrase,
    RecordingSequence,
    features_kept_on_failure,
    object_array,
)
from skspeech.tags import SpeechTags
from skspeech.training.seeding import own_random_state

__all__ = ["MotifExtractor"]

#: Where motifs are, one row an occurrence: which recording, which pattern of the dictionary,
#: from when to when in seconds.
LOCATIONS = np.dtype(
    [("recording", np.int64), ("motif", np.int64), ("start", np.float64), ("end", np.float64)]
)


class MotifExtractor(CollectionTransformer):
    """The acoustic segments of the motifs of each recording, as a bag of spectrograms.

    A. Arronte Alvarez and F. Gómez-Martín, "Singer identification using convolutional acoustic
    motif embeddings", section 2: pitch, its contour, and closed sequences of the contour,
    mined song by song. Their union is the dictionary of motifs. Wherever a motif of the
    dictionary is sung, the recording is cut, and the spectrogram of what was cut out joins the
    recording's bag, which a classifier reads as it reads any bag.

    Labels are looked at in `fit` only, and only to say by ``miner_.class_patterns_`` whose
    motifs are whose and, if the miner's `scope` is ``"class"``, to mine the songs of a class
    together. In `transform` a recording is searched for every motif, whoever sang it.

    Parameters
    ----------
    sample_rate : float, default=44100
        Samples per second of the waveforms, Hz, as published; :class:`AudioLoader` has 16,000.
    pitch : transformer from waveforms to pitch, or None, default=None
        None is :class:`SaliencePitch` at `sample_rate`, with the paper's step of 256 samples at
        44.1 kHz, 5.8 ms.
    contour : transformer from pitch to contours, or None, default=None
        None is :class:`ContourApproximator` with the rate and hop of `pitch`.
    miner : transformer that mines contours and has ``locate``, or None, default=None
        None is :class:`~skspeech.mining.ClosedMotifMiner`, which says what a motif is.
    spectrogram : transformer from waveforms to spectrograms, or None, default=None
        What segments become. None is the log-mel spectrogram of section 4.1:
        ``LogMelSpectrogram(n_fft=400, hop_length=200)``, 128 bands at 16 kHz in windows of 25 ms.
        The paper's other two are ``MFCC()``, of 40 coefficients, and ``LogPowerSpectrogram(
        window="hann", win_length=400, hop_length=200, n_fft=800, f_max=8000)``, of 400 bins.
        Recordings are resampled to its `sample_rate`. The hop of 12.5 ms is that of the authors'
        code.
    segments : {"motif", "motif+context", "random"}, default="motif"
        The paper's three datasets (section 4): the motifs; `context_duration` from where each
        begins; or pieces from anywhere in the recording, as many and as long as its motifs.
    context_duration : float, default=3.0
        Seconds; less where the recording ends before.
    min_duration : float, default=0.0
        Shorter occurrences are left out, seconds. The authors' code has 0.15, the motifs that
        they released go down to 0.04.
    memory : str, joblib.Memory or None, default=None
        A folder where pitch and contours are kept, so that a search over what comes after
        computes neither again. It holds pickles: let nobody else write there.
    random_state : int, RandomState instance or None, default=None
        Where random segments lie. A recording's own depend on it and on the recording alone.

    Attributes
    ----------
    pitch_, contour_, miner_, spectrogram_ : estimators
        The parts, fitted. ``miner_.patterns_`` is the dictionary, and
        ``miner_.get_feature_names_out()`` names its motifs.
    fallback_duration_ : float
        Median duration of the motifs found in `fit`, seconds.
    random_seed_ : int
        What `random_state` gave.

    Notes
    -----
    A recording without a motif gives one segment: as long as the median motif (or
    `context_duration`), from where its energy is highest.

    Examples
    --------
    >>> from skspeech.datasets import make_singing
    >>> from skspeech.preprocessing import MotifExtractor
    >>> singing = make_singing(n_singers=2, n_songs=1, random_state=0)
    >>> extractor = MotifExtractor(sample_rate=singing.sample_rate)
    >>> bags = extractor.fit_transform(singing.data, singing.target)
    >>> len(bags), bags[0][0].shape[0]
    (2, 128)
    """

    _parameter_constraints: dict = {
        "sample_rate": [Interval(Real, 0, None, closed="neither")],
        "pitch": [HasMethods(["fit", "transform"]), None],
        "contour": [HasMethods(["fit", "transform"]), None],
        "miner": [HasMethods(["fit", "locate"]), None],
        "spectrogram": [HasMethods(["fit", "transform"]), None],
        "segments": [StrOptions({"motif", "motif+context", "random"})],
        "context_duration": [Interval(Real, 0, None, closed="neither")],
        "min_duration": [Interval(Real, 0, None, closed="left")],
        "memory": [str, HasMethods(["cache"]), None],
        "random_state": ["random_state"],
    }

    _input_kind = "waveform"
    _output_kind = "spectrogram"

    def __init__(
        self,
        *,
        sample_rate: float = 44100,
        pitch: Any = None,
        contour: Any = None,
        miner: Any = None,
        spectrogram: Any = None,
        segments: str = "motif",
        context_duration: float = 3.0,
        min_duration: float = 0.0,
        memory: Any = None,
        random_state: Any = None,
    ):
        self.sample_rate = sample_rate
        self.pitch = pitch
        self.contour = contour
        self.miner = miner
        self.spectrogram = spectrogram
        self.segments = segments
        self.context_duration = context_duration
        self.min_duration = min_duration
        self.memory = memory
        self.random_state = random_state

    def __speech_tags__(self) -> SpeechTags:
        return SpeechTags(
            input_kind=self._input_kind, output_kind=self._output_kind, gives_bags=True
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        tags.input_tags.two_d_array = False  # scikit-learn's checks compare arrays, not bags
        return tags

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None) -> "MotifExtractor":
        """Mine the motifs of the recordings.

        Parameters
        ----------
        X : collection of n waveforms
            A RecordingSequence is read once, and one more time by a `spectrogram` that learns.
        y : array-like of shape (n,) or None, default=None
            Who sings. Without it all recordings are one class.

        Returns
        -------
        self

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend.
        PatternExplosionError
            If there are more motifs than the miner may keep.
        NoMotifError
            If there is no motif at all.
        ValueError
            If parts do not agree on the sample rate or hop.
        """
        self._learn(X, y)
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray | RecordingSequence:
        """Mine the motifs of the recordings and cut them out; pitch is computed once.

        Parameters
        ----------
        X : collection of n waveforms
        y : array-like of shape (n,) or None, default=None
            Who sings.

        Returns
        -------
        1-D object array of n lists of ndarrays, or RecordingSequence of such
            As `transform` gives them.
        """
        recordings, contours = self._learn(X, y)
        return self._each(recordings, contours, MotifExtractor._spectrograms)

    def transform(self, X: Any) -> np.ndarray | RecordingSequence:
        """Cut out the motifs of each recording.

        Parameters
        ----------
        X : collection of n waveforms

        Returns
        -------
        1-D object array of n lists of ndarrays, or RecordingSequence of such
            A bag a recording: spectrograms (n_bins, n_frames) of float32, in the order in which
            the motifs begin.

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend.

        Warns
        -----
        MotifWarning
            If a recording has no motif: its loudest part stands for it.
        """
        return self._each(self._asked(X), None, MotifExtractor._spectrograms)

    def locate(self, X: Any) -> np.ndarray:
        """Return where the motifs of the dictionary are sung.

        Parameters
        ----------
        X : collection of n waveforms

        Returns
        -------
        structured ndarray, shape (n_occurrences,)
            Fields ``recording`` and ``motif`` (the place in ``miner_.patterns_``), integers, and
            ``start`` and ``end`` in seconds; in the order of recordings, then of `start`,
            then of motifs. Whatever `segments` says, these are the motifs.

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend.
        """
        found = list(self._lazily(self._asked(X), None, None))
        for i, rows in enumerate(found):
            rows["recording"] = i
        return np.concatenate(found)

    def cut(self, X: Any) -> np.ndarray | RecordingSequence:
        """Return the audio of the segments, at the rate of the recordings.

        Parameters
        ----------
        X : collection of n waveforms

        Returns
        -------
        1-D object array of n lists of waveforms, or RecordingSequence of such
            The segments whose spectrograms `transform` gives.

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend.

        Warns
        -----
        MotifWarning
            If a recording has no motif: its loudest part stands for it.
        """
        return self._each(self._asked(X), None, MotifExtractor._audio)

    def _learn(self, X: Any, y: Any) -> tuple[Any, list[list[Phrase]]]:
        """Fit the parts; return the recordings as they are to be read, and their contours."""
        with features_kept_on_failure(self):
            recordings = self._validated(X, reset=True)
            parts = build_parts(self)
            pitch = parts.pitch.fit(recordings)
            pitches = list(RecordingSequence(recordings, partial(pitch_of, self.memory, pitch)))
            contour = fit_contour(self.memory, parts.contour, pitches)
            contours = [ask(self.memory, contour, track) for track in pitches]
            fitted = copy.copy(self)  # a fit that fails leaves the one before
            fitted.pitch_, fitted.contour_ = pitch, contour
            fitted.miner_ = self._mined(parts.miner, contours, y)
            fitted.fallback_duration_ = self._median_duration(fitted.miner_, contours)
            fitted.random_seed_ = int(own_random_state(self.random_state).randint(2**31 - 1))
            fitted.spectrogram_ = parts.spectrogram  # to be asked for its rate
            cuts = fitted._lazily(recordings, contours, MotifExtractor._heard)
            fitted.spectrogram_ = parts.spectrogram.fit(cuts)
        self.__dict__.update(fitted.__dict__)
        return recordings, contours

    def _mined(self, miner: Any, contours: list[list[Phrase]], y: Any) -> Any:
        try:
            return miner.fit(object_array(contours), y)
        except NoMotifError as error:
            error.add_note(
                f"The recordings were taken for ones of sample_rate={self.sample_rate} Hz. Is that "
                "right?"
            )
            raise

    def _median_duration(self, miner: Any, contours: list[list[Phrase]]) -> float:
        rows = [_locations(miner, contour, self.min_duration) for contour in contours]
        found = np.concatenate(rows)
        if not len(found):
            raise NoMotifError(
                f"None of the {len(miner.patterns_)} motifs lasts min_duration={self.min_duration} "
                "seconds anywhere. Lower min_duration."
            )
        return float(np.median(found["end"] - found["start"]))

    def _asked(self, X: Any) -> np.ndarray | RecordingSequence:
        check_is_fitted(self)
        self._validate_params()
        check_agree("pitch", self.pitch_, self, "sample_rate")
        return self._validated(X, reset=False)

    def _lazily(
        self, recordings: Any, contours: Sequence[list[Phrase]] | None, method: Callable | None
    ) -> RecordingSequence:
        """Return the sequence of what a method makes of each recording, by :func:`_answer_at`."""
        # a copy: what set_params does later must not change what was asked for now
        answer = partial(_answer_at, copy.copy(self), recordings, contours, method)
        return RecordingSequence(range(len(recordings)), answer)

    def _each(self, recordings: Any, contours: Any, method: Callable) -> Any:
        """Return the same in memory, unless the recordings are read on access."""
        answers = self._lazily(recordings, contours, method)
        return answers if isinstance(recordings, RecordingSequence) else object_array(answers)

    def _contour_of(self, waveform: np.ndarray) -> list[Phrase]:
        return ask(self.memory, self.contour_, pitch_of(self.memory, self.pitch_, waveform))

    def _times(self, waveform: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return from when to when each segment lasts, shape (n_segments, 2), seconds."""
        if not len(rows):
            context = self.segments == "motif+context"
            duration = self.context_duration if context else self.fallback_duration_
            return loudest(waveform, duration, self.sample_rate)
        if self.segments == "random":
            durations = rows["end"] - rows["start"]
            return scattered(waveform, durations, self.sample_rate, self.random_seed_)
        ends = rows["end"]
        if self.segments == "motif+context":
            ends = rows["start"] + self.context_duration
        return np.column_stack([rows["start"], ends])

    def _audio(self, waveform: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
        return cut(waveform, times, self.sample_rate)

    def _heard(self, waveform: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
        """Return the segments at the rate of the spectrogram, which may know none."""
        rate = known(self.spectrogram_, "sample_rate") or self.sample_rate
        resampled = resample(waveform, self.sample_rate, rate)
        return cut(resampled, times, rate)

    def _spectrograms(self, waveform: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
        return list(self.spectrogram_.transform(self._heard(waveform, times)))


def _answer_at(
    extractor: MotifExtractor,
    recordings: Any,
    contours: Sequence[list[Phrase]] | None,
    method: Callable | None,
    index: int,
) -> Any:
    """Return what a method makes of a recording and the times of its segments, or its rows."""
    waveform = recordings[index]
    contour = extractor._contour_of(waveform) if contours is None else contours[index]
    rows = _locations(extractor.miner_, contour, extractor.min_duration)
    if method is None:
        return rows
    times = extractor._times(waveform, rows)
    if not len(rows):
        warnings.warn(
            f"X[{index}] ({len(waveform) / extractor.sample_rate:.2f} s) has no motif: its loudest "
            f"part, from {times[0, 0]:.2f} to {times[0, 1]:.2f} s, stands for it.",
            MotifWarning,
            stacklevel=2,
        )
    return method(extractor, waveform, times)


def _locations(miner: Any, contour: list[Phrase], min_duration: float) -> np.ndarray:
    """Return the motifs of one contour as :data:`LOCATIONS`, of recording 0."""
    found = miner.locate([contour])
    spans = np.concatenate([np.empty((0, 2)), *(phrase.spans for phrase in contour)])
    first = np.cumsum([0, *map(len, contour)])[found["phrase"]]
    rows = np.zeros(len(found), LOCATIONS)
    rows["motif"] = found["motif"]
    rows["start"] = spans[first + found["start"], 0]
    rows["end"] = spans[first + found["stop"] - 1, 1]
    return rows[rows["end"] - rows["start"] >= min_duration]

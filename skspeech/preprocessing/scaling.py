"""Transformers that standardise spectrograms: by the training data, or by the speaker."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import Tags
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from skspeech.exceptions import RecordingError, SpeakerWarning
from skspeech.preprocessing._base import CollectionTransformer, RecordingTransformer
from skspeech.preprocessing._segments import in_the_form_of, on_segments
from skspeech.recordings import RecordingSequence, features_kept_on_failure, segments_of
from skspeech.tags import SpeechTags
from skspeech.training.labels import check_groups
from skspeech.training.moments import Moments

__all__ = ["SpeakerScaler", "SpectrogramScaler"]

# Of a smaller deviation float32 cannot hold the variance: values that differ by so little are
# the same, and other values, divided by it, would soon be infinite (our choice).
_LEAST_SCALE = float(np.sqrt(np.finfo(np.float32).tiny))


class SpectrogramScaler(RecordingTransformer):
    """Z-scores by the mean and deviation over all frames of the training recordings.

    A long recording weighs more than a short one, and a bag as all of its segments. One pass
    over the recordings keeps running moments in double precision, so a RecordingSequence is
    read once in ``fit`` and never stands in memory. Bins that do not vary, or by less than
    1e-19, are only centred.
    The networks of skspeech do the same by their parameter `standardize`; this is for other
    models.

    Parameters
    ----------
    by : {"bin", "global"}, default="bin"
        One mean and deviation for each bin of each channel, or one for everything.

    Attributes
    ----------
    mean_, scale_ : ndarray of float64, shape (n_bins, 1) or (n_channels, n_bins, 1)
        With ``by="global"`` every axis has length 1. `scale_` is the standard deviation, and 1
        where that is zero up to rounding, or below 1.08e-19, where its square is too small for
        float32.
    layout_ : tuple of int
        The axes before time of the training recordings: ``(n_bins,)`` or
        ``(n_channels, n_bins)``.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.preprocessing import SpectrogramScaler
    >>> X = [np.array([[0.0, 2.0], [5.0, 5.0]]), np.array([[4.0], [5.0]])]
    >>> scaler = SpectrogramScaler().fit(X)
    >>> scaler.mean_.ravel().tolist(), scaler.scale_.ravel().round(3).tolist()
    ([2.0, 5.0], [1.633, 1.0])
    >>> scaler.transform(X)[1].round(3)
    array([[1.225],
           [0.   ]], dtype=float32)
    """

    _parameter_constraints: dict = {"by": [StrOptions({"bin", "global"})]}
    _input_kind = "spectrogram"
    _output_kind = "spectrogram"

    def __init__(self, *, by: str = "bin"):
        self.by = by

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "SpectrogramScaler":
        """Learn the mean and the deviation.

        Parameters
        ----------
        X : collection of n spectrograms, or of bags of them
            A RecordingSequence is read once, a recording at a time.
        y : None
            Not used.

        Returns
        -------
        self

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend.
        """
        with features_kept_on_failure(self):
            recordings = self._validated(X, reset=True)
            ((mean, scale),), layout = _measure(recordings, [0] * len(recordings), self.by)
        self.mean_, self.layout_ = mean, layout
        self.scale_ = np.where(scale < _LEAST_SCALE, 1.0, scale)
        return self

    def transform(self, X: Any) -> np.ndarray | RecordingSequence:
        """Return the z-scores of each spectrogram.

        Parameters
        ----------
        X : collection of n spectrograms, or of bags of them

        Returns
        -------
        ndarray of float32, 1-D object array of such, or RecordingSequence
            Of the same shapes.

        Raises
        ------
        RecordingError
            If a recording has other channels or bins than those of training.
        """
        check_is_fitted(self)
        return super().transform(X)

    def inverse_transform(self, X: Any) -> np.ndarray | RecordingSequence:
        """Return the spectrograms that have these z-scores.

        Parameters
        ----------
        X : collection of n spectrograms, or of bags of them

        Returns
        -------
        ndarray of float32, 1-D object array of such, or RecordingSequence
            Of the same shapes.

        Raises
        ------
        RecordingError
            If a recording has other channels or bins than those of training.
        """
        check_is_fitted(self)
        return self._map(X, type(self)._restore_batch)

    def _transform_batch(self, recordings: list[np.ndarray]) -> list[np.ndarray]:
        self._check_layouts(recordings)
        return _standardise(recordings, self.mean_, self.scale_)

    def _restore_batch(self, recordings: list[np.ndarray]) -> list[np.ndarray]:
        self._check_layouts(recordings)
        return [(x * self.scale_ + self.mean_).astype(np.float32) for x in recordings]

    def _check_layouts(self, recordings: list[np.ndarray]) -> None:
        for i, recording in enumerate(recordings):
            _check_layout(recording, self.layout_, i)


class SpeakerScaler(CollectionTransformer):
    """Z-scores within each speaker of the collection.

    Nothing is learnt from one collection for another: ``transform`` computes mean and
    deviation of each speaker anew, over all of the speaker's recordings that it is given. So
    at test time a recording's answer depends on the other recordings of its speaker, of which
    no labels are needed. That suits a setting in which a speaker's recordings come together;
    a score obtained so says nothing about one recording of a new speaker that comes alone.
    The tag `looks_across` of :class:`~skspeech.tags.SpeechTags` says the same.

    The speakers are `groups`, requested by default where metadata routing is on
    (``sklearn.set_config(enable_metadata_routing=True)``); only then do they get through a
    Pipeline to ``transform``, when it predicts or scores. Scorers asked for by name, such as
    ``scoring="accuracy"``, do not hand them on. Without groups each recording is a speaker of
    its own, all the segments of a bag together. With routing off that happens in
    ``cross_validate(model, X, y, groups=speakers)``, whose groups reach the splitter alone, and
    so a warning says it unless `without_groups` does.

    Parameters
    ----------
    by : {"bin", "global"}, default="bin"
        One mean and deviation for each bin of each channel, or one for everything.
    without_groups : {"warn", "recording"}, default="warn"
        Where no groups come, each recording is scaled on its own either way; ``"recording"``
        says that this is meant.

    Attributes
    ----------
    with_groups_ : bool
        Whether ``fit`` was given groups; ``transform`` has to be as well, or neither.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.preprocessing import SpeakerScaler
    >>> X = [np.array([[1.0, 3.0]]), np.array([[5.0, 5.0]]), np.array([[9.0, 9.0]])]
    >>> [x.tolist() for x in SpeakerScaler().fit_transform(X, groups=["Ann", "Bob", "Bob"])]
    [[[-1.0, 1.0]], [[-1.0, -1.0]], [[1.0, 1.0]]]
    >>> [x.tolist() for x in SpeakerScaler(without_groups="recording").fit_transform(X)]
    [[[-1.0, 1.0]], [[0.0, 0.0]], [[0.0, 0.0]]]
    """

    __metadata_request__fit = {"groups": True}
    __metadata_request__transform = {"groups": True}

    _parameter_constraints: dict = {
        "by": [StrOptions({"bin", "global"})],
        "without_groups": [StrOptions({"warn", "recording"})],
    }
    _input_kind = "spectrogram"
    _output_kind = "spectrogram"

    def __init__(self, *, by: str = "bin", without_groups: str = "warn"):
        self.by = by
        self.without_groups = without_groups

    def __speech_tags__(self) -> SpeechTags:
        return replace(super().__speech_tags__(), looks_across=True)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, groups: Any = None) -> "SpeakerScaler":
        """Check parameters, recordings in memory and groups, and note whether there are any.

        Parameters
        ----------
        X : collection of n spectrograms, or of bags of them
            A RecordingSequence is not read.
        y : None
            Not used.
        groups : array-like of shape (n_recordings,) or None, default=None
            The speaker of each recording.

        Returns
        -------
        self

        Warns
        -----
        SpeakerWarning
            If there are no groups, unless `without_groups` is ``"recording"``.
        """
        with features_kept_on_failure(self):
            recordings = self._validated(X, reset=True)
            self.with_groups_ = check_groups(recordings, groups) is not None
        if not self.with_groups_:
            self._warn_without_groups()
        return self

    def transform(self, X: Any, groups: Any = None) -> np.ndarray | RecordingSequence:
        """Return the z-scores of each spectrogram within its speaker.

        Parameters
        ----------
        X : collection of n spectrograms, or of bags of them
            With groups, a RecordingSequence is read once here for the mean and deviation of
            each speaker, and again when a recording is asked for.
        groups : array-like of shape (n_recordings,) or None, default=None
            The speaker of each recording; None makes each a speaker of its own.

        Returns
        -------
        ndarray of float32, 1-D object array of such, or RecordingSequence
            Of the same shapes.

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend.
        ValueError
            If there are groups here and were none in ``fit``, or the other way round.

        Warns
        -----
        SpeakerWarning
            If there was no ``fit`` and there are no groups, unless `without_groups` is
            ``"recording"``.
        """
        self._validate_params()
        recordings = self._validated(X, reset=False)
        groups = check_groups(recordings, groups)
        self._check_as_fitted(groups)
        if groups is not None:
            scores = _SpeakerScores(recordings, groups, self.by)
            answers = RecordingSequence(range(len(recordings)), scores)
        else:
            if not hasattr(self, "with_groups_"):
                self._warn_without_groups()
            answers = RecordingSequence(recordings, partial(_own_scores, by=self.by))
        return in_the_form_of(recordings, answers)

    def fit_transform(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> np.ndarray | RecordingSequence:
        """Return ``fit(X, y, groups).transform(X, groups)``."""
        return self.fit(X, y, groups=groups).transform(X, groups=groups)

    def _check_as_fitted(self, groups: np.ndarray | None) -> None:
        fitted = getattr(self, "with_groups_", groups is not None)
        if fitted == (groups is not None):
            return
        found = "got none" if fitted else "got some"
        without = "with" if fitted else "without"
        raise ValueError(
            f"SpeakerScaler was fitted {without} groups, and transform {found}. Pass groups, the "
            "speaker of each recording, to both or to neither. Through a Pipeline they reach "
            "transform, and so predict and score, only by metadata routing: "
            "sklearn.set_config(enable_metadata_routing=True), then predict(X, groups=groups). "
            "The predict of a search takes none: ask search.best_estimator_.predict(X, "
            "groups=groups); cross_val_predict has no way to hand them on."
        )

    def _warn_without_groups(self) -> None:
        if self.without_groups == "warn":
            warnings.warn(
                "SpeakerScaler got no groups and scales each recording on its own. If that is "
                "meant, say so by without_groups='recording'. Else pass groups, the speaker of "
                "each recording: to fit and transform, or through a Pipeline and "
                "cross_validate(..., params={'groups': groups}) by metadata routing, "
                "sklearn.set_config(enable_metadata_routing=True).",
                SpeakerWarning,
                stacklevel=4,  # scikit-learn wraps fit and transform
            )


class _SpeakerScores:
    """The z-scores of recording i within its speaker; picklable.

    Parameters
    ----------
    recordings : sequence
        Validated; read once here.
    groups : ndarray of shape (n_recordings,)
    by : {"bin", "global"}
    """

    def __init__(self, recordings: Any, groups: np.ndarray, by: str):
        self.recordings = recordings
        _, self.speakers = np.unique(groups, return_inverse=True)
        self.moments, _ = _measure(recordings, self.speakers, by)

    def __call__(self, index: int) -> Any:
        mean, scale = self.moments[self.speakers[index]]
        return on_segments(partial(_standardise, mean=mean, scale=scale), self.recordings[index])


def _own_scores(recording: Any, by: str) -> Any:
    """Return a recording's z-scores by the mean and deviation of all its segments."""
    ((mean, scale),), _ = _measure([recording], [0], by)
    return on_segments(partial(_standardise, mean=mean, scale=scale), recording)


def _measure(
    recordings: Any, speakers: Sequence[int] | np.ndarray, by: str
) -> tuple[list[tuple[np.ndarray, np.ndarray]], tuple[int, ...]]:
    """Pass over the recordings once, for mean and deviation of each speaker, and the layout."""
    moments = [Moments(by) for _ in range(max(speakers) + 1)]
    layout: tuple[int, ...] = ()
    for i, speaker in enumerate(speakers):
        for segment in segments_of(recordings[i]):
            layout = layout or segment.shape[:-1]
            _check_layout(segment, layout, i)
            moments[speaker].add(segment)
    return [(found.mean, found.scale) for found in moments], layout


def _standardise(
    segments: list[np.ndarray], mean: np.ndarray, scale: np.ndarray
) -> list[np.ndarray]:
    return [((segment - mean) / scale).astype(np.float32) for segment in segments]


def _check_layout(segment: np.ndarray, layout: tuple[int, ...], index: int) -> None:
    if segment.shape[:-1] != layout:
        axes = "".join(f"{size}, " for size in layout)
        raise RecordingError(
            f"has shape {segment.shape} where ({axes}n_frames) is needed, as the others have it",
            "Use the same front end for every recording, in fit and in transform.",
            index,
        )

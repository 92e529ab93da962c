"""Two honest estimators of a few lines, and heirs of theirs that break one promise each."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from skspeech.exceptions import RecordingError
from skspeech.mining import ClosedMotifMiner
from skspeech.preprocessing import AudioLoader, SpeakerScaler
from skspeech.preprocessing._base import RecordingTransformer
from skspeech.preprocessing._segments import map_segments
from skspeech.recordings import (
    Phrase,
    RecordingSequence,
    object_array,
    segments_of,
    validate_recordings,
)
from skspeech.tags import SpeechTags


class Honest(ClassifierMixin, TransformerMixin, BaseEstimator):
    """The nearest class mean among random projections of the mean, first and last frame."""

    __metadata_request__fit = {"groups": True}

    def __init__(self, *, validation="auto", options=(), random_state=None):
        self.validation = validation
        self.options = options
        self.random_state = random_state

    def __speech_tags__(self):
        return SpeechTags(input_kind="spectrogram", reads_bags=True)

    def fit(self, X, y, groups=None):
        recordings = validate_recordings(self, X, reset=True)
        self.classes_, labels = np.unique(self._labels(y), return_inverse=True)
        rng = np.random.default_rng(self.random_state)
        trained = self._trained(len(recordings), groups, rng)
        means = [self._features(segments_of(recording)[0]) for recording in recordings]
        self.projection_ = rng.standard_normal((len(means[0]), 16))
        embedded = np.stack([self._embed(recording) for recording in recordings])
        self.centroids_ = np.stack(
            [embedded[trained & (labels == k)].mean(axis=0) for k in range(len(self.classes_))]
        )
        return self

    def _labels(self, y):
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        return y

    def _trained(self, n_recordings, groups, rng):
        if groups is None or self.validation is None:
            return np.ones(n_recordings, dtype=bool)
        return np.asarray(groups) != rng.choice(np.unique(groups))

    def _features(self, segment):
        mean = segment.mean(axis=-1, dtype=float)
        return np.concatenate([mean, segment[..., 0], segment[..., -1]], axis=None)

    def _embed(self, recording):
        segments = segments_of(recording)
        return np.mean([self._features(x) @ self.projection_ for x in segments], axis=0)

    def _posterior(self, segment):
        distances = np.square(self._embed(segment) - self.centroids_).sum(axis=1)
        weights = np.exp(distances.min() - distances)
        return weights / weights.sum()

    def _read(self, X):
        check_is_fitted(self)
        return validate_recordings(self, X, reset=False)

    def predict_proba(self, X):
        return np.stack(
            [
                np.mean([self._posterior(segment) for segment in segments_of(recording)], axis=0)
                for recording in self._read(X)
            ]
        )

    def predict(self, X):
        posteriors = self.predict_proba(X)
        return self.classes_[posteriors.argmax(axis=1)]

    def transform(self, X):
        return np.stack([self._embed(recording) for recording in self._read(X)])


class HonestGain(RecordingTransformer):
    """Doubles every waveform."""

    _parameter_constraints = {}
    _input_kind = "waveform"
    _output_kind = "waveform"

    def _transform_batch(self, recordings):
        return [2 * recording for recording in recordings]


class HonestLoader(AudioLoader):
    """Reads files as they are."""

    def __init__(self):
        super().__init__(sample_rate=None)


class HonestScaler(SpeakerScaler):
    """Scales by the speaker, and says so."""

    def __init__(self):
        super().__init__(without_groups="recording")


# Answers that depend on the others


class AveragesPadding(Honest):
    def predict_proba(self, X):
        recordings = [segments_of(recording) for recording in self._read(X)]
        longest = max(x.shape[-1] for segments in recordings for x in segments)
        shares = [[x.shape[-1] / longest for x in segments] for segments in recordings]
        return np.stack(
            [
                np.mean([self._posterior(s * x) for s, x in zip(share, bag, strict=True)], axis=0)
                for share, bag in zip(shares, recordings, strict=True)
            ]
        )


class SubtractsTheBatchMean(Honest):
    def transform(self, X):
        embedded = super().transform(X)
        return embedded - embedded.mean(axis=0)


class LooksAtTheOneBefore(Honest):
    def predict_proba(self, X):
        posteriors = super().predict_proba(X)
        posteriors[1:] = 0.9 * posteriors[1:] + 0.1 * posteriors[:-1]
        return posteriors


class RollsDice(Honest):
    def predict_proba(self, X):
        noise = np.random.default_rng().random((len(X), 2))
        posteriors = super().predict_proba(X) + 0.1 * noise
        return posteriors / posteriors.sum(axis=1, keepdims=True)


# What comes out


class DropsShortRecordings(Honest):
    def transform(self, X):
        return np.stack([self._embed(x) for x in self._read(X) if segments_of(x)[0].shape[-1] > 1])


class DropsTheLast(Honest):
    def transform(self, X):
        return super().transform(X)[: max(1, len(X) - 1)]


class ForgetsTheSoftmax(Honest):
    def predict_proba(self, X):
        return 2 * super().predict_proba(X)


class AnswersInFloat32(Honest):
    def predict_proba(self, X):
        return super().predict_proba(X).astype(np.float32)


class AnswersByTheFirstSegment(Honest):
    def predict_proba(self, X):
        return np.stack([self._posterior(segments_of(x)[0]) for x in self._read(X)])


class ForgetsThatTuplesAreBags(Honest):
    def predict_proba(self, X):
        if not isinstance(X, RecordingSequence):
            X = [x[:1] if isinstance(x, tuple) else x for x in X]
        return super().predict_proba(X)


# What fit leaves behind


class ChangesAParameter(Honest):
    def fit(self, X, y, groups=None):
        self.options = list(self.options)
        return super().fit(X, y, groups)


class ChangesWhatAParameterHolds(Honest):
    def __init__(self, *, validation="auto", options=None, random_state=None):
        super().__init__(validation=validation, options=options, random_state=random_state)

    def fit(self, X, y, groups=None):
        if self.options is not None:
            self.options.append(len(X))
        return super().fit(X, y, groups)


class WritesIntoTheRecordings(Honest):
    def fit(self, X, y, groups=None):
        for x in X:
            if isinstance(x, np.ndarray):
                x -= x.mean()
        return super().fit(X, y, groups)


class WritesAFile(Honest):
    def fit(self, X, y, groups=None):
        Path("best_model.txt").write_text("weights")
        return super().fit(X, y, groups)


class WritesAHiddenFile(Honest):
    def predict_proba(self, X):
        (Path.home() / ".honest_cache").write_text("posteriors")
        return super().predict_proba(X)


class WritesATemporaryFile(Honest):
    def fit(self, X, y, groups=None):
        Path(tempfile.gettempdir(), "weights.txt").write_text("weights")
        return super().fit(X, y, groups)


class SeedsNumpy(Honest):
    def fit(self, X, y, groups=None):
        np.random.seed(0)  # noqa: NPY002
        return super().fit(X, y, groups)


class SeedsTorch(Honest):
    def fit(self, X, y, groups=None):
        torch.manual_seed(self.random_state or 0)
        return super().fit(X, y, groups)


class DrawsFromTheGlobalGenerator(Honest):
    def fit(self, X, y, groups=None):
        if self.random_state is None:
            np.random.random()  # noqa: NPY002
        return super().fit(X, y, groups)


class IgnoresTheSeed(Honest):
    def fit(self, X, y, groups=None):
        seed, self.random_state = self.random_state, None
        try:
            return super().fit(X, y, groups)
        finally:
            self.random_state = seed


class KeepsItsOwnStateOutOfPickles(Honest):
    def __getstate__(self):
        state = dict(super().__getstate__())
        if "centroids_" in state:
            state["centroids_"] = state["centroids_"][::-1]
        return state


# Groups


class FeedsGroupsToTheNetwork(Honest):
    def fit(self, X, y, groups=None):
        if groups is not None:
            np.asarray(groups).astype(float)
        return super().fit(X, y, groups)


class LearnsFromGroups(Honest):
    def _trained(self, n_recordings, groups, rng):
        trained = super()._trained(n_recordings, groups, rng)
        return trained if groups is None else trained & (np.asarray(groups) != groups[0])


class LearnsFromNumberedGroups(LearnsFromGroups):
    def _trained(self, n_recordings, groups, rng):
        numbered = groups is not None and np.asarray(groups).dtype.kind in "iu"
        return (super() if numbered else super(LearnsFromGroups, self))._trained(
            n_recordings, groups, rng
        )


class AsksForNoGroups(Honest):
    __metadata_request__fit = {"groups": None}


class AsksForNoGroupsAtTransform(HonestScaler):
    __metadata_request__transform = {"groups": None}


class HidesThatItLooksAcross(HonestScaler):
    def __speech_tags__(self):
        return replace(super().__speech_tags__(), looks_across=False)


class LooksBeyondTheGroup(HonestScaler):
    def transform(self, X, groups=None):
        return super().transform(X, groups=groups if groups is None else np.zeros(len(X)))


# Containers


class CountsFeaturesOfRaggedRecordings(Honest):
    def fit(self, X, y, groups=None):
        super().fit(X, y, groups)
        self.n_features_in_ = len(segments_of(X[0])[0])
        return self


class KeepsTheFeaturesOfYesterday(Honest):
    def fit(self, X, y, groups=None):
        before = getattr(self, "n_features_in_", None)
        super().fit(X, y, groups)
        if before is not None:
            self.n_features_in_ = before
        return self


class ReadsListsInReverse(Honest):
    def transform(self, X):
        return super().transform(X[::-1] if isinstance(X, list) else X)


class HidesTheRecording(Honest):
    def _read(self, X):
        try:
            recordings = super()._read(X)
            return list(recordings)
        except RecordingError as error:
            raise ValueError("the input is not usable") from error


class BreaksInAnotherWay(Honest):
    def fit(self, X, y, groups=None):
        try:
            return super().fit(X, y, groups)
        except RecordingError as error:
            raise RuntimeError("shapes do not match") from error


class SwallowsErrors(Honest):
    def _read(self, X):
        try:
            return list(super()._read(X))
        except RecordingError:
            return [np.zeros((5, 3), np.float32)] * len(X)


class TakesAnything(Honest):
    def _read(self, X):
        try:
            return super()._read(X)
        except TypeError:
            return []

    def predict_proba(self, X):
        return np.stack([*super().predict_proba(X)]) if len(self._read(X)) else np.empty((0, 2))

    def transform(self, X):
        return super().transform(X) if len(self._read(X)) else np.empty((0, 16))


class NeedsTwoFrames(Honest):
    def _features(self, segment):
        with np.errstate(invalid="ignore"):
            return np.diff(segment, axis=-1).sum(axis=-1).ravel() / (segment.shape[-1] - 1)


class NeedsNumberedLabels(Honest):
    def fit(self, X, y, groups=None):
        super().fit(X, y, groups)
        self.classes_ = np.arange(len(self.classes_))
        return self


class ReadsEverythingAtTransform(HonestGain):
    def transform(self, X):
        return super().transform(object_array(X) if isinstance(X, RecordingSequence) else X)


class ReadsTheFirstAtTransform(HonestGain):
    def transform(self, X):
        if isinstance(X, RecordingSequence):
            X[0]
        return super().transform(X)


class ReadsTheNeighboursToo(HonestGain):
    def transform(self, X):
        transformed = super().transform(X)
        if isinstance(X, RecordingSequence):
            whole = [lambda x: x]
            transformed = transformed.map(_Peek(X, whole))
        return transformed


class _Peek:
    def __init__(self, X, whole):
        self.X = X

    def __call__(self, recording):
        self.X[0]
        return recording


# Files


class WritesIntoTheFiles(HonestLoader):
    def _transform_one(self, recording):
        waveform = super()._transform_one(recording)
        with Path(recording).open("ab") as file:
            file.write(b"read")
        return waveform


class NeedsTwoFramesOfAFile(HonestLoader):
    def _transform_one(self, recording):
        waveform = super()._transform_one(recording)
        if len(waveform) < 2:
            raise RecordingError("is too short", "Lengthen it.")
        return waveform


class PassesOverMissingFiles(HonestLoader):
    def _transform_one(self, recording):
        if isinstance(recording, str) and not Path(recording).exists():
            return np.zeros(1, np.float32)
        return super()._transform_one(recording)


class HidesTheFile(HonestLoader):
    def transform(self, X):
        return RecordingSequence(X, self._read)

    def _read(self, path):
        try:
            return self._transform_one(path)
        except RecordingError as error:
            if "audio" in error.problem:
                raise ValueError("the file is not usable") from error
            raise


# Contours


class HonestMotifs(ClosedMotifMiner):
    """Mines what recurs anywhere, and counts every occurrence."""

    def __init__(self):
        super().__init__(scope="class", occurrences="all")


class HonestContour(RecordingTransformer):
    """A phrase a recording: a symbol a frame, of 10 ms."""

    _parameter_constraints = {}
    _input_kind = "pitch"
    _output_kind = "contour"

    def transform(self, X):
        recordings = self._validated(X, reset=False)
        return map_segments(recordings, self._transform_batch, bags=True)

    def _transform_batch(self, recordings):
        return [[self._phrase(recording)] for recording in recordings]

    def _phrase(self, pitch, shift=0.0):
        begins = 0.01 * np.arange(len(pitch)) + shift
        return Phrase((pitch > 150).astype(int), np.column_stack([begins, begins + 0.02]))


class WritesIntoThePhrases(HonestMotifs):
    def fit(self, X, y=None):
        super().fit(X, y)
        for contour in X:
            contour[0].spans[:] += 1
        return self


class NeedsTwoSymbols(HonestMotifs):
    def _occurrences(self, X):
        for contour, occurrences in zip(X, super()._occurrences(X), strict=True):
            if sum(map(len, contour)) < 2:
                raise RecordingError("is too short", "Lengthen it.")
            yield occurrences


class RoundsSymbols(HonestMotifs):
    def fit(self, X, y=None):
        return super().fit(self._rounded(X), y)

    def transform(self, X):
        return super().transform(self._rounded(X))

    def _rounded(self, X):
        return object_array([self._rounded_contour(contour) for contour in X])

    def _rounded_contour(self, contour):
        if not isinstance(contour, list):
            return contour
        return [
            [int(symbol) if isinstance(symbol, float) else symbol for symbol in phrase]
            if isinstance(phrase, list)
            else phrase
            for phrase in contour
        ]


class TakesALoneContour(HonestMotifs):
    def fit(self, X, y=None):
        return super().fit(_in_a_list(X), y if _in_a_list(X) is X else None)

    def transform(self, X):
        return super().transform(_in_a_list(X))


def _in_a_list(X):
    return [X] if isinstance(X, list) and X and isinstance(X[0], Phrase) else X


class TimesFromTheFirstRecording(HonestContour):
    def _transform_batch(self, recordings):
        first = 1e-3 * len(recordings[0])
        return [[self._phrase(recording, first)] for recording in recordings]


class DropsThePhraseOfAGiant(HonestContour):
    def _transform_batch(self, recordings):
        longest = max(map(len, recordings))
        return [
            [self._phrase(recording)] if 4 * len(recording) > longest else []
            for recording in recordings
        ]


class RollsDiceOnTimes(HonestContour):
    def _transform_batch(self, recordings):
        return [
            [self._phrase(recording, np.random.default_rng().random())] for recording in recordings
        ]

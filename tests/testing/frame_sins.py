"""Honest networks, regressors of frames and vocoders of a few lines, and sins of theirs."""

import math
from fractions import Fraction

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skspeech.layers import length_mask
from skspeech.models import CNNLSTM2DClassifier
from skspeech.preprocessing import RecordingTransformer
from skspeech.recordings import object_array, validate_recordings
from skspeech.tags import SpeechTags

# Networks


class MeanFrame(nn.Module):
    """The classes from the mean of the frames that there are."""

    def __init__(self, n_inputs, n_classes):
        super().__init__()
        self.frames = nn.Linear(n_inputs, 8)
        self.classes = nn.Linear(8, n_classes)
        self.embedding_size = 8

    def min_input_length(self):
        return 1

    def embed(self, inputs, lengths):
        frames = torch.relu(self.frames(inputs.flatten(1, -2).mT))  # (n_segments, n_frames, 8)
        return self._mean(frames, lengths)

    def _mean(self, frames, lengths):
        valid = length_mask(lengths, frames.shape[1])[..., None].to(frames)
        return (frames * valid).sum(dim=1) / valid.sum(dim=1)

    def forward(self, inputs, lengths):
        return self.classes(self.embed(inputs, lengths))


class MeanOfPaddingToo(MeanFrame):
    def _mean(self, frames, lengths):
        return frames.mean(dim=1)


class MeanLessThatOfTheBatch(MeanFrame):
    def _mean(self, frames, lengths):
        means = super()._mean(frames, lengths)
        return means if self.training else means - means.mean(dim=0)


class HonestNetwork(CNNLSTM2DClassifier):
    """A network that leaves padding out; its constructor is a published one's."""

    _network = MeanFrame

    def _make_network(self, layout, n_classes):
        return self._network(math.prod(layout), n_classes)


class LeaksPadding(HonestNetwork):
    _network = MeanOfPaddingToo


class NormalisesByTheBatch(HonestNetwork):
    _network = MeanLessThatOfTheBatch


class PutsGroupsIntoTheNetwork(HonestNetwork):
    """Groups come with the recordings, and so into forward."""

    def fit(self, X, y, groups=None):
        if groups is not None and self.validation is None:
            _, numbers = np.unique(groups, return_inverse=True)
            X = object_array([x + np.float32(k) for x, k in zip(X, numbers, strict=True)])
        return super().fit(X, y, groups=groups)


# Regressors of frames


class HonestRegressor(RegressorMixin, BaseEstimator):
    """Least squares from the mean and the first pixel of each frame."""

    def __speech_tags__(self):
        return SpeechTags(input_kind="video", output_kind="frame_targets")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X, y):
        videos = list(validate_recordings(self, X, reset=True))
        frames = np.concatenate([self._features(video) for video in videos])
        self.weights_ = np.linalg.lstsq(frames, np.concatenate(list(y)), rcond=None)[0]
        return self

    def _features(self, video):
        pixels = np.asarray(video, float).reshape(len(video), -1)
        return np.stack([np.ones(len(video)), pixels.mean(axis=1), pixels[:, 0]], axis=1)

    def predict(self, X):
        check_is_fitted(self)
        videos = list(validate_recordings(self, X, reset=False))
        return object_array(self._answers([self._features(video) for video in videos]))

    def _answers(self, features):
        return [x @ self.weights_ for x in features]


class AnswersPadding(HonestRegressor):
    def _answers(self, features):
        longest = max(map(len, features))
        padded = [np.pad(x, [(0, longest - len(x)), (0, 0)]) for x in features]
        return super()._answers(padded)


class ScalesByTheBatch(HonestRegressor):
    def _answers(self, features):
        return super()._answers([x * len(x) / max(map(len, features)) for x in features])


class LosesTheFirstFrame(HonestRegressor):
    """A context of the frame before, with nothing in place of what is before the first."""

    def _answers(self, features):
        return super()._answers([x[1:] if len(x) > 1 else x for x in features])


class KeepsTheStateOfTheVideoBefore(HonestRegressor):
    """Smooths over time, and forgets to begin anew."""

    def _answers(self, features):
        whole = np.concatenate(super()._answers(features))
        whole[1:] = 0.9 * whole[1:] + 0.1 * whole[:-1]
        return np.split(whole, np.cumsum([len(x) for x in features])[:-1])


class CountsPixels(HonestRegressor):
    def fit(self, X, y):
        super().fit(X, y)
        self.n_features_in_ = np.asarray(X[0])[0].size
        return self


# Vocoders


class HonestVocoder(RecordingTransformer):
    """Each frame's mean, held until the next one."""

    _parameter_constraints = {}
    _input_kind = "frame_targets"
    _output_kind = "waveform"
    sample_rate = 800
    frame_rate = 100

    def __speech_tags__(self):
        return SpeechTags(input_kind=self._input_kind, output_kind=self._output_kind)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags

    def _transform_batch(self, recordings):
        return [self._waveform(spectra) for spectra in recordings]

    def _waveform(self, spectra):
        hop = Fraction(self.sample_rate, self.frame_rate)
        return np.repeat(spectra.mean(axis=1, dtype=np.float32), int(hop))


class PadsToTheLongest(HonestVocoder):
    def _transform_batch(self, recordings):
        waveforms = super()._transform_batch(recordings)
        longest = max(map(len, waveforms))
        return [np.pad(waveform, (0, longest - len(waveform))) for waveform in waveforms]


class PeaksAtOne(HonestVocoder):
    def _transform_batch(self, recordings):
        waveforms = super()._transform_batch(recordings)
        peak = max(np.abs(waveform).max() for waveform in waveforms)
        return [waveform / peak for waveform in waveforms]


class DrawsNoise(HonestVocoder):
    def _waveform(self, spectra):
        np.random.random()  # noqa: NPY002
        return super()._waveform(spectra)


class SplitsInTwo(HonestVocoder):
    """More waveforms come out than spectra go in."""

    def transform(self, X):
        return object_array(
            [half for waveform in super().transform(X) for half in np.array_split(waveform, 2)]
        )

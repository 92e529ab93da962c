"""Plain models that every network must beat before it is worth its while."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from skspeech.metrics import mean_r2
from skspeech.preprocessing import MFCC, SpeakerScaler, UltrasoundFramer
from skspeech.recordings import object_array

__all__ = ["FrameRidge", "frame_statistics", "mfcc_svc"]


def frame_statistics(spectrograms: Any) -> np.ndarray:
    """Return mean and deviation of each bin over the frames.

    Parameters
    ----------
    spectrograms : collection of n spectrograms
        Each of shape (n_bins, n_frames).

    Returns
    -------
    ndarray of shape (n, 2 * n_bins)

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.experiments.baselines import frame_statistics
    >>> frame_statistics([np.array([[1.0, 3.0], [5.0, 5.0]])])
    array([[2., 5., 1., 0.]])
    """
    return np.stack([np.concatenate([x.mean(axis=1), x.std(axis=1)]) for x in spectrograms])


def mfcc_svc(sample_rate: float, *, speaker_scaler: bool = False) -> Pipeline:
    """Return means and deviations of 40 MFCC and a support vector machine with an RBF kernel.

    Parameters
    ----------
    sample_rate : float
        Samples per second of the waveforms, Hz.
    speaker_scaler : bool, default=False
        Whether the MFCC are scaled within each speaker first.

    Returns
    -------
    Pipeline
    """
    return make_pipeline(
        MFCC(
            sample_rate=sample_rate,
            n_fft=round(0.025 * sample_rate),
            hop_length=round(0.0125 * sample_rate),
        ),
        SpeakerScaler() if speaker_scaler else "passthrough",
        FunctionTransformer(frame_statistics),
        StandardScaler(),
        SVC(),
    )


class FrameRidge(RegressorMixin, BaseEstimator):
    """Ridge regression of each frame's targets on the pixels of a few frames around it.

    Parameters
    ----------
    context_frames : int, default=9
        Of which every second one is read.
    alpha : float, default=100.0

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.experiments.baselines import FrameRidge
    >>> videos = [np.random.default_rng(i).normal(size=(20, 4, 3)) for i in range(2)]
    >>> spectra = [video[:, :2, 0] for video in videos]
    >>> FrameRidge(context_frames=1, alpha=1e-3).fit(videos, spectra).score(videos, spectra) > 0.99
    True
    """

    def __init__(self, *, context_frames: int = 9, alpha: float = 100.0):
        self.context_frames = context_frames
        self.alpha = alpha

    def fit(self, X: Any, y: Any) -> "FrameRidge":
        """Fit on videos and (n_frames, n_outputs) of each."""
        pixels = np.concatenate(self._pixels(X))
        self.ridge_ = Ridge(alpha=self.alpha).fit(pixels, np.concatenate(y))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return (n_frames, n_outputs) for each video."""
        return object_array([self.ridge_.predict(pixels) for pixels in self._pixels(X)])

    def score(self, X: Any, y: Any, sample_weight: None = None) -> float:
        """Return the mean R2 over the outputs."""
        return mean_r2(y, self.predict(X))

    def _pixels(self, X: Any) -> list[np.ndarray]:
        framer = UltrasoundFramer(context_frames=self.context_frames).fit(X)
        return [np.array(x[:, ::2]).reshape(len(x), -1) for x in framer.transform(X)]

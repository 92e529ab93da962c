"""Plain models that every network must beat before it is worth its while."""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from skspeech.preprocessing import MFCC, SpeakerScaler

__all__ = ["frame_statistics", "mfcc_svc"]


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

"""One waveform at another sample rate."""

import math

import numpy as np

__all__ = ["resample"]


def resample(waveform: np.ndarray, sample_rate: float, wanted_rate: float) -> np.ndarray:
    """Return a waveform at another rate, in soxr's quality HQ; itself at its own.

    Parameters
    ----------
    waveform : ndarray of float32, shape (n_samples,)
    sample_rate, wanted_rate : float
        Hz.

    Returns
    -------
    ndarray of float32, shape (ceil(n_samples * wanted_rate / sample_rate),)
    """
    if sample_rate == wanted_rate:
        return waveform
    import soxr

    resampled = soxr.resample(waveform, sample_rate, wanted_rate)
    # soxr rounds; librosa's length does not get shorter than the recording, or empty
    padded = np.zeros(math.ceil(len(waveform) * wanted_rate / sample_rate), dtype=np.float32)
    padded[: len(resampled)] = resampled[: len(padded)]
    return padded

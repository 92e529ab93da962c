"""Small ragged recordings of every kind, for the checks."""

from typing import Any

import numpy as np

from skspeech.recordings import object_array

__all__ = ["make_labels", "make_recordings"]


def make_recordings(kind: str, n_recordings: int = 12, *, seed: int = 0) -> np.ndarray:
    """Return recordings of different lengths; those of odd index differ from the others.

    Parameters
    ----------
    kind : str
        A key of :data:`skspeech.recordings.KINDS`.
    n_recordings : int, default=12
    seed : int, default=0

    Returns
    -------
    ndarray of object, shape (n_recordings,)

    Examples
    --------
    >>> from skspeech.testing import make_recordings
    >>> [len(x) for x in make_recordings("spectrogram", 3)]  # bins; frames differ
    [5, 5, 5]
    """
    make = {
        "waveform": _waveform,
        "spectrogram": _spectrogram,
        "pitch": _pitch,
        "video": _video,
    }[kind]
    rng = np.random.default_rng(seed)
    return object_array([make(rng, bool(i % 2)) for i in range(n_recordings)])


def make_labels(n_recordings: int = 12) -> np.ndarray:
    """Return string labels that tell odd from even recordings.

    Examples
    --------
    >>> from skspeech.testing import make_labels
    >>> make_labels(3).tolist()
    ['even', 'odd', 'even']
    """
    return np.where(np.arange(n_recordings) % 2, "odd", "even")


def _waveform(rng: np.random.Generator, odd: bool) -> Any:
    n_samples = rng.integers(100, 300)
    tone = np.sin(np.arange(n_samples) * (0.2 if odd else 0.9))
    return (0.5 * tone + 0.01 * rng.standard_normal(n_samples)).astype(np.float32)


def _spectrogram(rng: np.random.Generator, odd: bool) -> Any:
    spectrogram = rng.standard_normal((5, rng.integers(8, 60)))
    spectrogram[:2] += 2 * odd
    return spectrogram.astype(np.float32)


def _pitch(rng: np.random.Generator, odd: bool) -> Any:
    pitch = (110 if odd else 220) * 2 ** (rng.integers(0, 12, size=rng.integers(20, 60)) / 12)
    pitch[:3] = 0  # unvoiced
    return pitch.astype(np.float32)


def _video(rng: np.random.Generator, odd: bool) -> Any:
    video = rng.integers(0, 128, size=(rng.integers(8, 20), 8, 6))
    return (video + 64 * odd).astype(np.uint8)

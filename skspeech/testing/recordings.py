"""Small ragged recordings of every kind, for the checks."""

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from skspeech.recordings import Phrase, object_array

__all__ = ["make_labels", "make_recordings"]


def make_recordings(kind: str, n_recordings: int = 12, *, seed: int = 0) -> np.ndarray:
    """Return recordings of different lengths; those of odd index differ from the others.

    Parameters
    ----------
    kind : str
        A key of :data:`skspeech.recordings.KINDS`; ``"contour"``; or ``"path"``: WAV files at
        800 Hz in a temporary folder, which is removed when the returned array is no longer
        referred to.
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
    if kind == "path":
        return _paths(make_recordings("waveform", n_recordings, seed=seed))
    make = {
        "waveform": _waveform,
        "spectrogram": _spectrogram,
        "pitch": _pitch,
        "video": _video,
        "frame_targets": _frame_targets,
        "contour": _contour,
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


def _frame_targets(rng: np.random.Generator, odd: bool) -> Any:
    targets = rng.standard_normal((rng.integers(8, 60), 5))
    targets[:, :2] += 2 * odd
    return targets.astype(np.float32)


def _contour(rng: np.random.Generator, odd: bool) -> Any:
    motif = [1, 1, -2, 1, 1, -2] if odd else [-1, 2, -1, -1, 2, -1]
    return [_phrase(rng, motif) for _ in range(rng.integers(4, 9))]


def _phrase(rng: np.random.Generator, motif: list[int]) -> Phrase:
    before, after = (rng.choice([-2, -1, 1, 2], rng.integers(0, 5)).tolist() for _ in range(2))
    symbols = [*before, *motif, *after]
    levels = np.cumsum(rng.uniform(0.1, 0.4, len(symbols) + 2))  # the beginning of each, and an end
    return Phrase(symbols, np.column_stack([levels[:-2], levels[2:]]))


def _paths(waveforms: np.ndarray) -> np.ndarray:
    folder = Path(tempfile.mkdtemp(prefix="skspeech-"))
    paths = object_array(
        [write_waveform(folder / f"{i:02}.wav", waveform) for i, waveform in enumerate(waveforms)]
    )
    weakref.finalize(paths, shutil.rmtree, folder, ignore_errors=True)
    return paths


def write_waveform(path: Path, waveform: np.ndarray) -> str:
    """Write a waveform of 800 Hz into a WAV file of floats, and return the path as a string."""
    import soundfile

    soundfile.write(path, waveform, 800, subtype="FLOAT")
    return str(path)

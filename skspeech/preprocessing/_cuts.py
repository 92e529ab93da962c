"""Pieces of one waveform: where they lie, and their samples."""

import zlib

import numpy as np

__all__ = ["cut", "loudest", "scattered"]


def cut(waveform: np.ndarray, times: np.ndarray, sample_rate: float) -> list[np.ndarray]:
    """Return copies of pieces of a waveform, each of a sample at least.

    Parameters
    ----------
    waveform : ndarray, shape (n_samples,)
    times : ndarray, shape (n_pieces, 2)
        Beginning and end, seconds; what lies beyond the end of the waveform is left out.
    sample_rate : float
        Hz.

    Returns
    -------
    list of ndarray
    """
    starts = np.rint(times[:, 0] * sample_rate).astype(int).clip(0, len(waveform) - 1)
    stops = np.rint(times[:, 1] * sample_rate).astype(int)
    return [
        waveform[start : max(start + 1, stop)].copy()
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
    ]


def loudest(waveform: np.ndarray, duration: float, sample_rate: float) -> np.ndarray:
    """Return the times (1, 2) of the first piece of `duration` seconds with the most energy."""
    n_samples = min(len(waveform), max(1, round(duration * sample_rate)))
    energy = np.concatenate([[0.0], np.cumsum(np.square(waveform, dtype=np.float64))])
    start = int(np.argmax(energy[n_samples:] - energy[:-n_samples]))
    return np.array([[start, start + n_samples]]) / sample_rate


def scattered(
    waveform: np.ndarray, durations: np.ndarray, sample_rate: float, seed: int
) -> np.ndarray:
    """Return the times (n_pieces, 2) of pieces of these durations, anywhere, in order.

    Where they lie depends on the seed and the waveform alone.
    """
    rng = np.random.default_rng([seed, zlib.crc32(waveform.tobytes())])
    starts = rng.uniform(0, np.maximum(len(waveform) / sample_rate - durations, 0))
    times = np.column_stack([starts, starts + durations])
    return times[np.argsort(starts, kind="stable")]

"""Power of waveforms in bins or mel bands, frame by frame; what all spectrograms share."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import joblib
import numpy as np

from skspeech.exceptions import RecordingError
from skspeech.preprocessing._base import RecordingTransformer

__all__ = ["FLOAT32", "SCALES", "BinPower", "MelPower", "PowerTransformer", "rescale"]

# Samples transformed at once, and mel bands multiplied at once: small enough to stay in the
# cache, to leave out most of the filters' zeros, and for matrix products that are not worth
# the linear algebra's own threads, which busy cores make wait (our choice, measured).
_BLOCK_SINGLES = 2**16
_BLOCK_DOUBLES = 2**17
_BLOCK_BANDS = 16

# More threads than this would wait for Python's own lock most of the time (our choice).
_MOST_THREADS = 8

# Decibels in a natural logarithm of power.
_DB = np.float32(10 / np.log(10))

FLOAT32 = np.finfo(np.float32)

#: 10 log10, the natural logarithm, or no logarithm of power.
SCALES = {"db", "ln", "power"}


class PowerTransformer(RecordingTransformer):
    """Base of the transformers that turn the power in each frame into a spectrogram.

    A subclass says in `_make_power` how power is computed and in `_from_power` what becomes of
    it: unless it says otherwise, one of :data:`SCALES`, by its parameters `scale` and `amin`.
    With `_threaded`, recordings in memory are shared among threads, each with its own
    buffers: as many as OMP_NUM_THREADS says or else as there are cores. A recording is one
    thread's, so their number changes no digit. Where a recording takes less than a
    millisecond, threads do not pay (measured).
    """

    scale: str
    amin: float

    _threaded = False

    _input_kind = "waveform"
    _output_kind = "spectrogram"

    def _make_power(self) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function from a waveform to its power (n_bins, n_frames), for one thread."""
        raise TypeError(f"{type(self).__name__} must define _make_power.")

    def _from_power(self, power: np.ndarray) -> np.ndarray:
        """Return the spectrogram, no view of anything; it may be `power` itself, rewritten."""
        return rescale(power, self.scale, self.amin)

    def _transform_batch(self, recordings: list[np.ndarray]) -> list[np.ndarray]:
        n_recordings = len(recordings)
        alone = not self._threaded or n_recordings == 1
        n_threads = 1 if alone else min(n_recordings, _n_threads(), _MOST_THREADS)
        places = iter(range(n_recordings))  # shared: each thread takes the next when it is free
        transformed: list[Any] = [None] * n_recordings
        failed: dict[int, BaseException] = {}
        stop = threading.Event()

        def work(power_of: Callable[[np.ndarray], np.ndarray]) -> None:
            # What is taken is tried, and taken in order: so whichever recording fails first by
            # the clock, the first to fail by its place is among those in `failed`.
            while not stop.is_set() and (i := next(places, None)) is not None:
                try:
                    transformed[i] = self._from_power(self._finite(power_of(recordings[i]), i))
                except BaseException as error:
                    failed[i] = error
                    stop.set()

        # not made in the threads: filters are cached, and warnings caught for all threads at once
        makers = [self._make_power() for _ in range(n_threads)]
        if n_threads == 1:
            work(makers[0])
        else:
            with ThreadPoolExecutor(n_threads) as pool:
                try:
                    list(pool.map(work, makers))
                finally:  # Ctrl-C comes here, and the pool waits for its threads
                    stop.set()
        if failed:
            raise failed[min(failed)]
        return transformed

    def _finite(self, power: np.ndarray, index: int) -> np.ndarray:
        if np.isfinite(power).all():
            return power
        raise RecordingError(
            "is so loud that its power is too large for float32",
            f"Rescale it to [-1, 1] before {type(self).__name__}.",
            index,
        )


def _n_threads() -> int:
    """Return how many threads to use; joblib tells its worker processes by the variable."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(wanted) if wanted.isdecimal() and int(wanted) else joblib.cpu_count()


class WindowedFrames:
    """The windowed frames of one waveform after the other, block by block, in one buffer.

    Frame i is centred on sample ``i * hop_length``, with zeros beyond both ends; so is a
    window shorter than the frame, as in librosa.

    Parameters
    ----------
    n_fft : int
        Samples in a frame.
    hop_length : int
        Samples from one frame to the next.
    window : {"hann", "hamming"}
        Periodic.
    win_length : int
        Samples in the window, at most `n_fft`.
    n_samples : int
        Samples in a block of frames.
    dtype : dtype
        float32 or float64.
    """

    def __init__(
        self,
        n_fft: int,
        hop_length: int,
        *,
        window: str,
        win_length: int,
        n_samples: int,
        dtype: type[np.floating],
    ):
        from scipy.signal import get_window

        self.n_fft, self.hop_length, self.win_length = n_fft, hop_length, win_length
        self.window = get_window(window, win_length).astype(dtype)
        # Where the window begins in the frame changes phases only: here it comes first, and
        # the zeros behind it are written once.
        self.windowed = np.zeros((max(1, n_samples // n_fft), n_fft), dtype)
        self.padded = np.zeros(0, np.float32)  # kept: new memory costs more than what is put there

    def __call__(self, waveform: np.ndarray) -> tuple[int, Iterator[tuple[slice, np.ndarray]]]:
        """Return the number of frames, and blocks: which frames, and these windowed."""
        edge, n_samples = self.n_fft // 2, len(waveform)
        if len(self.padded) < n_samples + 2 * edge:
            self.padded = np.zeros(n_samples + 2 * edge, np.float32)
        padded = self.padded[: n_samples + 2 * edge]
        padded[edge : edge + n_samples] = waveform
        padded[edge + n_samples :] = 0
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.n_fft)[:: self.hop_length]
        first = (self.n_fft - self.win_length) // 2
        return len(frames), self._blocks(frames[:, first : first + self.win_length])

    def _blocks(self, frames: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        step = len(self.windowed)
        for start in range(0, len(frames), step):
            block = frames[start : start + step]
            windowed = self.windowed[: len(block)]
            np.multiply(block, self.window, out=windowed[:, : self.win_length])
            yield slice(start, start + step), windowed


class BinPower:
    """Power in the lowest bins of one waveform after the other.

    In double precision, as librosa computes it: rounding in single precision spreads from a
    loud tone over all bins, and moves those 75 dB below it by 0.001 dB. numpy's transform is as
    fast as scipy's here, and writes into a buffer: threads that ask for new memory wait for
    each other.

    Parameters
    ----------
    n_bins : int
        At most ``1 + n_fft // 2``.
    n_fft, hop_length, win_length : int
    window : {"hann", "hamming"}
    """

    def __init__(self, n_bins: int, n_fft: int, hop_length: int, win_length: int, window: str):
        self.frames = WindowedFrames(
            n_fft,
            hop_length,
            window=window,
            win_length=win_length,
            n_samples=_BLOCK_DOUBLES,
            dtype=np.float64,
        )
        n_frames = len(self.frames.windowed)
        self.spectra = np.empty((n_frames, 1 + n_fft // 2), np.complex128)
        self.lowest = np.empty((n_frames, n_bins), np.complex64)
        self.magnitudes = np.empty((n_frames, n_bins), np.float32)

    @np.errstate(over="ignore", invalid="ignore")  # left for PowerTransformer to name
    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return the power of a waveform (n_samples,), shape (n_bins, n_frames)."""
        n_frames, blocks = self.frames(waveform)
        n_bins = self.lowest.shape[1]
        power = np.empty((n_bins, n_frames), np.float32)
        for rows, windowed in blocks:
            n = len(windowed)
            spectra = np.fft.rfft(windowed, out=self.spectra[:n])
            lowest, magnitudes = self.lowest[:n], self.magnitudes[:n]
            np.copyto(lowest, spectra[:, :n_bins], casting="same_kind")
            np.abs(lowest, out=magnitudes)
            np.square(magnitudes.T, out=power[:, rows])
        return power


class MelPower:
    """Power in mel bands of one waveform after the other, in single precision.

    Parameters
    ----------
    filters : ndarray of float32, shape (n_mels, 1 + n_fft // 2)
    n_fft, hop_length : int
    """

    def __init__(self, filters: np.ndarray, n_fft: int, hop_length: int):
        self.n_mels = len(filters)
        self.bands = _band_blocks(filters)
        self.frames = WindowedFrames(
            n_fft,
            hop_length,
            window="hann",
            win_length=n_fft,
            n_samples=_BLOCK_SINGLES,
            dtype=np.float32,
        )

    @np.errstate(over="ignore", invalid="ignore")  # left for PowerTransformer to name
    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return the power of a waveform (n_samples,), shape (n_mels, n_frames)."""
        # not torch's: on blocks this small, its threads would only wait for each other; not
        # numpy's, which in single precision takes three times as long
        from scipy.fft import rfft

        n_frames, blocks = self.frames(waveform)
        power = np.empty((self.n_mels, n_frames), np.float32)
        for rows, windowed in blocks:
            parts = rfft(windowed).view(np.float32)
            squares = np.square(parts, out=parts)
            for bands, bins, weights in self.bands:
                power[bands, rows] = (squares[:, bins] @ weights).T
        return power


def _band_blocks(filters: np.ndarray) -> list[tuple[slice, slice, np.ndarray]]:
    """Cut the filters into blocks of bands, each with the part of a spectrum that it reads.

    The columns of a spectrum are the real and imaginary part of each bin, squared.
    """
    blocks = []
    for start in range(0, len(filters), _BLOCK_BANDS):
        bands = slice(start, start + _BLOCK_BANDS)
        heard = np.flatnonzero(filters[bands].any(axis=0))
        first, last = (heard[0], heard[-1] + 1) if heard.size else (0, 0)
        weights = np.repeat(filters[bands, first:last].T, 2, axis=0)
        blocks.append((bands, slice(2 * first, 2 * last), weights))
    return blocks


def rescale(power: np.ndarray, scale: str, amin: float) -> np.ndarray:
    """Turn power, in place, into one of :data:`SCALES`; powers below `amin` are raised to it."""
    if scale == "power":
        return power
    logarithm = np.log(np.maximum(power, np.float32(amin), out=power), out=power)
    return logarithm if scale == "ln" else np.multiply(logarithm, _DB, out=logarithm)
